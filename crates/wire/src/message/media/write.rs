//! Writing a message for a file that we host. Strict: what a partner's client may send is not public
//! in full, so nothing leaves that the ordinary apps would not send (network facts 2.5).

use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    whatsapp::{
        ContextInfo, Message,
        message::{AudioMessage, DocumentMessage, ImageMessage, VideoMessage},
    },
};

use super::{
    super::{MessageError, check_text, quote},
    MAX_FILE_NAME_CHARS, MAX_THUMBNAIL_BYTES, MAX_WAVEFORM_BYTES, Media, MediaContent,
};
use crate::media::MAX_MEDIA_BYTES;

/// Writes the message for a file, without padding. Only the path is sent of where the file is: the
/// contact's app knows the host (network facts 1.7).
pub fn encode_media(media: &Media) -> Result<Vec<u8>, MessageError> {
    media.check()?;
    let context = match &media.quote {
        Some(quote) => MessageField::some(quote::context(quote)?),
        None => MessageField::default(),
    };
    let message = match media.kind {
        MediaContent::Image => {
            let image = MessageField::some(image(media, context));
            Message { image_message: image, ..Default::default() }
        }
        MediaContent::Video { gif, round } => {
            let video = MessageField::some(video(media, gif, context));
            if round {
                Message { ptv_message: video, ..Default::default() }
            } else {
                Message { video_message: video, ..Default::default() }
            }
        }
        MediaContent::Audio { voice } => {
            let audio = MessageField::some(audio(media, voice, context));
            Message { audio_message: audio, ..Default::default() }
        }
        MediaContent::Document => {
            let document = MessageField::some(document(media, context));
            Message { document_message: document, ..Default::default() }
        }
        MediaContent::Sticker { .. } => return Err(MessageError::NotSent("a sticker")),
    };
    Ok(message_to_vec(&message))
}

impl Media {
    /// Whether it can be sent as it is.
    pub fn check(&self) -> Result<(), MessageError> {
        let Media { file, mimetype, caption, file_name, waveform, thumbnail_jpeg, kind, .. } = self;
        let is_picture = matches!(mimetype.as_str(), "image/jpeg" | "image/png");
        let faults = [
            (file.direct_path.is_empty(), "a file without a path"),
            (file.url.is_some(), "a file with an address"),
            (file.length > MAX_MEDIA_BYTES, "a file that is too long"),
            (mimetype.is_empty(), "a file without a type"),
            (*kind == MediaContent::Image && !is_picture, "an image that is neither JPEG nor PNG"),
            (waveform.len() > MAX_WAVEFORM_BYTES, "a waveform that is too long"),
            (thumbnail_jpeg.len() > MAX_THUMBNAIL_BYTES, "a thumbnail that is too large"),
            (
                file_name.as_ref().is_some_and(|name| name.chars().count() > MAX_FILE_NAME_CHARS),
                "a file name that is too long",
            ),
        ];
        if let Some((_, fault)) = faults.into_iter().find(|(is_so, _)| *is_so) {
            return Err(MessageError::NotSent(fault));
        }
        check_text(caption.as_deref().unwrap_or_default())
    }
}

fn image(media: &Media, context_info: MessageField<ContextInfo>) -> ImageMessage {
    let file = &media.file;
    ImageMessage {
        mimetype: Some(media.mimetype.clone()),
        caption: media.caption.clone(),
        file_sha256: Some(file.sha256.to_vec()),
        file_length: Some(file.length),
        height: known(media.height),
        width: known(media.width),
        media_key: Some(file.media_key.to_vec()),
        file_enc_sha256: Some(file.enc_sha256.to_vec()),
        direct_path: Some(file.direct_path.clone()),
        media_key_timestamp: Some(file.media_key_at),
        jpeg_thumbnail: present(&media.thumbnail_jpeg),
        context_info,
        ..Default::default()
    }
}

fn video(media: &Media, gif: bool, context_info: MessageField<ContextInfo>) -> VideoMessage {
    let file = &media.file;
    VideoMessage {
        mimetype: Some(media.mimetype.clone()),
        file_sha256: Some(file.sha256.to_vec()),
        file_length: Some(file.length),
        seconds: known(media.seconds),
        media_key: Some(file.media_key.to_vec()),
        caption: media.caption.clone(),
        gif_playback: gif.then_some(true),
        height: known(media.height),
        width: known(media.width),
        file_enc_sha256: Some(file.enc_sha256.to_vec()),
        direct_path: Some(file.direct_path.clone()),
        media_key_timestamp: Some(file.media_key_at),
        jpeg_thumbnail: present(&media.thumbnail_jpeg),
        context_info,
        ..Default::default()
    }
}

fn audio(media: &Media, voice: bool, context_info: MessageField<ContextInfo>) -> AudioMessage {
    let file = &media.file;
    AudioMessage {
        mimetype: Some(media.mimetype.clone()),
        file_sha256: Some(file.sha256.to_vec()),
        file_length: Some(file.length),
        seconds: known(media.seconds),
        ptt: Some(voice),
        media_key: Some(file.media_key.to_vec()),
        file_enc_sha256: Some(file.enc_sha256.to_vec()),
        direct_path: Some(file.direct_path.clone()),
        media_key_timestamp: Some(file.media_key_at),
        waveform: present(&media.waveform),
        context_info,
        ..Default::default()
    }
}

fn document(media: &Media, context_info: MessageField<ContextInfo>) -> DocumentMessage {
    let file = &media.file;
    DocumentMessage {
        mimetype: Some(media.mimetype.clone()),
        title: media.file_name.clone(),
        file_sha256: Some(file.sha256.to_vec()),
        file_length: Some(file.length),
        media_key: Some(file.media_key.to_vec()),
        file_name: media.file_name.clone(),
        file_enc_sha256: Some(file.enc_sha256.to_vec()),
        direct_path: Some(file.direct_path.clone()),
        media_key_timestamp: Some(file.media_key_at),
        jpeg_thumbnail: present(&media.thumbnail_jpeg),
        context_info,
        caption: media.caption.clone(),
        ..Default::default()
    }
}

fn known(count: u32) -> Option<u32> {
    (count > 0).then_some(count)
}

fn present(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then(|| bytes.to_vec())
}
