use proptest::{collection::vec, prelude::*};
use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    whatsapp::{
        Message,
        message::{AudioMessage, FutureProofMessage, ImageMessage, StickerMessage},
    },
};

use super::*;
use crate::{
    media::MAX_MEDIA_BYTES,
    message::{Described, Incoming, MAX_TEXT_CHARS, MessageContent, MessageError, decode},
    stanza::Personal,
};

type Change = fn(&mut Media);

const EVERY_KIND: [MediaContent; 8] = [
    MediaContent::Image,
    MediaContent::Video { gif: false, round: false },
    MediaContent::Video { gif: true, round: false },
    MediaContent::Video { gif: false, round: true },
    MediaContent::Audio { voice: false },
    MediaContent::Audio { voice: true },
    MediaContent::Document,
    MediaContent::Sticker { animated: true },
];

fn file() -> MediaFile {
    MediaFile {
        direct_path: "/interop/whatsapp/download/12/abc/".to_owned(),
        url: None,
        media_key: [1; 32],
        media_key_at: 1_700_000_000,
        sha256: [2; 32],
        enc_sha256: [3; 32],
        length: 12_345,
    }
}

fn media(kind: MediaContent) -> Media {
    Media {
        kind,
        file: file(),
        mimetype: "image/jpeg".to_owned(),
        caption: None,
        file_name: None,
        width: 0,
        height: 0,
        seconds: 0,
        waveform: Vec::new(),
        thumbnail_jpeg: Vec::new(),
        quote: None,
    }
}

/// Everything that a kind can say.
fn rich(kind: MediaContent) -> Media {
    let quote = Quote {
        id: "ABC".to_owned(),
        sender: Some(Personal("4912345@s.whatsapp.net".to_owned())),
        text: Some("old".to_owned()),
    };
    let plain = Media { quote: Some(quote), ..media(kind) };
    let words = Media { caption: Some("*look*".to_owned()), thumbnail_jpeg: vec![9; 50], ..plain };
    match kind {
        MediaContent::Image => Media { width: 640, height: 480, ..words },
        MediaContent::Video { .. } => Media { width: 640, height: 480, seconds: 7, ..words },
        MediaContent::Document => Media { file_name: Some("a.pdf".to_owned()), ..words },
        MediaContent::Audio { .. } => Media {
            caption: None,
            thumbnail_jpeg: Vec::new(),
            seconds: 7,
            waveform: vec![0, 50, MAX_LOUDNESS],
            ..words
        },
        MediaContent::Sticker { .. } => words,
    }
}

fn decoded(message: &Message) -> Incoming {
    decode(&message_to_vec(message)).unwrap()
}

fn received(message: &Message) -> Media {
    match decoded(message).content {
        MessageContent::Media(media) => *media,
        other => unreachable!("{other:?}"),
    }
}

fn an_image() -> ImageMessage {
    let MediaFile { direct_path, url: _, media_key, media_key_at, sha256, enc_sha256, length } =
        file();
    ImageMessage {
        mimetype: Some("image/jpeg".to_owned()),
        caption: Some("*look*".to_owned()),
        direct_path: Some(direct_path),
        media_key: Some(media_key.to_vec()),
        media_key_timestamp: Some(media_key_at),
        file_sha256: Some(sha256.to_vec()),
        file_enc_sha256: Some(enc_sha256.to_vec()),
        file_length: Some(length),
        ..Default::default()
    }
}

fn message_of(image: ImageMessage) -> Message {
    Message { image_message: MessageField::some(image), ..Default::default() }
}

#[test]
fn every_kind_arrives_as_it_was_sent() {
    for kind in EVERY_KIND {
        for media in [media(kind), rich(kind)] {
            let encoded = encode_media(&media);
            if matches!(kind, MediaContent::Sticker { .. }) {
                assert_eq!(encoded, Err(MessageError::NotSent("a sticker")));
                continue;
            }
            let content = decode(&encoded.unwrap()).unwrap().content;
            assert!(content == MessageContent::Media(Box::new(media)), "{kind:?}: {content:?}");
        }
    }
}

