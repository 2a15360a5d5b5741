use assert_matches::assert_matches;
use causeway_wire::{
    jid::JidForm,
    node::{self, Node},
    stanza::Stanza,
};

use super::{
    super::inbound::{Context, MESSAGE_ID_CHARS_MAX, Turn, read},
    BOB, US,
};
use crate::{
    domain::{
        item::InboundReceiptKind,
        limits::{DISPLAY_NAME_CHARS_MAX, RECEIPT_MESSAGES_MAX},
    },
    port::network::Inbound,
    signal::{CiphertextKind, MAX_CIPHERTEXT_BYTES},
};

const NOW: i64 = 1_750_000_000_000;

fn turn(node: Node) -> Turn {
    let me = US.parse().unwrap();
    read(Stanza::parse(node), &Context { me: &me, form: JidForm::default(), now: NOW })
}

fn answer(node: Node) -> Node {
    match turn(node) {
        Turn::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn message(id: &str, from: &str) -> Node {
    Node::new("message").attr("id", id).attr("from", from).attr("type", "text")
}

fn enc(kind: &str, bytes: impl Into<Vec<u8>>) -> Node {
    Node::new("enc").attr("v", 2_u16).attr("type", kind).bytes(bytes)
}

/// The kind and the first byte of the ciphertext that was chosen.
fn chosen(node: Node) -> Option<(CiphertextKind, u8)> {
    match turn(node) {
        Turn::HandOn(Inbound::Message { message, .. }) => {
            message.ciphertext.map(|ciphertext| (ciphertext.kind, ciphertext.bytes[0]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_handed_on_with_the_acknowledgement_that_it_waits_for() {
    let from = "33612345678:3@s.whatsapp.net";
    let node = message("M1", from).attr("t", 1_700_000_000_u64).attr("notify", "Bob");
    let Turn::HandOn(Inbound::Message { stanza, message }) = turn(node.child(enc("pkmsg", *b"p")))
    else {
        panic!("no message");
    };
    assert_eq!((message.id.0.as_str(), message.from.user.0.as_str()), ("M1", BOB));
    assert_eq!((message.from.device, message.sent_at), (3, 1_700_000_000_000));
    assert_eq!(message.display_name.as_deref(), Some("Bob"));
    let ack = node::decode(&stanza.0).unwrap();
    assert_eq!(ack.attr_text("class"), Some("message"));
    assert_eq!(ack.attr_jid("to").unwrap().unwrap().to_string(), from);
    assert!(ack.attr_text("error").is_none());
}

#[test]
fn the_first_ciphertext_that_two_parties_can_exchange_is_taken() {
    let node = message("M", BOB).child(enc("skmsg", *b"s")).child(enc("msg", *b"m"));
    assert_eq!(chosen(node.child(enc("pkmsg", *b"p"))), Some((CiphertextKind::Message, b'm')));
    let to = |jid: &str, enc| Node::new("to").attr("jid", jid).child(enc);
    let participants = Node::new("participants")
        .child(to("12-99999999999@interop", enc("msg", *b"o")))
        .child(to(US, enc("pkmsg", *b"u")));
    let node = message("M", BOB).child(participants);
    assert_eq!(chosen(node), Some((CiphertextKind::PreKey, b'u')));
    assert_eq!(chosen(message("M", BOB).child(enc("new", *b"n"))), None);
    assert_eq!(chosen(message("M", BOB)), None);
    let longest = |extra: usize| vec![b'l'; MAX_CIPHERTEXT_BYTES + extra];
    let of = |extra| chosen(message("M", BOB).child(enc("msg", longest(extra))));
    assert_eq!(of(0), Some((CiphertextKind::Message, b'l')));
    assert_eq!(of(1), None);
}

#[test]
fn what_this_interface_does_not_carry_is_refused() {
    let group = message("M", "123-456@g.us").attr("participant", BOB).child(enc("msg", *b"m"));
    assert_eq!(answer(group).attr_text("error"), Some("488"));
    let id = |length| message(&"x".repeat(length), BOB);
    assert_matches!(turn(id(MESSAGE_ID_CHARS_MAX)), Turn::HandOn(_));
    assert_eq!(answer(id(MESSAGE_ID_CHARS_MAX + 1)).attr_text("error"), Some("488"));
    let malformed = message("M", BOB).child(Node::new("enc").attr("type", "msg"));
    let refusal = answer(malformed);
    assert_eq!((refusal.tag.as_str(), refusal.attr_text("error")), ("ack", Some("487")));
}

#[test]
fn a_name_is_taken_over_up_to_its_limit() {
    let name = |length| {
        let node = message("M", BOB).attr("notify", "é".repeat(length));
        match turn(node) {
            Turn::HandOn(Inbound::Message { message, .. }) => {
                message.display_name.map(|name| name.chars().count())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(name(DISPLAY_NAME_CHARS_MAX), Some(DISPLAY_NAME_CHARS_MAX));
    assert_eq!(name(DISPLAY_NAME_CHARS_MAX + 1), Some(DISPLAY_NAME_CHARS_MAX));
    assert_eq!(name(0), None);
}

#[test]
fn receipts_are_told_apart_and_lists_are_read() {
    let receipt = |kind: Option<&str>| {
        Node::new("receipt").attr("id", "M1").attr("from", BOB).attr_opt("type", kind)
    };
    let read_of = |node| match turn(node) {
        Turn::HandOn(Inbound::Receipt { receipt, stanza }) => {
            assert_eq!(node::decode(&stanza.0).unwrap().attr_text("class"), Some("receipt"));
            (receipt.kind, receipt.messages.into_iter().map(|id| id.0).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    let list = Node::new("list").child(Node::new("item").attr("id", "M2"));
    assert_eq!(
        read_of(receipt(Some("read")).child(list)),
        (InboundReceiptKind::Read, vec!["M1".to_owned(), "M2".to_owned()])
    );
    assert_eq!(read_of(receipt(None)).0, InboundReceiptKind::Delivered);
    let retry = receipt(Some("retry"))
        .child(Node::new("retry").attr("count", 2_u16).attr("id", "M1").attr("v", 1_u16))
        .child(Node::new("registration").bytes([0, 0, 0, 1]));
    assert_eq!(read_of(retry).0, InboundReceiptKind::Retry { count: 2 });
    assert_eq!(read_of(receipt(Some("played"))).0, InboundReceiptKind::Read);
    let other = answer(receipt(Some("inactive")));
    assert_eq!((other.tag.as_str(), other.attr_text("type")), ("ack", Some("inactive")));
    assert!(other.attr_text("error").is_none());
}

#[test]
fn receipts_at_the_limit_and_one_past_it() {
    let listed = |more: usize| {
        let items = (0..more).map(|number| Node::new("item").attr("id", format!("M{number}")));
        let list = Node::new("list").with_children(items);
        Node::new("receipt").attr("id", "M").attr("from", BOB).attr("type", "read").child(list)
    };
    assert_matches!(turn(listed(RECEIPT_MESSAGES_MAX - 1)), Turn::HandOn(Inbound::Receipt { receipt, .. }) => {
        assert_eq!(receipt.messages.len(), RECEIPT_MESSAGES_MAX);
    });
    let refusal = answer(listed(RECEIPT_MESSAGES_MAX));
    assert_eq!(refusal.attr_text("error"), Some("487"));
}

#[test]
fn typing_of_a_person_is_handed_on_and_answered_by_nobody() {
    let chatstate =
        |from: &str, state: Node| Node::new("chatstate").attr("from", from).child(state);
    let typing = |node| match turn(node) {
        Turn::HandOn(Inbound::Typing { user, typing }) => Some((user.0, typing)),
        Turn::Ignore(_) => None,
        other => panic!("{other:?}"),
    };
    let (composing, paused) = (Node::new("composing"), Node::new("paused"));
    let recording = Node::new("composing").attr("media", "audio");
    let device = "33612345678:3@s.whatsapp.net";
    assert_eq!(typing(chatstate(device, composing.clone())), Some((BOB.to_owned(), true)));
    assert_eq!(typing(chatstate(BOB, recording)), Some((BOB.to_owned(), true)));
    assert_eq!(typing(chatstate(BOB, paused)), Some((BOB.to_owned(), false)));
    assert_eq!(typing(chatstate("1234-5678@g.us", composing)), None);
    assert_eq!(typing(chatstate(BOB, Node::new("dancing"))), None);
}

#[test]
fn notices_of_keys_are_handed_on_and_others_acknowledged() {
    let notice = |kind, from: &str| {
        Node::new("notification").attr("id", "N").attr("from", from).attr("type", kind)
    };
    let low = notice("encrypt", "s.whatsapp.net").child(Node::new("count").attr("value", 3_u16));
    assert_matches!(turn(low), Turn::HandOnAnswered(Inbound::PreKeysLow { left: 3 }, ack) => {
        assert_eq!(ack.attr_text("class"), Some("notification"));
    });
    let changed = notice("encrypt", BOB).child(Node::new("identity"));
    assert_matches!(turn(changed), Turn::HandOn(Inbound::IdentityChanged { user, .. }) => {
        assert_eq!(user.0, BOB);
    });
    assert_eq!(answer(notice("picture", BOB)).attr_text("class"), Some("notification"));
}

#[test]
fn the_network_may_ask_whether_we_live_and_nothing_else() {
    let query = |xmlns: &str| {
        let node = Node::new("iq").attr("id", "1").attr("type", "get").attr("xmlns", xmlns);
        node.attr("from", "s.whatsapp.net")
    };
    assert_eq!(answer(query("urn:xmpp:ping")).attr_text("type"), Some("result"));
    let refusal = answer(query("something"));
    assert_eq!(refusal.attr_text("type"), Some("error"));
    assert_eq!(refusal.get("error").unwrap().attr_text("code"), Some("501"));
}

#[test]
fn unknown_stanzas_are_acknowledged_by_their_class() {
    let ack = answer(Node::new("call").attr("id", "C").attr("from", BOB));
    assert_eq!((ack.tag.as_str(), ack.attr_text("class")), ("ack", Some("call")));
    assert_matches!(turn(Node::new("call")), Turn::Ignore(_));
    assert_matches!(turn(Node::new("ib").child(Node::new("offline"))), Turn::Ignore(_));
    assert_matches!(turn(Node::new("xmlstreamend")), Turn::End(_));
}
