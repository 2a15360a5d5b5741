//! Matrix → network: a file of an event, ready to be moved and sent.

use std::fmt;

use causeway_wire::{
    media::MediaKind,
    message::{Media, MediaContent, MediaFile, MessageError},
};
use ruma::OwnedMxcUri;
use serde_json::Value;

use super::{
    AUDIO_DETAILS, IMAGES, MediaLoss,
    kind::{self, Decision},
    name,
    picture::{self, Look, Picture, PictureFormat},
    waveform,
};
use crate::domain::{
    limits,
    markup::{self, TooLong},
    notice::{Content, Notice},
    text::{NetworkMessage, Quoted},
};

/// How an event says that it is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Image,
    Video,
    Audio,
    File,
    Sticker,
}

/// Where a file is.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The `file` of an event, with its keys, unparsed (client-server API, "Sending encrypted
    /// attachments").
    Encrypted(Value),
    /// Not encrypted. Sticker packs are published, so that is how stickers come even in encrypted
    /// rooms.
    Plain(OwnedMxcUri),
}

/// Whether a file must be seen whole before it is encrypted for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// No: it passes as it is, whatever its size.
    Stream,
    /// Yes, in the clear and up to so many bytes: then [`OutgoingMedia::seen`], which may change it.
    /// If it turns out to have more: [`OutgoingMedia::unseen`], and it passes as it is.
    Whole { bytes_max: u64 },
}

/// A file to send, with everything that is said with it. `Debug` shows no words, names or keys.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingMedia {
    shape: Shape,
    source: Source,
    thumbnail_source: Option<Source>,
    length: Option<u64>,
    kind: MediaContent,
    mimetype: String,
    caption: Option<String>,
    name: Option<String>,
    width: u32,
    height: u32,
    seconds: u32,
    waveform: Vec<u8>,
    thumbnail_jpeg: Vec<u8>,
    is_unseen_picture: bool,
    losses: Vec<MediaLoss>,
}

impl OutgoingMedia {
    /// Reads the content of an event; without an answer's old fallback, which no file has. An error is what
    /// the person is told.
    pub fn read(shape: Shape, content: &Value) -> Result<Self, Notice> {
        let source =
            source(content, "file", "url").ok_or(Notice::Content(Content::FileWithoutAddress))?;
        let info = &content["info"];
        let (name, caption) = words(shape, content)?;
        let Decision { kind, mimetype, losses } = kind::decide(shape, content, caption.is_some());
        let is_sound = matches!(kind, MediaContent::Audio { .. });
        let length = info["size"].as_u64();
        let media = Self {
            shape,
            source,
            thumbnail_source: (!is_sound).then(|| thumbnail_source(info)).flatten(),
            length,
            kind,
            mimetype,
            caption: caption.filter(|_| !is_sound),
            name,
            width: pixels(&info["w"]),
            height: pixels(&info["h"]),
            seconds: seconds(content),
            waveform: if kind == (MediaContent::Audio { voice: true }) {
                voice_waveform(content)
            } else {
                Vec::new()
            },
            thumbnail_jpeg: Vec::new(),
            is_unseen_picture: kind == MediaContent::Image,
            losses,
        };
        let too_large = length.is_some_and(|length| length > limits::PICTURE_BYTES_MAX);
        Ok(if too_large { media.unseen() } else { media })
    }

    /// Where the file is.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A small picture that the sender's client made; at most [`limits::THUMBNAIL_SOURCE_BYTES_MAX`],
    /// as it says. Worth fetching for [`Self::add_thumbnail`], and the file is sent without it if that
    /// fails.
    pub fn thumbnail_source(&self) -> Option<&Source> {
        self.thumbnail_source.as_ref()
    }

    /// The bytes of the file, as the sender's client says.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// What it becomes, if it is not seen to be something else.
    pub fn kind(&self) -> MediaContent {
        self.kind
    }

