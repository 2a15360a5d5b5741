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
    limits,
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
        self.small_picture().map(|_| self.media.thumbnail_jpeg.as_slice())
    }

    /// A few bytes can be a very large picture of nothing; that is no thumbnail.
    fn small_picture(&self) -> Option<Look> {
        let look = picture::look(&self.media.thumbnail_jpeg)?;
        let side = look.width.max(look.height);
        (side <= limits::RECEIVED_THUMBNAIL_PIXELS_MAX).then_some(look)
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
        let Some(Look { format, width, height }) = self.small_picture() else { return };
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    fn incoming(thumbnail_jpeg: Vec<u8>, caption: Option<String>) -> IncomingMedia {
        let file = MediaFile {
            direct_path: "/v/secret".to_owned(),
            url: None,
            media_key: [1; 32],
            media_key_at: 0,
            sha256: [2; 32],
            enc_sha256: [3; 32],
            length: 5,
        };
        let media = Media {
            kind: MediaContent::Image,
            file,
            mimetype: "image/jpeg".to_owned(),
            caption,
            file_name: None,
            width: 0,
            height: 0,
            seconds: 0,
            waveform: Vec::new(),
            thumbnail_jpeg,
            quote: None,
        };
        IncomingMedia::new(media, false)
    }

    fn uploaded() -> Uploaded {
        Uploaded { file: json!("file"), length: 5, thumbnail_file: Some(json!("thumbnail")) }
    }

    #[test]
    fn a_thumbnail_is_small() {
        let line = |width| {
            let mut bytes = Cursor::new(Vec::new());
            DynamicImage::new_rgb8(width, 1).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
            incoming(bytes.into_inner(), None)
        };
        let info =
            |media: &IncomingMedia| media.parts(&uploaded(), None)[0].content["info"].clone();
        let largest = line(limits::RECEIVED_THUMBNAIL_PIXELS_MAX);
        assert!(largest.thumbnail().is_some());
        assert_eq!(info(&largest)["thumbnail_file"], "thumbnail");
        let past = line(limits::RECEIVED_THUMBNAIL_PIXELS_MAX + 1);
        assert!(past.thumbnail().is_none());
        assert_eq!(info(&past), json!({"mimetype": "image/jpeg", "size": 5}));
        assert!(incoming(b"no picture".to_vec(), None).thumbnail().is_none());
    }

    #[test]
    fn words_that_do_not_fit_beside_the_file_follow_it() {
        let words = "word ".repeat(10_000);
        let parts = incoming(Vec::new(), Some(words.clone())).parts(&uploaded(), None);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].content["msgtype"], "m.image");
        assert_eq!(parts[1].content["msgtype"], "m.text");
        let body = |part: &Part| part.content["body"].as_str().unwrap().to_owned();
        assert_eq!(parts.iter().map(body).collect::<String>(), words);
    }

    #[test]
    fn words_are_shown_though_the_file_is_lost() {
        let why = Notice::MessageUndecryptable;
        let event = ruma::event_id!("$1");
        let parts = incoming(Vec::new(), Some("look".to_owned())).without_file(&why, Some(event));
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].content["body"], why.text());
        assert_eq!(parts[0].content["m.relates_to"]["m.in_reply_to"]["event_id"], "$1");
        assert_eq!(parts[1].content["body"], "look");
        assert_eq!(incoming(Vec::new(), None).without_file(&why, None).len(), 1);
    }

    #[test]
    fn debug_shows_nothing_of_a_file() {
        let media = incoming(Vec::new(), Some("secret".to_owned()));
        let shown = format!("{media:?} {:?}", media.parts(&uploaded(), None));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
