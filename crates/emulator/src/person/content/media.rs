//! Messages with a file, in the fields of the public schema (network facts 2.5). It must not know how a file is moved.

use causeway_wire::media::MediaKind;
use serde::{Deserialize, Serialize};
use waproto::{
    buffa::MessageField,
    codec::{message_decode, message_to_vec},
    whatsapp::{
        Message,
        message::{
            AudioMessage, DocumentMessage, FutureProofMessage, ImageMessage, StickerMessage,
            VideoMessage,
        },
    },
};

/// What a file is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Image,
    Video,
    /// A silent video that plays by itself.
    Gif,
    /// A round video.
    Ptv,
    Audio,
    /// Sound that was recorded as a message.
    Voice,
    Document,
    Sticker,
}

impl Kind {
    /// Whose keys the file is encrypted with.
    pub(crate) fn keys(self) -> MediaKind {
        match self {
            Self::Image | Self::Sticker => MediaKind::Image,
            Self::Video | Self::Gif | Self::Ptv => MediaKind::Video,
            Self::Audio | Self::Voice => MediaKind::Audio,
            Self::Document => MediaKind::Document,
        }
    }

    /// What it is uploaded as.
    pub(crate) fn upload(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Sticker => "sticker",
            Self::Video | Self::Gif | Self::Ptv => "video",
            Self::Audio | Self::Voice => "audio",
            Self::Document => "document",
        }
    }

    /// The `mediatype` of the envelope.
    pub(crate) fn envelope(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Gif => "gif",
            Self::Ptv => "ptv",
            Self::Audio => "audio",
            Self::Voice => "ptt",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// The media type unless something else is said.
    pub(crate) fn mimetype(self) -> &'static str {
        match self {
            Self::Image => "image/jpeg",
            Self::Video | Self::Gif | Self::Ptv => "video/mp4",
            Self::Audio => "audio/mp4",
            Self::Voice => "audio/ogg; codecs=opus",
            Self::Document => "application/octet-stream",
            Self::Sticker => "image/webp",
        }
    }
}

/// What a message says of its file for people to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) mimetype: Option<String>,
    pub(crate) caption: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) seconds: Option<u32>,
    pub(crate) waveform: Option<Vec<u8>>,
    /// A JPEG; for a sticker a PNG.
    pub(crate) thumbnail: Option<Vec<u8>>,
}

/// Where a file is, and how it is decrypted.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) direct_path: String,
    pub(crate) url: Option<String>,
    pub(crate) media_key: [u8; 32],
    pub(crate) sha256: [u8; 32],
    pub(crate) enc_sha256: [u8; 32],
    /// Bytes in the clear.
    pub(crate) length: u64,
}

impl std::fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RemoteFile({} bytes)", self.length)
    }
}

/// A message with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) kind: Kind,
    pub(crate) about: About,
    pub(crate) file: RemoteFile,
}

/// What is put around a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wrap {
    /// To be looked at once.
    ViewOnce,
    /// Disappears after a while.
    Ephemeral,
}

/// Fields that the schema gives to every kind of file under the same name.
macro_rules! with_file {
    ($message:ident, $attachment:expr) => {{
        let Attachment { about, file, kind } = $attachment.clone();
        $message {
            url: file.url,
            direct_path: Some(file.direct_path),
            media_key: Some(file.media_key.to_vec()),
            file_sha256: Some(file.sha256.to_vec()),
            file_enc_sha256: Some(file.enc_sha256.to_vec()),
            file_length: Some(file.length),
            mimetype: about.mimetype.or_else(|| Some(kind.mimetype().to_owned())),
            ..$message::default()
        }
    }};
}

/// The same fields, read. A message without them is one that no app shows.
macro_rules! file_of {
    ($message:expr) => {{
        let message = $message;
        let bytes = |field: &Option<Vec<u8>>| field.as_deref()?.try_into().ok();
        RemoteFile {
            direct_path: message.direct_path.clone()?,
            url: message.url.clone(),
            media_key: bytes(&message.media_key)?,
            sha256: bytes(&message.file_sha256)?,
            enc_sha256: bytes(&message.file_enc_sha256)?,
            length: message.file_length?,
        }
    }};
}

/// Writes a message, without padding.
pub(crate) fn encode(attachment: &Attachment, wrap: Option<Wrap>) -> Vec<u8> {
    let message = message_of(attachment);
    let wrapped =
        |message| MessageField::some(FutureProofMessage { message: MessageField::some(message) });
    let message = match wrap {
        None => message,
        Some(Wrap::ViewOnce) => {
            Message { view_once_message_v2: wrapped(message), ..Default::default() }
        }
        Some(Wrap::Ephemeral) => {
            Message { ephemeral_message: wrapped(message), ..Default::default() }
        }
    };
    message_to_vec(&message)
}

