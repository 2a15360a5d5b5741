//! Places, people, polls, calls and the words of what is not carried.

use proptest::{collection::vec, prelude::*};
use waproto::whatsapp::{
    ContextInfo,
    message::{
        CallLogMessage, ContactMessage, ContactsArrayMessage, EventMessage, FutureProofMessage,
        ListMessage, LiveLocationMessage, LocationMessage, PollCreationMessage, PollUpdateMessage,
        TemplateMessage,
        call_log_message::CallOutcome,
        list_message::{Row, Section},
        poll_creation_message,
        template_message::HydratedFourRowTemplate,
    },
};

use super::*;

fn content(message: &Message) -> MessageContent {
    decode(&message_to_vec(message)).unwrap().content
}

fn answer() -> MessageField<ContextInfo> {
    let context = ContextInfo { stanza_id: Some("ABC".to_owned()), ..Default::default() };
    MessageField::some(context)
}

fn answered() -> Quote {
    Quote { id: "ABC".to_owned(), sender: None, text: None }
}

fn place(latitude: f64, longitude: f64) -> MessageContent {
    let location = LocationMessage {
        degrees_latitude: Some(latitude),
        degrees_longitude: Some(longitude),
        name: Some("Home".to_owned()),
        address: Some("1 Street".to_owned()),
        accuracy_in_meters: Some(20),
        context_info: answer(),
        ..Default::default()
    };
    content(&Message { location_message: MessageField::some(location), ..Default::default() })
}

