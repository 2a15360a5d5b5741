//! What a file is, which decides its keys.

/// What a file is. Each kind has keys of its own, so that one cannot be passed off as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture, and what the network sends as one.
    Image,
    /// A video, with or without sound, round or not.
    Video,
    /// Sound, recorded as a voice message or not.
    Audio,
    /// Any other file.
    Document,
    /// The picture that stands for an image until it is fetched.
    ImageThumbnail,
    /// The picture that stands for a video.
    VideoThumbnail,
    /// The picture that stands for a document.
    DocumentThumbnail,
}

impl MediaKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::Document,
        Self::ImageThumbnail,
        Self::VideoThumbnail,
        Self::DocumentThumbnail,
    ];

    /// What sets this kind's keys apart (network facts 3.8).
    pub(super) fn info(self) -> &'static [u8] {
        match self {
            Self::Image => b"WhatsApp Image Keys",
            Self::Video => b"WhatsApp Video Keys",
            Self::Audio => b"WhatsApp Audio Keys",
            Self::Document => b"WhatsApp Document Keys",
            Self::ImageThumbnail => b"WhatsApp Image Thumbnail Keys",
            Self::VideoThumbnail => b"WhatsApp Video Thumbnail Keys",
            Self::DocumentThumbnail => b"WhatsApp Document Thumbnail Keys",
        }
    }
}
