//! Network → Matrix: a file of a contact, ready to be moved and shown.

use std::fmt;

use causeway_wire::{
    media::MediaKind,
    message::{Media, MediaContent, MediaFile},
};
use ruma::EventId;
use serde_json::{Value, json};

use super::{
    AUDIO_DETAILS, GIF, ROUND, VOICE, kind, name,
    picture::{self, Look, Picture},
    waveform,
};
use crate::domain::{
    ids::RemoteMessageId,
    markup::{self, MatrixText},
    notice::{Content, Notice},
    part::{MESSAGE, Part, STICKER},
    text::quotation,
};

/// A file that a contact sent. `Debug` shows no words, names or keys.
#[derive(Clone, PartialEq, Eq)]
pub struct IncomingMedia {
    media: Media,
    view_once: bool,
}

/// A file that is on the homeserver now, encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The `file` of the event.
    pub file: Value,
    /// The bytes of the file in the clear, as they were counted.
    pub length: u64,
    /// The `thumbnail_file` of the event, if [`IncomingMedia::thumbnail`] was uploaded too.
    pub thumbnail_file: Option<Value>,
}

impl IncomingMedia {
    pub(in crate::domain) fn new(media: Media, view_once: bool) -> Self {
        Self { media, view_once }
    }

    /// Where it is and what opens it.
    pub fn file(&self) -> &MediaFile {
        &self.media.file
    }

    /// Which keys it is encrypted with.
    pub fn keys(&self) -> MediaKind {
        self.media.kind.keys()
    }

    pub fn kind(&self) -> MediaContent {
        self.media.kind
    }

    /// The message that it answers.
    pub fn answers(&self) -> Option<RemoteMessageId> {
        self.media.quote.as_ref().map(|quote| RemoteMessageId(quote.id.clone()))
    }

    /// A small picture that came inside the message, worth moving too. It is one that can be shown.
    pub fn thumbnail(&self) -> Option<&[u8]> {
        picture::look(&self.media.thumbnail_jpeg).map(|_| self.media.thumbnail_jpeg.as_slice())
    }

    /// The events that show it, in order. Without an `answered` event, what it answers stands in its
    /// caption as a quotation.
    pub fn parts(&self, uploaded: &Uploaded, answered: Option<&EventId>) -> Vec<Part> {
        let mut texts = self.words(answered).map_or(Vec::new(), |words| {
            let mut texts = markup::to_matrix_parts(&words);
            texts.reverse();
            texts
        });
        let caption = if self.is_sticker() { None } else { texts.pop() };
        let mark = self.view_once.then(|| Part::notice(&Notice::Content(Content::ViewOnce)));
        let file = self.part(uploaded, caption.as_ref()).answering(answered);
        let rest = texts.iter().rev().map(Part::text);
        mark.into_iter().chain([file]).chain(rest).collect()
    }

    /// The events that stand for it when it could not be moved: why, and the words that came with it.
    pub fn without_file(&self, why: &Notice, answered: Option<&EventId>) -> Vec<Part> {
        let words = self.words(answered);
        let texts = words.map_or(Vec::new(), |words| markup::to_matrix_parts(&words));
        let why = Part::notice(why).answering(answered);
        std::iter::once(why).chain(texts.iter().map(Part::text)).collect()
    }

    fn words(&self, answered: Option<&EventId>) -> Option<String> {
        let quoted = self.media.quote.as_ref().and_then(|quote| quote.text.as_deref());
        let caption = self.media.caption.as_deref();
        match (answered, quoted) {
            (None, Some(quoted)) => {
                Some(format!("{}{}", quotation(quoted), caption.unwrap_or_default()))
            }
            _ => caption.map(str::to_owned),
        }
    }

    fn mimetype(&self) -> &str {
        kind::shown_type(self.media.kind, &self.media.mimetype)
    }

    /// A sticker that is a picture. Others move in formats of the network's own.
    fn is_sticker(&self) -> bool {
        matches!(self.media.kind, MediaContent::Sticker { .. })
            && self.mimetype().starts_with("image/")
    }

    fn part(&self, uploaded: &Uploaded, caption: Option<&MatrixText>) -> Part {
        let kind = self.media.kind;
        let name = self.media.file_name.as_deref().and_then(name::clean);
        let name = name.unwrap_or_else(|| name::default_name(kind.name(), self.mimetype()));
        let mut content = json!({"file": uploaded.file, "info": self.info(uploaded)});
        if self.is_sticker() {
            content["body"] = json!("Sticker");
            return Part { event_type: STICKER, content };
        }
        content["msgtype"] = json!(match kind {
            MediaContent::Image => "m.image",
            MediaContent::Video { .. } => "m.video",
            MediaContent::Audio { .. } => "m.audio",
            MediaContent::Document | MediaContent::Sticker { .. } => "m.file",
        });
        content["body"] = json!(caption.map_or(name.as_str(), |caption| &caption.body));
        content["filename"] = json!(name);
        if let Some(formatted) = caption.and_then(|caption| caption.formatted_body.as_ref()) {
            content["format"] = json!("org.matrix.custom.html");
            content["formatted_body"] = json!(formatted);
        }
        if kind == (MediaContent::Audio { voice: true }) {
            content[VOICE] = json!({});
            let waveform = waveform::to_matrix(&self.media.waveform);
            content[AUDIO_DETAILS] = json!({"duration": self.millis(), "waveform": waveform});
        }
        Part { event_type: MESSAGE, content }
    }

    fn info(&self, uploaded: &Uploaded) -> Value {
        let Media { kind, width, height, .. } = self.media;
        let mut info = json!({"mimetype": self.mimetype(), "size": uploaded.length});
        for (field, count) in
            [("w", width.into()), ("h", height.into()), ("duration", self.millis())]
        {
            if count > 0 {
                info[field] = json!(count);
            }
        }
        if let MediaContent::Video { gif: true, .. } = kind {
            for mark in [GIF, "fi.mau.loop", "fi.mau.autoplay", "fi.mau.hide_controls"] {
                info[mark] = json!(true);
            }
            info["fi.mau.no_audio"] = json!(true);
        }
        if let MediaContent::Video { round: true, .. } = kind {
            info[ROUND] = json!(true);
        }
        if let MediaContent::Sticker { animated: true } = kind {
            info["is_animated"] = json!(true);
            info["org.matrix.msc4230.is_animated"] = json!(true);
        }
        self.add_thumbnail(&mut info, uploaded);
        info
    }

    fn add_thumbnail(&self, info: &mut Value, uploaded: &Uploaded) {
        let bytes = &self.media.thumbnail_jpeg;
        let Some(Look { format, width, height }) = picture::look(bytes) else { return };
        if let Some(blur) = Picture::decode(bytes).and_then(|picture| picture.blurhash()) {
            info["xyz.amorgan.blurhash"] = json!(blur);
        }
        if let Some(file) = &uploaded.thumbnail_file {
            info["thumbnail_file"] = file.clone();
            let mimetype = format.mimetype();
            info["thumbnail_info"] =
                json!({"mimetype": mimetype, "size": bytes.len(), "w": width, "h": height});
        }
    }

    fn millis(&self) -> u64 {
        u64::from(self.media.seconds) * 1000
    }
}

impl fmt::Debug for IncomingMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingMedia")
            .field("media", &self.media)
            .field("view_once", &self.view_once)
            .finish()
    }
}

impl fmt::Debug for Uploaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploaded").field("length", &self.length).finish_non_exhaustive()
    }
}