    /// Which keys it is encrypted with; only settled once it is seen.
    pub fn keys(&self) -> MediaKind {
        self.kind.keys()
    }

    pub fn losses(&self) -> &[MediaLoss] {
        &self.losses
    }

    /// Whether it must be seen before it is encrypted.
    pub fn reading(&self) -> Reading {
        if self.is_unseen_picture {
            Reading::Whole { bytes_max: limits::PICTURE_BYTES_MAX }
        } else {
            Reading::Stream
        }
    }

    /// Takes the picture that the sender's client made, in the clear. What is none is left out.
    pub fn add_thumbnail(&mut self, bytes: &[u8]) {
        if let Some(small) = Picture::decode(bytes).and_then(|picture| picture.thumbnail()) {
            self.thumbnail_jpeg = small;
        }
    }

    /// Looks at a picture and returns what is to be sent instead of it: mostly the same bytes. Takes
    /// time and memory ([`limits::PICTURE_UNFOLDED_BYTES_MAX`]): not for a thread that others wait
    /// for.
    #[must_use]
    pub fn seen(mut self, bytes: Vec<u8>) -> (Self, Vec<u8>) {
        self.is_unseen_picture = false;
        let Some(Look { format, width, height }) = picture::look(&bytes) else {
            return (self.into_document(), bytes);
        };
        format.mimetype().clone_into(&mut self.mimetype);
        if matches!(format, PictureFormat::Jpeg | PictureFormat::Png) {
            (self.width, self.height) = (width, height);
            if self.thumbnail_jpeg.is_empty() {
                self.add_thumbnail(&bytes);
            }
            return (self, bytes);
        }
        let moves = picture::is_animated(&bytes, format);
        let still = Picture::decode(&bytes);
        if self.thumbnail_jpeg.is_empty() {
            let small = still.as_ref().and_then(Picture::thumbnail);
            self.thumbnail_jpeg = small.unwrap_or_default();
        }
        let convertible = still.filter(|_| !moves || self.shape == Shape::Sticker);
        let Some(converted) = convertible.and_then(Picture::convert) else {
            return (self.into_document(), bytes);
        };
        converted.format.mimetype().clone_into(&mut self.mimetype);
        (self.width, self.height) = (width, height);
        self.losses.extend(moves.then_some(MediaLoss::Still));
        (self, converted.bytes)
    }

    /// What becomes of a picture that is too large to be looked at.
    #[must_use]
    pub fn unseen(mut self) -> Self {
        let passes = !self.is_unseen_picture || IMAGES.contains(&self.mimetype.as_str());
        self.is_unseen_picture = false;
        if passes { self } else { self.into_document() }
    }

    fn into_document(mut self) -> Self {
        self.kind = MediaContent::Document;
        self.losses.push(MediaLoss::AsDocument);
        self
    }

    /// What the person is told did not come along.
    pub fn notices(&self) -> Vec<Notice> {
        let told = self
            .losses
            .contains(&MediaLoss::Caption)
            .then_some(Notice::Content(Content::CaptionLeftOut));
        told.into_iter().collect()
    }

    /// The message, once the file is hosted. An error means that the network does not take the file as
    /// it was moved: too long, or without a path.
    pub fn message(
        self,
        file: MediaFile,
        quote: Option<&Quoted>,
    ) -> Result<NetworkMessage, MessageError> {
        let kind = self.kind;
        let is_document = kind == MediaContent::Document;
        let name = match self.name {
            Some(name) if self.losses.contains(&MediaLoss::AsDocument) => {
                name::clean(&name::with_ending(name, &self.mimetype))
            }
            Some(name) => Some(name),
            None => Some(name::default_name("file", &self.mimetype)),
        };
        let sized = |count: u32| if is_document { 0 } else { count };
        let media = Media {
            kind,
            file,
            mimetype: self.mimetype,
            caption: self.caption,
            file_name: name.filter(|_| is_document),
            width: sized(self.width),
            height: sized(self.height),
            seconds: sized(self.seconds),
            waveform: self.waveform,
            thumbnail_jpeg: self.thumbnail_jpeg,
            quote: quote.map(Quoted::to_wire),
        };
        media.check()?;
        Ok(NetworkMessage::Media(Box::new(media)))
    }
}