#[test]
fn a_sticker_is_received() {
    let sticker = |is_animated, is_lottie| StickerMessage {
        url: Some("https://mmg.whatsapp.net/v/t1".to_owned()),
        mimetype: Some("image/webp".to_owned()),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        width: Some(512),
        height: Some(512),
        is_animated,
        is_lottie,
        ..Default::default()
    };
    for (is_animated, is_lottie, animated) in
        [(None, None, false), (Some(true), None, true), (None, Some(true), true)]
    {
        let sticker = sticker(is_animated, is_lottie);
        let message =
            Message { sticker_message: MessageField::some(sticker), ..Default::default() };
        let media = received(&message);
        assert_eq!(media.kind, MediaContent::Sticker { animated });
        assert_eq!((media.width, media.height), (512, 512));
        assert_eq!(media.file.url.as_deref(), Some("https://mmg.whatsapp.net/v/t1"));
        assert_eq!(media.file.direct_path, "");
    }
}

#[test]
fn what_is_to_be_seen_once_says_so() {
    let wrapper = || FutureProofMessage { message: MessageField::some(message_of(an_image())) };
    let field = || MessageField::some(wrapper());
    let once = [
        Message { view_once_message: field(), ..Default::default() },
        Message { view_once_message_v2: field(), ..Default::default() },
        Message { view_once_message_v2_extension: field(), ..Default::default() },
        message_of(ImageMessage { view_once: Some(true), ..an_image() }),
    ];
    for message in once {
        let incoming = decoded(&message);
        assert!(incoming.view_once && !incoming.ephemeral, "{incoming:?}");
        assert!(matches!(incoming.content, MessageContent::Media(_)), "{incoming:?}");
    }
    let captioned = Message { document_with_caption_message: field(), ..Default::default() };
    let incoming = decoded(&captioned);
    assert!(!incoming.view_once && !incoming.ephemeral, "{incoming:?}");
    assert!(matches!(incoming.content, MessageContent::Media(_)), "{incoming:?}");
}

#[test]
fn a_file_that_cannot_be_fetched_and_checked_is_named_with_its_words() {
    let damages: [fn(&mut ImageMessage); 5] = [
        |image| image.direct_path = None,
        |image| image.media_key = Some(vec![1; 31]),
        |image| image.media_key = None,
        |image| image.file_sha256 = Some(vec![2; 33]),
        |image| image.file_enc_sha256 = None,
    ];
    for damage in damages {
        let mut image = an_image();
        damage(&mut image);
        let MessageContent::Described(Described { kind, lines, .. }) =
            decoded(&message_of(image.clone())).content
        else {
            unreachable!("it has words")
        };
        assert_eq!((kind, lines), ("image", vec!["*look*".to_owned()]));
        image.caption = None;
        let unsupported = MessageContent::Unsupported { kind: "image" };
        assert!(decoded(&message_of(image)).content == unsupported);
    }
}

#[test]
fn an_answer_to_a_file_quotes_what_was_said_with_it() {
    let context = waproto::whatsapp::ContextInfo {
        stanza_id: Some("ABC".to_owned()),
        quoted_message: MessageField::some(message_of(an_image())),
        ..Default::default()
    };
    let image = ImageMessage { context_info: MessageField::some(context), ..an_image() };
    let quote = received(&message_of(image)).quote.unwrap();
    assert_eq!(quote.text.as_deref(), Some("*look*"));
}

