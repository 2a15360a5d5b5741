use proptest::{collection::vec, prelude::*};
use rand::{SeedableRng, rngs::StdRng};
use waproto::whatsapp::message::{
    ExtendedTextMessage, FutureProofMessage, ImageMessage, ProtocolMessage,
    SenderKeyDistributionMessage, protocol_message::Type,
};

use super::*;

fn check(message: &Message, expected: &MessageContent) {
    let incoming = decode(&message_to_vec(message)).unwrap();
    assert_eq!(&incoming.content, expected, "{incoming:?}");
}

fn text_of(body: &str) -> MessageContent {
    MessageContent::Text(Text { body: body.to_owned() })
}

fn wrapped(message: Message) -> Message {
    let wrapper = FutureProofMessage { message: MessageField::some(message) };
    Message { ephemeral_message: MessageField::some(wrapper), ..Default::default() }
}

#[test]
fn both_fields_for_text_are_read() {
    check(
        &Message { conversation: Some("Grüße 🦀".to_owned()), ..Default::default() },
        &text_of("Grüße 🦀"),
    );
    let extended = ExtendedTextMessage { text: Some("hello".to_owned()), ..Default::default() };
    check(
        &Message { extended_text_message: MessageField::some(extended), ..Default::default() },
        &text_of("hello"),
    );
}

#[test]
fn a_text_that_brings_keys_is_a_text() {
    let keys = SenderKeyDistributionMessage::default();
    let mut message =
        Message { sender_key_distribution_message: MessageField::some(keys), ..Default::default() };
    check(&message, &MessageContent::Silent { kind: "sender key" });
    message.conversation = Some("hello".to_owned());
    check(&message, &text_of("hello"));
    message.conversation = None;
    message.image_message = MessageField::some(ImageMessage::default());
    check(&message, &MessageContent::Unsupported { kind: "image" });
}

#[test]
fn steps_of_the_protocol_are_silent_unless_a_person_would_miss_them() {
    let step = |kind| {
        let step = ProtocolMessage { r#type: kind, ..Default::default() };
        Message { protocol_message: MessageField::some(step), ..Default::default() }
    };
    let silent = MessageContent::Silent { kind: "protocol" };
    check(&step(None), &silent);
    check(&step(Some(Type::EPHEMERAL_SETTING)), &silent);
    check(&step(Some(Type::REVOKE)), &MessageContent::Unsupported { kind: "deletion" });
    check(&step(Some(Type::MESSAGE_EDIT)), &MessageContent::Unsupported { kind: "edit" });
}

#[test]
fn a_field_of_the_future_is_unknown() {
    let incoming = decode(b"\xc2\xbb\x01\x02hi").unwrap();
    assert_eq!(incoming.content, MessageContent::Unsupported { kind: "unknown" });
    assert_eq!(decode(b"").unwrap().content, MessageContent::Silent { kind: "empty" });
    assert_eq!(decode(b"\x0a\x05hi"), Err(MessageError::NotAMessage));
    assert_eq!(decode(b"\x0a\x01\xff"), Err(MessageError::NotAMessage));
}

#[test]
fn wrappers_are_opened_up_to_the_limit() {
    let text = Message { conversation: Some("hello".to_owned()), ..Default::default() };
    let deep = |depth| (0..depth).fold(text.clone(), |message, _| wrapped(message));
    let incoming = decode(&message_to_vec(&deep(MAX_WRAPPERS))).unwrap();
    assert_eq!((incoming.content, incoming.ephemeral), (text_of("hello"), true));
    let past = decode(&message_to_vec(&deep(MAX_WRAPPERS + 1)));
    assert_eq!(past, Err(MessageError::TooDeep));
}

#[test]
fn a_copy_of_ones_own_message_says_to_whom_it_went() {
    let copy = encode_device_sent("4912345@s.whatsapp.net", &encode_text("hello").unwrap());
    let incoming = decode(&copy.unwrap()).unwrap();
    assert_eq!(incoming.content, text_of("hello"));
    assert_eq!(incoming.sent_to, Some(Personal("4912345@s.whatsapp.net".to_owned())));
    assert!(!incoming.ephemeral);
}

#[test]
fn a_text_has_a_limit_in_characters() {
    let longest = "ü".repeat(MAX_TEXT_CHARS);
    let encoded = encode_text(&longest).unwrap();
    assert_eq!(decode(&encoded).unwrap().content, text_of(&longest));
    let chars = MAX_TEXT_CHARS + 1;
    assert_eq!(encode_text(&"ü".repeat(chars)), Err(MessageError::TextTooLong { chars }));
}

#[test]
fn damaged_padding_is_refused() {
    assert_eq!(unpad(b"text\x03\x03\x03"), Ok(&b"text"[..]));
    assert_eq!(unpad(&[MAX_PADDING; 16]), Ok(&[][..]));
    for damaged in [&b""[..], b"\x00", b"\x02", b"text\x01\x03\x03", &[17; 17]] {
        assert_eq!(unpad(damaged), Err(MessageError::Padding), "{damaged:?}");
    }
}

#[test]
fn every_length_of_padding_occurs() {
    let mut rng = StdRng::seed_from_u64(1);
    let lengths: std::collections::BTreeSet<_> =
        (0..1000).map(|_| pad(Vec::new(), &mut rng).len()).collect();
    assert_eq!(lengths, (1..=usize::from(MAX_PADDING)).collect());
}

#[test]
fn debug_shows_no_text() {
    let incoming = decode(&encode_text("a secret").unwrap()).unwrap();
    assert_eq!(
        format!("{incoming:?}"),
        "Incoming { content: Text(8 bytes), sent_to: None, ephemeral: false }"
    );
}

proptest! {
    #[test]
    fn padding_comes_off_again(plaintext in vec(any::<u8>(), 0..100), seed: u64) {
        let padded = pad(plaintext.clone(), &mut StdRng::seed_from_u64(seed));
        prop_assert_eq!(unpad(&padded), Ok(plaintext.as_slice()));
    }

    #[test]
    fn any_text_round_trips(body: String) {
        prop_assert_eq!(decode(&encode_text(&body).unwrap()).unwrap().content, text_of(&body));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        decode(&bytes).ok();
        unpad(&bytes).ok();
    }
}