/// The words with a file, as the network takes them.
pub fn caption(shape: Shape, content: &Value) -> Result<Option<String>, Notice> {
    Ok(words(shape, content)?.1)
}

/// The name of a file and the words with it: `body` is either (MSC2530).
fn words(shape: Shape, content: &Value) -> Result<(Option<String>, Option<String>), Notice> {
    let body = content["body"].as_str().unwrap_or_default();
    let file_name = content["filename"].as_str().filter(|name| !name.is_empty());
    let Some(file_name) = file_name.filter(|name| *name != body && shape != Shape::Sticker) else {
        let name = (shape != Shape::Sticker).then(|| name::clean(body)).flatten();
        return Ok((name, None));
    };
    let formatted = (content["format"] == "org.matrix.custom.html")
        .then(|| content["formatted_body"].as_str())
        .flatten();
    let caption = markup::to_network(body, formatted)
        .map_err(|TooLong { chars, max }| Notice::TooLong { chars, max })?;
    let caption = Some(caption.text).filter(|text| !text.trim().is_empty());
    Ok((name::clean(file_name), caption))
}

fn source(object: &Value, file: &str, url: &str) -> Option<Source> {
    if object[file].is_object() {
        return Some(Source::Encrypted(object[file].clone()));
    }
    let url = OwnedMxcUri::from(object[url].as_str()?);
    url.is_valid().then_some(Source::Plain(url))
}

fn thumbnail_source(info: &Value) -> Option<Source> {
    let claimed = info["thumbnail_info"]["size"].as_u64();
    let small = claimed.is_none_or(|bytes| bytes <= limits::THUMBNAIL_SOURCE_BYTES_MAX);
    small.then(|| source(info, "thumbnail_file", "thumbnail_url")).flatten()
}

fn pixels(value: &Value) -> u32 {
    value.as_u64().and_then(|pixels| pixels.try_into().ok()).unwrap_or(0)
}

/// At least one if anything is said: a sound of no length cannot be played.
fn seconds(content: &Value) -> u32 {
    let millis = [&content["info"]["duration"], &content[AUDIO_DETAILS]["duration"]];
    let millis = millis.into_iter().find_map(Value::as_u64);
    millis.and_then(|millis| millis.div_ceil(1000).try_into().ok()).unwrap_or(0)
}

/// In either form that the samples have had (MSC1767, MSC3246).
fn voice_waveform(content: &Value) -> Vec<u8> {
    let forms = [
        (AUDIO_DETAILS, 1024),
        ("org.matrix.msc1767.audio_details", 256),
        ("m.audio_details", 256),
    ];
    let read = |(name, full): (&str, u64)| {
        let samples = content[name]["waveform"].as_array()?;
        let samples: Vec<u64> = samples.iter().filter_map(Value::as_u64).collect();
        (!samples.is_empty()).then(|| waveform::to_network(&samples, full))
    };
    forms.into_iter().find_map(read).unwrap_or_default()
}

