//! Reading a file out of its message. Each kind has the same fields under other numbers.

use waproto::tags::message as tags;

use super::{
    super::{Described, MessageContent, MessageError, fields::Fields, quote},
    MAX_THUMBNAIL_BYTES, Media, MediaContent, MediaFile,
};

/// Stands for a field that a kind does not have: no field has this number.
const NONE: u32 = 0;

/// The numbers of one kind's fields.
struct Numbers {
    url: u32,
    direct_path: u32,
    media_key: u32,
    media_key_at: u32,
    sha256: u32,
    enc_sha256: u32,
    length: u32,
    mimetype: u32,
    caption: u32,
    file_name: u32,
    title: u32,
    width: u32,
    height: u32,
    seconds: u32,
    waveform: u32,
    thumbnail: u32,
    view_once: u32,
}

const NO_NUMBERS: Numbers = Numbers {
    url: NONE,
    direct_path: NONE,
    media_key: NONE,
    media_key_at: NONE,
    sha256: NONE,
    enc_sha256: NONE,
    length: NONE,
    mimetype: NONE,
    caption: NONE,
    file_name: NONE,
    title: NONE,
    width: NONE,
    height: NONE,
    seconds: NONE,
    waveform: NONE,
    thumbnail: NONE,
    view_once: NONE,
};

/// The numbers that each kind's module of `tags` has under the same names, and those that it has
/// beside them.
macro_rules! numbers {
    ($kind:ident, $($field:ident: $number:ident),*) => {
        Numbers {
            url: tags::$kind::URL,
            direct_path: tags::$kind::DIRECT_PATH,
            media_key: tags::$kind::MEDIA_KEY,
            media_key_at: tags::$kind::MEDIA_KEY_TIMESTAMP,
            sha256: tags::$kind::FILE_SHA256,
            enc_sha256: tags::$kind::FILE_ENC_SHA256,
            length: tags::$kind::FILE_LENGTH,
            mimetype: tags::$kind::MIMETYPE,
            $($field: tags::$kind::$number,)*
            ..NO_NUMBERS
        }
    };
}

const IMAGE: Numbers = numbers!(
    image_message,
    caption: CAPTION, width: WIDTH, height: HEIGHT, thumbnail: JPEG_THUMBNAIL, view_once: VIEW_ONCE
);
const VIDEO: Numbers = numbers!(
    video_message,
    caption: CAPTION, width: WIDTH, height: HEIGHT, seconds: SECONDS, thumbnail: JPEG_THUMBNAIL,
    view_once: VIEW_ONCE
);
const AUDIO: Numbers =
    numbers!(audio_message, seconds: SECONDS, waveform: WAVEFORM, view_once: VIEW_ONCE);
const DOCUMENT: Numbers = numbers!(
    document_message,
    caption: CAPTION, file_name: FILE_NAME, title: TITLE, thumbnail: JPEG_THUMBNAIL
);
const STICKER: Numbers = numbers!(sticker_message, width: WIDTH, height: HEIGHT);

/// Every kind of file has its context under this number.
const CONTEXT: u32 = tags::image_message::CONTEXT_INFO;
const _: () = assert!(
    tags::video_message::CONTEXT_INFO == CONTEXT
        && tags::audio_message::CONTEXT_INFO == CONTEXT
        && tags::document_message::CONTEXT_INFO == CONTEXT
        && tags::sticker_message::CONTEXT_INFO == CONTEXT,
    "one number for every kind"
);

/// A file of the kind that the field `number` of a message holds, and whether it asks to be seen
/// once. A file that nobody could fetch and check is named with what is said beside it.
pub(in super::super) fn read(
    number: u32,
    bytes: &[u8],
) -> Result<(MessageContent, bool), MessageError> {
    let fields = Fields::read(bytes)?;
    let (kind, numbers) = kind(number, fields);
    let once = fields.flag(numbers.view_once);
    let caption = fields.text(numbers.caption);
    let Some(file) = file(fields, &numbers) else {
        return Ok((Described::content(kind.name(), caption.into_iter().collect()), once));
    };
    let media = Media {
        kind,
        file,
        mimetype: fields.text(numbers.mimetype).unwrap_or_default(),
        caption,
        file_name: fields.text(numbers.file_name).or_else(|| fields.text(numbers.title)),
        width: fields.count(numbers.width),
        height: fields.count(numbers.height),
        seconds: fields.count(numbers.seconds),
        waveform: fields.bytes(numbers.waveform).to_vec(),
        thumbnail_jpeg: thumbnail(fields.bytes(numbers.thumbnail)),
        quote: quote::read(fields.bytes(CONTEXT)),
    };
    Ok((MessageContent::Media(Box::new(media)), once))
}

/// The text with a file that is quoted.
pub(in super::super) fn caption(number: u32, bytes: &[u8]) -> Option<String> {
    let fields = Fields::read(bytes).ok()?;
    fields.text(kind(number, fields).1.caption)
}

fn kind(number: u32, fields: Fields<'_>) -> (MediaContent, Numbers) {
    match number {
        tags::IMAGE_MESSAGE => (MediaContent::Image, IMAGE),
        tags::VIDEO_MESSAGE => {
            let gif = fields.flag(tags::video_message::GIF_PLAYBACK);
            (MediaContent::Video { gif, round: false }, VIDEO)
        }
        tags::PTV_MESSAGE => (MediaContent::Video { gif: false, round: true }, VIDEO),
        tags::AUDIO_MESSAGE => {
            let voice = fields.flag(tags::audio_message::PTT);
            (MediaContent::Audio { voice }, AUDIO)
        }
        tags::STICKER_MESSAGE => {
            let animated = fields.flag(tags::sticker_message::IS_ANIMATED)
                || fields.flag(tags::sticker_message::IS_LOTTIE);
            (MediaContent::Sticker { animated }, STICKER)
        }
        _ => (MediaContent::Document, DOCUMENT),
    }
}

fn file(fields: Fields<'_>, numbers: &Numbers) -> Option<MediaFile> {
    let direct_path = fields.text(numbers.direct_path);
    let url = fields.text(numbers.url);
    if direct_path.is_none() && url.is_none() {
        return None;
    }
    Some(MediaFile {
        direct_path: direct_path.unwrap_or_default(),
        url,
        media_key: fields.bytes(numbers.media_key).try_into().ok()?,
        media_key_at: fields.number(numbers.media_key_at).try_into().unwrap_or(0),
        sha256: fields.bytes(numbers.sha256).try_into().ok()?,
        enc_sha256: fields.bytes(numbers.enc_sha256).try_into().ok()?,
        length: fields.number(numbers.length),
    })
}

fn thumbnail(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() > MAX_THUMBNAIL_BYTES { Vec::new() } else { bytes.to_vec() }
}