fn message_of(attachment: &Attachment) -> Message {
    let About { caption, file_name, width, height, seconds, waveform, thumbnail, .. } =
        attachment.about.clone();
    let kind = attachment.kind;
    let mut message = Message::default();
    match kind {
        Kind::Image => {
            let image = with_file!(ImageMessage, attachment);
            let image = ImageMessage { caption, width, height, jpeg_thumbnail: thumbnail, ..image };
            message.image_message = MessageField::some(image);
        }
        Kind::Video | Kind::Gif | Kind::Ptv => {
            let video = with_file!(VideoMessage, attachment);
            let gif_playback = (kind == Kind::Gif).then_some(true);
            let jpeg_thumbnail = thumbnail;
            let video = VideoMessage {
                caption,
                width,
                height,
                seconds,
                gif_playback,
                jpeg_thumbnail,
                ..video
            };
            let place = if kind == Kind::Ptv {
                &mut message.ptv_message
            } else {
                &mut message.video_message
            };
            *place = MessageField::some(video);
        }
        Kind::Audio | Kind::Voice => {
            let audio = with_file!(AudioMessage, attachment);
            let ptt = (kind == Kind::Voice).then_some(true);
            let audio = AudioMessage { seconds, ptt, waveform, ..audio };
            message.audio_message = MessageField::some(audio);
        }
        Kind::Document => {
            let document = with_file!(DocumentMessage, attachment);
            let has_caption = caption.is_some();
            let document = DocumentMessage {
                caption,
                title: file_name.clone(),
                file_name,
                jpeg_thumbnail: thumbnail,
                ..document
            };
            message.document_message = MessageField::some(document);
            // Ordinary apps put a document with a caption into a wrapper.
            if has_caption {
                let wrapper = FutureProofMessage { message: MessageField::some(message) };
                message = Message {
                    document_with_caption_message: MessageField::some(wrapper),
                    ..Default::default()
                };
            }
        }
        Kind::Sticker => {
            let sticker = with_file!(StickerMessage, attachment);
            let sticker = StickerMessage { width, height, png_thumbnail: thumbnail, ..sticker };
            message.sticker_message = MessageField::some(sticker);
        }
    }
    message
}

/// Reads a message with a file; `None` if it is none, or says too little of its file.
pub(super) fn decode(message: &[u8]) -> Option<Attachment> {
    let mut message = message_decode(message).ok()?;
    if let Some(wrapper) = message.document_with_caption_message.take() {
        message = wrapper.message.into_option()?;
    }
    if let Some(image) = message.image_message.as_option() {
        let about = About {
            mimetype: image.mimetype.clone(),
            caption: image.caption.clone(),
            width: image.width,
            height: image.height,
            thumbnail: image.jpeg_thumbnail.clone(),
            ..About::default()
        };
        return Some(Attachment { kind: Kind::Image, about, file: file_of!(image) });
    }
    if let Some(video) = message.ptv_message.as_option() {
        return Some(Attachment {
            kind: Kind::Ptv,
            about: about_video(video),
            file: file_of!(video),
        });
    }
    if let Some(video) = message.video_message.as_option() {
        let kind = if video.gif_playback == Some(true) { Kind::Gif } else { Kind::Video };
        return Some(Attachment { kind, about: about_video(video), file: file_of!(video) });
    }
    if let Some(audio) = message.audio_message.as_option() {
        let about = About {
            mimetype: audio.mimetype.clone(),
            seconds: audio.seconds,
            waveform: audio.waveform.clone(),
            ..About::default()
        };
        let kind = if audio.ptt == Some(true) { Kind::Voice } else { Kind::Audio };
        return Some(Attachment { kind, about, file: file_of!(audio) });
    }
    if let Some(document) = message.document_message.as_option() {
        let about = About {
            mimetype: document.mimetype.clone(),
            caption: document.caption.clone(),
            file_name: document.file_name.clone().or_else(|| document.title.clone()),
            thumbnail: document.jpeg_thumbnail.clone(),
            ..About::default()
        };
        return Some(Attachment { kind: Kind::Document, about, file: file_of!(document) });
    }
    let sticker = message.sticker_message.as_option()?;
    let about = About {
        mimetype: sticker.mimetype.clone(),
        width: sticker.width,
        height: sticker.height,
        thumbnail: sticker.png_thumbnail.clone(),
        ..About::default()
    };
    Some(Attachment { kind: Kind::Sticker, about, file: file_of!(sticker) })
}

fn about_video(video: &VideoMessage) -> About {
    About {
        mimetype: video.mimetype.clone(),
        caption: video.caption.clone(),
        width: video.width,
        height: video.height,
        seconds: video.seconds,
        thumbnail: video.jpeg_thumbnail.clone(),
        ..About::default()
    }
}