impl fmt::Debug for OutgoingMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMedia")
            .field("shape", &self.shape)
            .field("kind", &self.kind)
            .field("length", &self.length)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted(_) => "Encrypted(…)",
            Self::Plain(_) => "Plain(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mimetype: &str, bytes: u64, info: &Value) -> OutgoingMedia {
        let mut content = json!({"msgtype": "m.image", "body": "a", "file": {"url": "mxc://a.b/c"},
            "info": {"mimetype": mimetype, "size": bytes}});
        for (name, value) in info.as_object().unwrap() {
            content["info"][name] = value.clone();
        }
        OutgoingMedia::read(Shape::Image, &content).unwrap()
    }

    #[test]
    fn a_picture_is_looked_at_up_to_the_limit() {
        let bytes_max = limits::PICTURE_BYTES_MAX;
        let decided = |mimetype, bytes| {
            let media = read(mimetype, bytes, &json!({}));
            (media.reading(), media.kind())
        };
        let whole = Reading::Whole { bytes_max };
        assert_eq!(decided("image/webp", bytes_max), (whole, MediaContent::Image));
        assert_eq!(decided("image/webp", bytes_max + 1), (Reading::Stream, MediaContent::Document));
        assert_eq!(decided("image/jpeg", bytes_max + 1), (Reading::Stream, MediaContent::Image));
    }

    #[test]
    fn a_picture_that_was_larger_than_said_passes_as_it_is() {
        let media = read("image/png", 10, &json!({})).unseen();
        assert_eq!((media.reading(), media.kind()), (Reading::Stream, MediaContent::Image));
        assert!(media.losses().is_empty());
        let media = read("image/webp", 10, &json!({})).unseen();
        assert_eq!((media.reading(), media.kind()), (Reading::Stream, MediaContent::Document));
        assert_eq!(media.losses(), [MediaLoss::AsDocument]);
    }

    #[test]
    fn a_thumbnail_is_fetched_up_to_the_limit() {
        let source = |bytes: u64| {
            let info = json!({"thumbnail_file": {"url": "mxc://a.b/d"},
                "thumbnail_info": {"size": bytes}});
            read("image/png", 10, &info).thumbnail_source().cloned()
        };
        let expected = Source::Encrypted(json!({"url": "mxc://a.b/d"}));
        assert!(source(limits::THUMBNAIL_SOURCE_BYTES_MAX) == Some(expected));
        assert!(source(limits::THUMBNAIL_SOURCE_BYTES_MAX + 1).is_none());
    }

    #[test]
    fn a_file_is_somewhere() {
        let read = |content: &Value| OutgoingMedia::read(Shape::File, content).err();
        for nowhere in [
            json!({"body": "a"}),
            json!({"file": "x"}),
            json!({"url": "https://example.org/a"}),
            json!({"url": "mxc://"}),
            json!([]),
        ] {
            assert_eq!(
                read(&nowhere),
                Some(Notice::Content(Content::FileWithoutAddress)),
                "{nowhere}"
            );
        }
        assert_eq!(read(&json!({"url": "mxc://a.b/c"})), None);
    }

    #[test]
    fn words_are_as_long_as_a_text_may_be() {
        let with_words = |chars: usize| {
            let content = json!({"body": "ü".repeat(chars), "filename": "a.pdf",
                "file": {"url": "mxc://a.b/c"}});
            OutgoingMedia::read(Shape::File, &content)
        };
        let max = markup::NETWORK_TEXT_CHARS_MAX;
        let media = with_words(max).unwrap();
        let file = MediaFile {
            direct_path: "/a/".to_owned(),
            url: None,
            media_key: [1; 32],
            media_key_at: 1,
            sha256: [2; 32],
            enc_sha256: [3; 32],
            length: 5,
        };
        assert!(media.clone().message(file.clone(), None).is_ok());
        assert_eq!(with_words(max + 1).err(), Some(Notice::TooLong { chars: max + 1, max }));
        let nowhere = MediaFile { direct_path: String::new(), ..file };
        assert!(media.message(nowhere, None).is_err());
    }

    #[test]
    fn debug_shows_nothing_of_a_file() {
        let content = json!({"body": "secret words", "filename": "secret.pdf",
            "file": {"url": "mxc://a.b/secret", "key": {"k": "secret"}}});
        let media = OutgoingMedia::read(Shape::File, &content).unwrap();
        let shown = format!("{media:?} {:?}", media.source());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