#[test]
fn only_what_the_network_takes_is_sent() {
    let sent = |kind, change: Change| {
        let mut media = media(kind);
        change(&mut media);
        encode_media(&media).map(drop)
    };
    let (image, document) = (MediaContent::Image, MediaContent::Document);
    let voice = MediaContent::Audio { voice: true };
    let allowed: [(MediaContent, Change); 8] = [
        (image, |media| media.mimetype = "image/png".to_owned()),
        (image, |media| media.file.length = 0),
        (image, |media| media.file.length = MAX_MEDIA_BYTES),
        (image, |media| media.thumbnail_jpeg = vec![0; MAX_THUMBNAIL_BYTES]),
        (image, |media| media.caption = Some("ü".repeat(MAX_TEXT_CHARS))),
        (voice, |media| media.waveform = vec![0; MAX_WAVEFORM_BYTES]),
        (document, |media| media.file_name = Some("ü".repeat(MAX_FILE_NAME_CHARS))),
        (document, |media| media.mimetype = "image/webp".to_owned()),
    ];
    for (kind, change) in allowed {
        assert_eq!(sent(kind, change), Ok(()));
    }
    let refused: [(MediaContent, Change); 8] = [
        (image, |media| media.mimetype = "image/webp".to_owned()),
        (document, |media| media.mimetype.clear()),
        (image, |media| media.file.direct_path.clear()),
        (image, |media| media.file.url = Some("https://example.org".to_owned())),
        (image, |media| media.file.length = MAX_MEDIA_BYTES + 1),
        (image, |media| media.thumbnail_jpeg = vec![0; MAX_THUMBNAIL_BYTES + 1]),
        (voice, |media| media.waveform = vec![0; MAX_WAVEFORM_BYTES + 1]),
        (document, |media| media.file_name = Some("ü".repeat(MAX_FILE_NAME_CHARS + 1))),
    ];
    for (kind, change) in refused {
        let refused = sent(kind, change);
        assert!(matches!(refused, Err(MessageError::NotSent(_))), "{refused:?}");
    }
    let too_long = sent(image, |media| media.caption = Some("ü".repeat(MAX_TEXT_CHARS + 1)));
    assert_eq!(too_long, Err(MessageError::TextTooLong { chars: MAX_TEXT_CHARS + 1 }));
    let no_target = sent(image, |media| {
        media.quote = Some(Quote { id: String::new(), sender: None, text: None });
    });
    assert_eq!(no_target, Err(MessageError::NoTarget));
}

#[test]
fn a_received_thumbnail_has_a_limit_too() {
    let of = |bytes| ImageMessage { jpeg_thumbnail: Some(vec![7; bytes]), ..an_image() };
    let longest = received(&message_of(of(MAX_THUMBNAIL_BYTES)));
    assert_eq!(longest.thumbnail_jpeg.len(), MAX_THUMBNAIL_BYTES);
    let past = received(&message_of(of(MAX_THUMBNAIL_BYTES + 1)));
    assert!(past.thumbnail_jpeg.is_empty());
}

#[test]
fn sizes_that_no_number_holds_are_unknown() {
    // Field 8 (audio) with field 5 (seconds) of all bits, in the place of a number of 32 bits.
    let audio = AudioMessage {
        direct_path: Some("/v/t1".to_owned()),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        ..Default::default()
    };
    let message = Message { audio_message: MessageField::some(audio), ..Default::default() };
    let mut bytes = message_to_vec(&message);
    let huge = b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    bytes.extend_from_slice(huge);
    bytes[1] += u8::try_from(huge.len()).unwrap();
    let MessageContent::Media(media) = decode(&bytes).unwrap().content else {
        unreachable!("it is one")
    };
    assert_eq!(media.seconds, 0);
}

#[test]
fn debug_shows_nothing_of_a_file() {
    let media = Media { file_name: Some("secret.pdf".to_owned()), ..rich(MediaContent::Document) };
    let shown = format!("{:?}", decode(&encode_media(&media).unwrap()).unwrap());
    for secret in ["secret", "look", "old", "interop", "1, 1", "4912345"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_file_round_trips(
        kind in prop::sample::select(&EVERY_KIND[..7]),
        path in "/[a-z0-9]{1,40}",
        (key, sha256, enc_sha256) in any::<([u8; 32], [u8; 32], [u8; 32])>(),
        (length, at) in (0..=MAX_MEDIA_BYTES, 0..i64::MAX),
        caption in prop::option::of("\\PC*\\S\\PC*"),
        (width, height, seconds) in any::<(u32, u32, u32)>(),
    ) {
        let file = MediaFile {
            direct_path: path, media_key: key, media_key_at: at, sha256, enc_sha256, length, ..file()
        };
        let mut media = Media { file, caption, width, height, seconds, ..media(kind) };
        match kind {
            MediaContent::Image => media.seconds = 0,
            MediaContent::Audio { .. } | MediaContent::Document => {
                (media.width, media.height) = (0, 0);
                if kind == MediaContent::Document { media.seconds = 0 } else { media.caption = None }
            }
            MediaContent::Video { .. } | MediaContent::Sticker { .. } => {}
        }
        let content = decode(&encode_media(&media).unwrap()).unwrap().content;
        prop_assert!(content == MessageContent::Media(Box::new(media)));
    }

    #[test]
    fn arbitrary_files_never_panic(field in 0_u8..16, bytes in vec(any::<u8>(), 0..120)) {
        let mut message = vec![field << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        message.extend(bytes);
        decode(&message).ok();
    }
}
