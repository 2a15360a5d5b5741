//! Decisions on every kind of event, and on those that nobody would send.

use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use ruma::user_id;
use serde_json::json;

use super::*;
use crate::domain::{
    bridged::Direction,
    ids::{RemoteMessageId, RemoteUser},
    limits,
    text::{Incoming, NetworkMessage, Quoted, incoming, network_plaintext},
};

fn decide(content: &Value) -> Outgoing {
    let person = user_id!("@p:example.org");
    outgoing(person, person, "m.room.message", content)
}

#[track_caller]
fn check_text(content: &Value, expected: &str, notices_expected: &[Notice]) {
    let Outgoing::Text { text, notices, .. } = decide(content) else {
        unreachable!("{content} was not forwarded")
    };
    assert_eq!((text.as_str(), notices.as_slice()), (expected, notices_expected));
}

#[test]
fn text_is_forwarded() {
    check_text(&json!({"msgtype": "m.text", "body": "hi"}), "hi", &[]);
    let html = json!({"msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html",
        "formatted_body": "<strong>x</strong>"});
    check_text(&html, "*x*", &[]);
}

#[test]
fn an_edit_is_sent_anew_and_says_so() {
    let edit = json!({"msgtype": "m.text", "body": "* new",
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
        "m.new_content": {"msgtype": "m.text", "body": "new"}});
    check_text(&edit, "new", &[]);
    let decision = decide(&edit);
    let replaces = About::Replaces(ruma::owned_event_id!("$1"));
    assert!(matches!(decision, Outgoing::Text { about, .. } if about == replaces));
}

#[test]
fn an_edit_is_one_where_the_network_has_edits_and_takes_it() {
    let replaces = About::Replaces(ruma::owned_event_id!("$1"));
    let recaptions = About::Recaptions(ruma::owned_event_id!("$1"));
    let sent =
        |direction, age| Some(SentBefore { id: RemoteMessageId("M1".to_owned()), direction, age });
    let (ours, theirs) = (Direction::ToNetwork, Direction::ToMatrix);
    let late = millis(EDIT_WINDOW);
    let can = Capabilities { edits: true, deletions: false };
    let in_place = Correction::InPlace(RemoteMessageId("M1".to_owned()));
    assert_eq!(correction("new", &replaces, sent(ours, late - 1), can), in_place);
    let text = "\u{270f}\u{fe0f} new".to_owned();
    let notices = vec![Notice::Earlier(Earlier::EditSentAnew)];
    let marked = Correction::Anew { text, notices };
    for (about, earlier, can) in [
        (&replaces, sent(ours, late), can),
        (&replaces, sent(theirs, 0), can),
        (&recaptions, sent(ours, 0), can),
        (&replaces, sent(ours, 0), Capabilities { edits: false, deletions: true }),
    ] {
        assert_eq!(correction("new", about, earlier, can), marked);
    }
    let plain = Correction::Anew { text: "new".to_owned(), notices: Vec::new() };
    for can in [can, Capabilities::default()] {
        assert_eq!(correction("new", &replaces, None, can), plain);
    }
}

#[test]
fn a_message_is_taken_back_where_the_network_takes_that() {
    let sent = |age| SentBefore {
        id: RemoteMessageId("M1".to_owned()),
        direction: Direction::ToNetwork,
        age,
    };
    let can = Capabilities { edits: false, deletions: true };
    let late = millis(DELETION_WINDOW);
    assert!(can_be_deleted(&sent(late - 1), can));
    assert!(!can_be_deleted(&sent(late), can));
    assert!(!can_be_deleted(&sent(0), Capabilities { edits: true, deletions: false }));
}

#[test]
fn an_edit_has_room_for_its_marker() {
    let edit = |chars: usize| {
        json!({"msgtype": "m.text", "body": "*",
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
            "m.new_content": {"msgtype": "m.text", "body": "x".repeat(chars)}})
    };
    let longest = NETWORK_TEXT_CHARS_MAX - EDIT_MARKER.encode_utf16().count();
    assert!(matches!(decide(&edit(longest)), Outgoing::Text { .. }));
    let refused = decide(&edit(longest + 1));
    assert!(matches!(refused, Outgoing::Refused(Notice::TooLong { .. })));
}

