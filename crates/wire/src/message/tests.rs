use proptest::{collection::vec, prelude::*};
use rand::{SeedableRng, rngs::StdRng};
use waproto::whatsapp::message::{
    ExtendedTextMessage, FutureProofMessage, ImageMessage, ProtocolMessage,
    SenderKeyDistributionMessage, protocol_message::Type,
};

use super::*;

mod other;

fn check(message: &Message, expected: &MessageContent) {
    let incoming = decode(&message_to_vec(message)).unwrap();
    assert_eq!(&incoming.content, expected, "{incoming:?}");
}

fn text_of(body: &str) -> MessageContent {
    MessageContent::Text(Text { body: body.to_owned(), quote: None })
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

fn quote_of(id: &str, text: Option<&str>) -> Quote {
    let sender = Some(Personal("4912345@s.whatsapp.net".to_owned()));
    Quote { id: id.to_owned(), sender, text: text.map(str::to_owned) }
}

fn reaction_of(id: &str, emoji: Option<&str>) -> Reaction {
    let chat = Some(Personal("4912345@s.whatsapp.net".to_owned()));
    let target = Target { chat, from_me: false, id: id.to_owned() };
    Reaction { target, emoji: emoji.map(str::to_owned) }
}

#[test]
fn a_reply_names_what_it_answers() {
    for quote in [quote_of("ABC", Some("question?")), quote_of("ABC", None)] {
        let incoming = decode(&encode_reply("answer", &quote).unwrap()).unwrap();
        let expected = Text { body: "answer".to_owned(), quote: Some(quote) };
        assert_eq!(incoming.content, MessageContent::Text(expected));
    }
    assert_eq!(encode_reply("answer", &quote_of("", None)), Err(MessageError::NoTarget));
}

#[test]
fn a_reply_to_something_else_than_text_is_still_a_reply() {
    let quoted = Message {
        image_message: MessageField::some(ImageMessage::default()),
        ..Default::default()
    };
    let context = waproto::whatsapp::ContextInfo {
        stanza_id: Some("ABC".to_owned()),
        quoted_message: MessageField::some(quoted),
        ..Default::default()
    };
    let extended = ExtendedTextMessage {
        text: Some("nice".to_owned()),
        context_info: MessageField::some(context),
        ..Default::default()
    };
    let quote = Quote { id: "ABC".to_owned(), sender: None, text: None };
    check(
        &Message { extended_text_message: MessageField::some(extended), ..Default::default() },
        &MessageContent::Text(Text { body: "nice".to_owned(), quote: Some(quote) }),
    );
}

#[test]
fn a_context_that_cannot_be_read_spoils_no_text() {
    // Field 6 (extended text) with text "hi" and a context (field 17) of damaged bytes.
    let incoming = decode(b"\x32\x08\x0a\x02hi\x8a\x01\x01\xff").unwrap();
    assert_eq!(incoming.content, text_of("hi"));
}

#[test]
fn a_reaction_is_given_and_taken_back() {
    for emoji in [Some("\u{1f44d}\u{1f3fd}"), None] {
        let reaction = reaction_of("ABC", emoji);
        let incoming = decode(&encode_reaction(&reaction, 1_700_000_000_000).unwrap()).unwrap();
        assert_eq!(incoming.content, MessageContent::Reaction(reaction));
    }
}

#[test]
fn a_reaction_has_a_target_and_a_limit() {
    let longest = "\u{1f44d}".repeat(MAX_REACTION_CHARS);
    let past = format!("{longest}\u{1f44d}");
    assert!(encode_reaction(&reaction_of("ABC", Some(&longest)), 0).is_ok());
    for refused in [past.as_str(), "", " "] {
        let refused = encode_reaction(&reaction_of("ABC", Some(refused)), 0);
        assert_eq!(refused, Err(MessageError::NoEmoji));
    }
    assert_eq!(encode_reaction(&reaction_of("", None), 0), Err(MessageError::NoTarget));
    let foreign = |text: &str, id: &str| {
        let key = waproto::whatsapp::MessageKey { id: Some(id.to_owned()), ..Default::default() };
        let reaction = waproto::whatsapp::message::ReactionMessage {
            key: MessageField::some(key),
            text: Some(text.to_owned()),
            ..Default::default()
        };
        Message { reaction_message: MessageField::some(reaction), ..Default::default() }
    };
    let unsupported = MessageContent::Unsupported { kind: "reaction" };
    check(&foreign(&past, "ABC"), &unsupported);
    check(&foreign("x", ""), &unsupported);
}

fn target_of(id: &str) -> Target {
    Target { from_me: true, ..reaction_of(id, None).target }
}

#[test]
fn an_edit_and_a_deletion_name_their_message() {
    let target = target_of("ABC");
    let text = Text { body: "new".to_owned(), quote: None };
    let edit = Edit { target: target.clone(), text, is_caption: false };
    let edited = encode_edit(&target, "new", 1_700_000_000_000).unwrap();
    let deleted = encode_deletion(&target).unwrap();
    assert_eq!(decode(&edited).unwrap().content, MessageContent::Edit(edit.clone()));
    assert_eq!(decode(&deleted).unwrap().content, MessageContent::Deletion(target));
    // As newer clients send it: wrapped.
    let message = MessageField::some(message_decode(&edited).unwrap());
    let wrapper = FutureProofMessage { message };
    let wrapped = Message { edited_message: MessageField::some(wrapper), ..Default::default() };
    check(&wrapped, &MessageContent::Edit(edit));

    let nothing = target_of("");
    assert_eq!(encode_edit(&nothing, "new", 1), Err(MessageError::NoTarget));
    assert_eq!(encode_deletion(&nothing), Err(MessageError::NoTarget));
    let past = "x".repeat(MAX_TEXT_CHARS + 1);
    let too_long = MessageError::TextTooLong { chars: MAX_TEXT_CHARS + 1 };
    assert_eq!(encode_edit(&target_of("ABC"), &past, 1), Err(too_long));
    assert!(encode_edit(&target_of("ABC"), &past[1..], 1).is_ok());
}

#[test]
fn an_edit_of_a_caption_keeps_the_file() {
    let step = |caption: Option<&str>, key| {
        let image = ImageMessage { caption: caption.map(str::to_owned), ..Default::default() };
        let edited = Message { image_message: MessageField::some(image), ..Default::default() };
        let step = ProtocolMessage {
            key,
            r#type: Some(Type::MESSAGE_EDIT),
            edited_message: MessageField::some(edited),
            ..Default::default()
        };
        Message { protocol_message: MessageField::some(step), ..Default::default() }
    };
    let key = || MessageField::some(target_of("ABC").to_key());
    for (caption, body) in [(Some("new"), "new"), (None, "")] {
        let text = Text { body: body.to_owned(), quote: None };
        let edit = Edit { target: target_of("ABC"), text, is_caption: true };
        check(&step(caption, key()), &MessageContent::Edit(edit));
    }
    let unknown = MessageField::none();
    check(&step(None, unknown), &MessageContent::Unsupported { kind: "edit" });
}

#[test]
fn an_edit_of_something_else_than_words_is_told() {
    let step = ProtocolMessage {
        key: MessageField::some(target_of("ABC").to_key()),
        r#type: Some(Type::MESSAGE_EDIT),
        ..Default::default()
    };
    let message = Message { protocol_message: MessageField::some(step), ..Default::default() };
    check(&message, &MessageContent::Unsupported { kind: "edit" });
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
    let reply = encode_reply("a secret", &quote_of("ABC", Some("another secret"))).unwrap();
    let reaction = encode_reaction(&reaction_of("ABC", Some("\u{1f44d}")), 1).unwrap();
    let edit = encode_edit(&target_of("ABC"), "a secret", 1).unwrap();
    let deletion = encode_deletion(&target_of("ABC")).unwrap();
    for bytes in [reply, reaction, edit, deletion] {
        let shown = format!("{:?}", decode(&bytes).unwrap());
        assert!(!shown.contains("secret") && !shown.contains("4912345"), "{shown}");
        assert!(shown.is_ascii(), "{shown}");
    }
    let incoming = decode(&encode_text("a secret").unwrap()).unwrap();
    assert_eq!(
        format!("{incoming:?}"),
        "Incoming { content: Text(8 bytes), sent_to: None, ephemeral: false, view_once: false }"
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
    fn any_reply_round_trips(body: String, id in ".+", text in proptest::option::of(".+")) {
        let quote = quote_of(&id, text.as_deref());
        let incoming = decode(&encode_reply(&body, &quote).unwrap()).unwrap();
        let expected = Text { body, quote: Some(quote) };
        prop_assert_eq!(incoming.content, MessageContent::Text(expected));
    }

    #[test]
    fn any_reaction_round_trips(id in ".+", emoji in "\\S{1,32}", from_me: bool) {
        let mut reaction = reaction_of(&id, Some(&emoji));
        reaction.target.from_me = from_me;
        let incoming = decode(&encode_reaction(&reaction, 1).unwrap()).unwrap();
        prop_assert_eq!(incoming.content, MessageContent::Reaction(reaction));
    }

    #[test]
    fn arbitrary_contexts_reactions_and_changes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        quote::read(&bytes);
        reaction::read(&bytes).ok();
        change::read(&bytes).ok();
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        decode(&bytes).ok();
        unpad(&bytes).ok();
    }
}
