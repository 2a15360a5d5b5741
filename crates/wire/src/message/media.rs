//! Files that people send each other: where one is, what opens it, and how it is to be shown
//! (network facts 1.7, 2.5, 3.8). The bytes of a file are none of this module's business.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

pub(super) use read::{caption, read};
pub use write::encode_media;

use super::Quote;
use crate::media::{MEDIA_KEY_BYTES, MediaKind};

/// The most bytes of a waveform (network facts 2.5). An empty one is none.
pub const MAX_WAVEFORM_BYTES: usize = 192;

/// The largest value in a waveform: that is how loud it gets.
pub const MAX_LOUDNESS: u8 = 100;

/// The most bytes of the small picture inside a message. Larger ones are not read and not sent.
pub const MAX_THUMBNAIL_BYTES: usize = 64 * 1024;

/// The most characters of a file's name that are sent: what common file systems take.
pub const MAX_FILE_NAME_CHARS: usize = 255;

/// A file and what is said with it. `Debug` shows no words, names, paths or keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// How it is to be shown.
    pub kind: MediaContent,
    /// Where it is and what opens it.
    pub file: MediaFile,
    /// What the file is; empty if its sender did not say.
    pub mimetype: String,
    /// A text with it, in the network's markup.
    pub caption: Option<String>,
    /// The name of a document.
    pub file_name: Option<String>,
    /// In pixels; zero if unknown.
    pub width: u32,
    /// In pixels; zero if unknown.
    pub height: u32,
    /// How long it plays; zero if unknown.
    pub seconds: u32,
    /// How loud a voice message is over its length, 0 to [`MAX_LOUDNESS`]; empty if unknown.
    pub waveform: Vec<u8>,
    /// A small JPEG that is shown until the file is there; empty if there is none.
    pub thumbnail_jpeg: Vec<u8>,
    /// The message that it answers.
    pub quote: Option<Quote>,
}

/// How a file is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaContent {
    /// A picture.
    Image,
    /// A video.
    Video {
        /// Plays by itself, without sound and without end.
        gif: bool,
        /// A video note: shown in a circle.
        round: bool,
    },
    /// Something to hear.
    Audio {
        /// Recorded for this chat.
        voice: bool,
    },
    /// Any other file.
    Document,
    /// A picture without a frame. Only received: partners have no stickers (network facts 2.5).
    Sticker {
        /// Whether it moves.
        animated: bool,
    },
}

impl MediaContent {
    /// Which keys its file is encrypted with.
    pub fn keys(self) -> MediaKind {
        match self {
            Self::Image | Self::Sticker { .. } => MediaKind::Image,
            Self::Video { .. } => MediaKind::Video,
            Self::Audio { .. } => MediaKind::Audio,
            Self::Document => MediaKind::Document,
        }
    }

    /// What a person would call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video { round: true, .. } => "video note",
            Self::Video { gif: true, .. } => "GIF",
            Self::Video { .. } => "video",
            Self::Audio { voice: true } => "voice message",
            Self::Audio { voice: false } => "audio",
            Self::Document => "document",
            Self::Sticker { .. } => "sticker",
        }
    }
}

/// Where a file is and what opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its path at the network's media servers; empty if only the address is known.
    pub direct_path: String,
    /// Its whole address. Only received.
    pub url: Option<String>,
    /// Everything that is needed to read it, besides its ciphertext.
    pub media_key: [u8; MEDIA_KEY_BYTES],
    /// When the key was made, in seconds of Unix time; zero if unknown.
    pub media_key_at: i64,
    /// SHA-256 of the file in the clear.
    pub sha256: [u8; 32],
    /// SHA-256 of the file as it is downloaded.
    pub enc_sha256: [u8; 32],
    /// The bytes of the file in the clear, as its sender says.
    pub length: u64,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("file", &self.file)
            .field("caption_bytes", &self.caption.as_ref().map(String::len))
            .field("quote", &self.quote)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile").field("length", &self.length).finish_non_exhaustive()
    }
}