#[test]
fn a_reply_loses_its_fallback_and_nothing_else() {
    let reply = |body: &str| {
        json!({"msgtype": "m.text", "body": body,
            "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}})
    };
    for (body, expected) in [
        ("> <@b:c.d> old\n> more\n\nnew", "new"),
        ("> * <@b:c.d> waves\n\nnew\n> mine", "new\n> mine"),
        ("> my own quotation\n\nnew", "> my own quotation\n\nnew"),
        ("new", "new"),
    ] {
        check_text(&reply(body), expected, &[]);
    }
    let answers = About::Answers(ruma::owned_event_id!("$1"));
    assert!(matches!(decide(&reply("a")), Outgoing::Text { about, .. } if about == answers));
}

#[test]
fn a_thread_is_a_chain_of_answers() {
    let content =
        |relation: Value| json!({"msgtype": "m.text", "body": "a", "m.relates_to": relation});
    let last = content(json!({"rel_type": "m.thread", "event_id": "$root",
        "is_falling_back": true, "m.in_reply_to": {"event_id": "$last"}}));
    let first = content(json!({"rel_type": "m.thread", "event_id": "$root"}));
    for (content, expected) in [(last, "$last"), (first, "$root")] {
        let answers = About::Answers(EventId::parse(expected).unwrap());
        assert!(matches!(decide(&content), Outgoing::Text { about, .. } if about == answers));
    }
}

#[test]
fn a_quotation_is_cut_at_its_limit() {
    let quoted =
        |chars: usize| quotable(&json!({"msgtype": "m.text", "body": "ü".repeat(chars)})).unwrap();
    assert_eq!(quoted(limits::QUOTE_CHARS_MAX), "ü".repeat(limits::QUOTE_CHARS_MAX));
    let cut = quoted(limits::QUOTE_CHARS_MAX + 1);
    assert_eq!(cut, format!("{}…", "ü".repeat(limits::QUOTE_CHARS_MAX)));
    assert_eq!(quotable(&json!({"body": 3})), None);
}

#[test]
fn a_reaction_is_an_emoji() {
    let react = |key: &str| {
        let person = user_id!("@p:example.org");
        let relation = json!({"rel_type": "m.annotation", "event_id": "$1", "key": key});
        outgoing(person, person, "m.reaction", &json!({"m.relates_to": relation}))
    };
    let longest = "\u{1f44d}".repeat(MAX_REACTION_CHARS);
    for emoji in ["👍🏽", "❤️", "🇫🇷", "#️⃣", "ℹ️", "🏴\u{e0067}\u{e007f}", &longest]
    {
        let target = ruma::owned_event_id!("$1");
        assert!(react(emoji) == Outgoing::Reaction { target, emoji: emoji.to_owned() });
    }
    let past = format!("{longest}👍");
    for other in ["", "+1", ":smile:", "mxc://example.org/é", "👍 👍", &past] {
        assert!(
            react(other) == Outgoing::Refused(Notice::Earlier(Earlier::ReactionIsNoEmoji)),
            "{other}"
        );
    }
    let person = user_id!("@p:example.org");
    // What is left of a redacted one.
    assert!(outgoing(person, person, "m.reaction", &json!({})) == Outgoing::Nothing);
}

#[test]
fn what_is_not_carried_is_refused_aloud() {
    let refused =
        |kind: &str| Outgoing::Refused(Notice::EventKindNotCarried { kind: kind.to_owned() });
    let odd = json!({"msgtype": "org.example.odd", "body": "odd"});
    assert!(decide(&odd) == refused("messages of the kind org.example.odd"));
    let nowhere = decide(&json!({"msgtype": "m.image", "body": "a.png"}));
    assert!(nowhere == Outgoing::Refused(Notice::Content(Content::FileWithoutAddress)));
    assert!(decide(&json!({"msgtype": "m.text"})) == refused("this kind of message"));
    assert!(decide(&json!("no object")) == refused("this kind of message"));
}

#[test]
fn strangers_cannot_write_in_a_persons_name() {
    let content = json!({"msgtype": "m.text", "body": "hi"});
    let (person, stranger) = (user_id!("@p:example.org"), user_id!("@s:example.org"));
    let decision = outgoing(person, stranger, "m.room.message", &content);
    assert!(decision == Outgoing::Refused(Notice::NotYours));
}

#[test]
fn an_empty_text_is_no_message() {
    assert!(decide(&json!({"msgtype": "m.text", "body": " \n"})) == Outgoing::Nothing);
}

/// What a content may hold, in every wrong place as well.
fn contents() -> impl Strategy<Value = Value> {
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "m.text",
            "m.emote",
            "m.image",
            "m.replace",
            "m.thread",
            "m.annotation",
            "$1",
            "$",
            "org.matrix.custom.html",
            "<b>x",
            "> <@a:b>",
            "> <@a:b>\n\n",
            "\u{1f44d}",
        ])
        .prop_map(Value::from),
    ];
    leaves.prop_recursive(4, 48, 6, |inner| {
        let key = prop::sample::select(vec![
            "msgtype",
            "body",
            "format",
            "formatted_body",
            "m.relates_to",
            "rel_type",
            "event_id",
            "key",
            "m.in_reply_to",
            "m.new_content",
            "redacts",
            "content",
        ]);
        prop_oneof![
            4 => prop::collection::btree_map(key, inner.clone(), 0..8).prop_map(|fields| {
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn no_content_is_too_strange(content in contents(), kind in prop::sample::select(vec![
        "m.room.message", "m.reaction", "m.sticker", "m.poll.start", "m.call.invite",
    ])) {
        let person = user_id!("@p:example.org");
        let shown = format!("{:?}", outgoing(person, person, kind, &content));
        prop_assert!(!shown.contains("Text(\""), "the text is not shown");
        let _ = quotable(&content);
        let raw = json!({"type": kind, "room_id": "!r:b.c", "event_id": "$1",
            "sender": "@a:b.c", "content": content});
        let _ = crate::domain::event::Event::parse_value(&raw);
    }

    /// What the person wrote and what it answers arrive, and would be shown here the same.
    #[test]
    fn an_answer_survives_the_way_there_and_back(body in r"[^> ]\PC{0,200}\S", quoted in r"\PC{0,50}") {
        let event = ruma::owned_event_id!("$1");
        let relation = json!({"m.in_reply_to": {"event_id": event}});
        let content = json!({"msgtype": "m.text", "body": body, "m.relates_to": relation});
        let Outgoing::Text { text, about, notices } = decide(&content) else {
            return Err(TestCaseError::fail("it was not forwarded"));
        };
        prop_assert_eq!((about, notices), (About::Answers(event.clone()), Vec::new()));
        let old = quotable(&json!({"msgtype": "m.text", "body": quoted}));
        let quote = Some(Quoted { id: RemoteMessageId("ABC".to_owned()), sender: None, text: old.clone() });
        let message = NetworkMessage::Text { text, quote };
        let padded = network_plaintext(&message, &mut StdRng::seed_from_u64(1));
        let Incoming::Text(there) = incoming(&padded) else {
            return Err(TestCaseError::fail("no text arrived"));
        };
        prop_assert_eq!(there.answers(), Some(RemoteMessageId("ABC".to_owned())));
        let here = &there.contents(Some(&event))[0];
        prop_assert_eq!(&here["body"], &content["body"]);
        prop_assert_eq!(&here["m.relates_to"], &content["m.relates_to"]);
        let elsewhere = &there.contents(None)[0];
        let mut expected: String = old.iter().flat_map(|old| old.lines()).flat_map(|line| ["> ", line, "\n"]).collect();
        expected.push_str(&body);
        prop_assert_eq!(elsewhere["body"].as_str(), Some(expected.as_str()));
    }

    #[test]
    fn an_emoji_survives_the_way_there_and_back(emoji in r"[\x{1f300}-\x{1faff}\x{200d}\x{fe0f}]{1,32}") {
        let target = ruma::owned_event_id!("$1");
        let relation = json!({"rel_type": "m.annotation", "event_id": target, "key": emoji});
        let person = user_id!("@p:example.org");
        let decided = outgoing(person, person, "m.reaction", &json!({"m.relates_to": relation}));
        prop_assert_eq!(&decided, &Outgoing::Reaction { target: target.clone(), emoji: emoji.clone() });
        let message = NetworkMessage::Reaction {
            chat: RemoteUser("33612345678@s.whatsapp.net".to_owned()),
            target: RemoteMessageId("ABC".to_owned()),
            direction: Direction::ToMatrix,
            emoji: Some(emoji.clone()),
            at: 1,
        };
        let padded = network_plaintext(&message, &mut StdRng::seed_from_u64(1));
        let Incoming::Reaction { emoji: Some(back), .. } = incoming(&padded) else {
            return Err(TestCaseError::fail("no reaction arrived"));
        };
        prop_assert_eq!(&crate::domain::text::reaction(&target, &back)["m.relates_to"], &relation);
    }
}