#[test]
fn a_place_is_on_earth() {
    for (latitude, longitude) in [(52.5, -13.4), (90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
        let expected = Location {
            latitude,
            longitude,
            accuracy: 20,
            name: Some("Home".to_owned()),
            address: Some("1 Street".to_owned()),
            caption: None,
            live: false,
            quote: Some(answered()),
        };
        assert!(place(latitude, longitude) == MessageContent::Location(Box::new(expected)));
    }
    for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
    {
        let MessageContent::Described(described) = place(latitude, longitude) else {
            unreachable!("{latitude} {longitude} is no place")
        };
        assert_eq!((described.kind, described.lines.len()), ("location", 2));
    }
}

#[test]
fn a_place_that_moves_says_so() {
    let location = LiveLocationMessage {
        degrees_latitude: Some(1.5),
        degrees_longitude: Some(2.5),
        caption: Some("on my way".to_owned()),
        ..Default::default()
    };
    let message =
        Message { live_location_message: MessageField::some(location), ..Default::default() };
    let MessageContent::Location(location) = content(&message) else { unreachable!("a place") };
    assert!(location.live);
    assert_eq!(location.caption.as_deref(), Some("on my way"));
}

fn card(name: &str) -> ContactMessage {
    ContactMessage {
        display_name: Some(name.to_owned()),
        vcard: Some("BEGIN:VCARD".to_owned()),
        ..Default::default()
    }
}

fn cards(count: usize) -> MessageContent {
    let contacts = vec![card("Ann"); count];
    let several = ContactsArrayMessage { contacts, ..Default::default() };
    content(&Message { contacts_array_message: MessageField::some(several), ..Default::default() })
}

#[test]
fn contact_cards_are_read_up_to_the_limit() {
    let one = ContactMessage { context_info: answer(), ..card("Ann") };
    let message = Message { contact_message: MessageField::some(one), ..Default::default() };
    let MessageContent::Contacts(contacts) = content(&message) else { unreachable!("a card") };
    assert_eq!((contacts.cards.len(), contacts.more, contacts.quote), (1, 0, Some(answered())));
    assert_eq!(contacts.cards[0].name.as_deref(), Some("Ann"));
    for (count, more) in [(MAX_LISTED, 0), (MAX_LISTED + 1, 1)] {
        let MessageContent::Contacts(contacts) = cards(count) else { unreachable!("cards") };
        assert_eq!((contacts.cards.len(), contacts.more), (MAX_LISTED, more));
    }
    assert!(cards(0) == MessageContent::Unsupported { kind: "contact" });
}

fn poll(options: usize) -> PollCreationMessage {
    let option = |number: usize| poll_creation_message::Option {
        option_name: Some(format!("option {number}")),
        ..Default::default()
    };
    PollCreationMessage {
        name: Some("when?".to_owned()),
        options: (1..=options).map(option).collect(),
        selectable_options_count: Some(1),
        ..Default::default()
    }
}

#[test]
fn every_version_of_a_poll_is_a_poll() {
    let field = || MessageField::some(poll(2));
    let wrapped = FutureProofMessage {
        message: MessageField::some(Message {
            poll_creation_message: field(),
            ..Default::default()
        }),
    };
    let messages = [
        Message { poll_creation_message: field(), ..Default::default() },
        Message { poll_creation_message_v2: field(), ..Default::default() },
        Message { poll_creation_message_v3: field(), ..Default::default() },
        Message { poll_creation_message_v4: MessageField::some(wrapped), ..Default::default() },
        Message { poll_creation_message_v5: field(), ..Default::default() },
    ];
    for message in messages {
        let MessageContent::Poll(poll) = content(&message) else { unreachable!("a poll") };
        assert_eq!((poll.question.as_str(), poll.more, poll.selectable), ("when?", 0, 1));
        assert_eq!(poll.options, ["option 1", "option 2"]);
    }
    for (options, more) in [(MAX_LISTED, 0), (MAX_LISTED + 1, 1)] {
        let message = Message {
            poll_creation_message: MessageField::some(poll(options)),
            ..Default::default()
        };
        let MessageContent::Poll(poll) = content(&message) else { unreachable!("a poll") };
        assert_eq!((poll.options.len(), poll.more), (MAX_LISTED, more));
    }
    let vote = MessageField::some(PollUpdateMessage::default());
    let message = Message { poll_update_message: vote, ..Default::default() };
    assert!(content(&message) == MessageContent::Unsupported { kind: "poll vote" });
}

#[test]
fn a_call_was_answered_or_missed() {
    let log = |outcome| CallLogMessage {
        is_video: Some(true),
        call_outcome: Some(outcome),
        ..Default::default()
    };
    for (outcome, missed) in [
        (CallOutcome::CONNECTED, false),
        (CallOutcome::MISSED, true),
        (CallOutcome::SILENCED_BY_DND, true),
        (CallOutcome::REJECTED, false),
    ] {
        let call_log_messsage = MessageField::some(log(outcome));
        let message = Message { call_log_messsage, ..Default::default() };
        assert!(content(&message) == MessageContent::Call(Call { video: true, missed }));
    }
}

#[test]
fn words_are_found_where_they_are() {
    let described = |message: &Message| match content(message) {
        MessageContent::Described(Described { kind, lines, at, quote }) => {
            (kind, lines.join("|"), at, quote)
        }
        other => unreachable!("{other:?}"),
    };
    let event = EventMessage {
        name: Some("Party".to_owned()),
        description: Some("bring cake".to_owned()),
        start_time: Some(1_800_000_000),
        context_info: answer(),
        ..Default::default()
    };
    let message = Message { event_message: MessageField::some(event), ..Default::default() };
    let expected = ("event", "Party|bring cake".to_owned(), Some(1_800_000_000), Some(answered()));
    assert_eq!(described(&message), expected);
    let row = |title: &str| Row { title: Some(title.to_owned()), ..Default::default() };
    let section = Section { rows: vec![row("one"), row("two")], ..Default::default() };
    let list = ListMessage {
        title: Some("Menu".to_owned()),
        sections: vec![section.clone(), section],
        ..Default::default()
    };
    let message = Message { list_message: MessageField::some(list), ..Default::default() };
    let expected = ("interactive message", "Menu|one|two|one|two".to_owned(), None, None);
    assert_eq!(described(&message), expected);
    let rows = HydratedFourRowTemplate {
        hydrated_content_text: Some("Your parcel".to_owned()),
        ..Default::default()
    };
    let format = waproto::whatsapp::message::template_message::Format::from(rows);
    let template = TemplateMessage { format: Some(format), ..Default::default() };
    let message = Message { template_message: MessageField::some(template), ..Default::default() };
    assert_eq!(described(&message).1, "Your parcel");
    let empty = MessageField::some(ListMessage::default());
    let message = Message { list_message: empty, ..Default::default() };
    assert!(content(&message) == MessageContent::Unsupported { kind: "interactive message" });
}

#[test]
fn words_have_a_limit() {
    let lines = |count: usize| {
        let row = Row { title: Some("x".to_owned()), ..Default::default() };
        let section = Section { rows: vec![row; count], ..Default::default() };
        let list = ListMessage { sections: vec![section], ..Default::default() };
        let message = Message { list_message: MessageField::some(list), ..Default::default() };
        match content(&message) {
            MessageContent::Described(described) => described.lines.len(),
            other => unreachable!("{other:?}"),
        }
    };
    assert_eq!((lines(MAX_LISTED), lines(MAX_LISTED + 1)), (MAX_LISTED, MAX_LISTED));
}

#[test]
fn debug_shows_none_of_it() {
    let named = |name: &str| LocationMessage {
        degrees_latitude: Some(52.5),
        degrees_longitude: Some(13.4),
        name: Some(name.to_owned()),
        ..Default::default()
    };
    let question = PollCreationMessage { name: Some("secret".to_owned()), ..poll(1) };
    let event = EventMessage { name: Some("secret".to_owned()), ..Default::default() };
    let messages = [
        Message { location_message: MessageField::some(named("secret")), ..Default::default() },
        Message { contact_message: MessageField::some(card("secret")), ..Default::default() },
        Message { poll_creation_message: MessageField::some(question), ..Default::default() },
        Message { event_message: MessageField::some(event), ..Default::default() },
    ];
    for message in messages {
        let shown = format!("{:?}", content(&message));
        let hidden = ["secret", "52", "13.4", "VCARD", "option 1"];
        assert!(!hidden.iter().any(|hidden| shown.contains(hidden)), "{shown}");
    }
}

proptest! {
    /// Every field that a message may have, holding anything.
    #[test]
    fn arbitrary_content_of_any_kind_never_panics(
        field in 1_u16..130,
        bytes in vec(any::<u8>(), 0..100),
    ) {
        let tag = field << 3 | 2;
        let [low, high] = [tag & 0x7f | 0x80, tag >> 7].map(|byte| u8::try_from(byte).unwrap());
        let mut message = vec![low, high, u8::try_from(bytes.len()).unwrap()];
        message.extend(bytes);
        decode(&message).ok();
    }
}

#[test]
fn other_words_below_a_picture_are_shown_as_what_they_are() {
    let image = ImageMessage { caption: Some("new words".to_owned()), ..Default::default() };
    let edited = Message { image_message: MessageField::some(image), ..Default::default() };
    let step = ProtocolMessage {
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: MessageField::some(edited),
        ..Default::default()
    };
    let message = Message { protocol_message: MessageField::some(step), ..Default::default() };
    let MessageContent::Described(described) = content(&message) else { unreachable!("words") };
    assert_eq!((described.kind, described.lines), ("edit", vec!["new words".to_owned()]));
}
