use std::time::Duration;

use assert_matches::assert_matches;
use causeway_wire::node::Node;

use super::{
    super::{NetworkProfile, connection::INCOMING_MAX},
    BOB, credentials, interop,
    server::{Server, Session},
};
use crate::{
    domain::{
        ids::{RemoteAddress, RemoteMessageId, RemoteUser},
        item::{Envelope, EnvelopeKind, EnvelopePart, OutboundReceipt, OutboundReceiptKind},
    },
    port::{
        InteropNetwork as _, Retry,
        network::{Accepted, Connected, Inbound},
    },
    signal::{Ciphertext, CiphertextKind},
};

async fn connected(change: impl FnOnce(&mut NetworkProfile)) -> (Connected, Session) {
    let (server, mut profile) = Server::start().await;
    change(&mut profile);
    let interop = interop(profile);
    let who = credentials();
    let (connected, session) = tokio::join!(interop.connect(&who), server.welcome());
    (connected.unwrap(), session)
}

fn message(id: usize) -> Node {
    let enc = Node::new("enc").attr("v", 2_u16).attr("type", "msg").bytes(*b"sealed");
    let node = Node::new("message").attr("id", id.to_string()).attr("from", BOB);
    node.attr("type", "text").attr("t", 1_700_000_000_u64).child(enc)
}

fn id_of(inbound: &Inbound) -> &str {
    match inbound {
        Inbound::Message { message, .. } => &message.id.0,
        other => panic!("{other:?}"),
    }
}

fn envelope() -> Envelope {
    let ciphertext = Ciphertext { kind: CiphertextKind::Message, bytes: b"sealed".to_vec() };
    Envelope {
        login: credentials().login,
        id: RemoteMessageId("M1".to_owned()),
        to: RemoteUser(BOB.to_owned()),
        kind: EnvelopeKind::Text,
        parts: vec![EnvelopePart { device: 0, ciphertext }],
    }
}

fn ack(of: &Node, error: Option<u16>) -> Node {
    let node = Node::new("ack").attr("class", of.tag.as_str());
    node.attr("id", of.attr_text("id").unwrap()).attr("from", BOB).attr_opt("error", error)
}

#[tokio::test]
async fn a_silent_server_is_noticed() {
    let (mut connected, session) = connected(|profile| {
        profile.patience.keepalive = Duration::from_millis(100);
        profile.patience.silence = Duration::from_millis(100);
    })
    .await;
    // The socket stays open and nothing is answered: a half-open connection.
    let end = tokio::time::timeout(Duration::from_secs(5), connected.inbound.recv()).await;
    assert!(end.unwrap().is_none());
    assert_eq!(connected.link.prekey_count().await.unwrap_err().retry, Retry::Later);
    drop(session);
}

#[tokio::test]
async fn a_server_that_answers_pings_is_kept() {
    let (mut connected, mut session) = connected(|profile| {
        profile.patience.keepalive = Duration::from_millis(20);
    })
    .await;
    for _ in 0..5 {
        let ping = session.expect("iq").await;
        assert_eq!(ping.attr_text("xmlns"), Some("w:p"));
        session.answer(&ping, None).await;
    }
    session.send(message(1)).await;
    assert_eq!(id_of(&connected.inbound.recv().await.unwrap()), "1");
}

#[tokio::test]
async fn a_slow_receiver_holds_the_network_back_and_loses_nothing() {
    let (mut connected, mut session) = connected(|profile| {
        profile.patience.keepalive = Duration::from_millis(50);
        profile.patience.silence = Duration::from_millis(50);
    })
    .await;
    let count = 3 * INCOMING_MAX;
    for id in 0..count {
        session.send(message(id)).await;
    }
    // Many pings go unanswered meanwhile, since nobody reads answers: not the server's silence.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut got = Vec::new();
    for _ in 0..count {
        got.push(id_of(&connected.inbound.recv().await.unwrap()).to_owned());
    }
    assert_eq!(got, (0..count).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_closed_link_writes_what_waits_and_hangs_up() {
    let (mut connected, mut session) = connected(|_| {}).await;
    session.send(message(1)).await;
    let Some(Inbound::Message { stanza, .. }) = connected.inbound.recv().await else {
        panic!("no message");
    };
    connected.link.acknowledge(&stanza).await.unwrap();
    connected.link.close().await;
    let ack = session.expect("ack").await;
    assert_eq!((ack.attr_text("class"), ack.attr_text("id")), (Some("message"), Some("1")));
    assert_eq!(ack.attr_jid("to").unwrap().unwrap().to_string(), BOB);
    assert!(session.next().await.is_none());
    assert!(connected.inbound.recv().await.is_none());
    assert_eq!(connected.link.acknowledge(&stanza).await.unwrap_err().retry, Retry::Later);
}

#[tokio::test]
async fn a_dropped_link_hangs_up() {
    let (connected, mut session) = connected(|_| {}).await;
    let Connected { link, mut inbound } = connected;
    drop(link);
    assert!(session.next().await.is_none());
    assert!(inbound.recv().await.is_none());
}

#[tokio::test]
async fn a_stream_error_or_a_hang_up_ends_what_comes_in() {
    let (mut first, mut session) = connected(|_| {}).await;
    session.send(Node::new("stream:error").attr("code", 515_u16)).await;
    assert!(first.inbound.recv().await.is_none());
    let (mut second, session) = connected(|_| {}).await;
    drop(session);
    assert!(second.inbound.recv().await.is_none());
}

#[tokio::test]
async fn one_unreadable_stanza_does_not_cost_the_connection() {
    let (mut connected, mut session) = connected(|_| {}).await;
    session.send_packed(&[0, 255, 255, 255]).await;
    session.send(message(1)).await;
    assert_eq!(id_of(&connected.inbound.recv().await.unwrap()), "1");
}

#[tokio::test]
async fn an_envelope_waits_for_its_acknowledgement() {
    let (connected, mut session) = connected(|_| {}).await;
    for (error, expected) in [(None, Some(true)), (Some(403), Some(false)), (Some(503), None)] {
        let serve = async {
            let sent = session.expect("message").await;
            assert_eq!(sent.get("enc").unwrap().content_bytes(), Some(b"sealed".as_slice()));
            session.send(ack(&sent, error)).await;
        };
        let envelope = envelope();
        let (accepted, ()) = tokio::join!(connected.link.send(&envelope), serve);
        match (accepted, expected) {
            (Ok(Accepted::Stored), Some(true)) | (Ok(Accepted::Refused { .. }), Some(false)) => {}
            (Err(failure), None) => assert_eq!(failure.retry, Retry::Later),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn without_an_acknowledgement_an_envelope_is_to_be_sent_again() {
    let (connected, _session) =
        connected(|profile| profile.patience.request = Duration::from_millis(100)).await;
    assert_eq!(connected.link.send(&envelope()).await.unwrap_err().retry, Retry::Later);
}

#[tokio::test]
async fn a_delivery_receipt_lists_its_messages_and_waits_for_its_acknowledgement() {
    let (connected, mut session) = connected(|_| {}).await;
    let receipt = OutboundReceipt {
        login: credentials().login,
        to: RemoteAddress { user: RemoteUser(BOB.to_owned()), device: 3 },
        messages: ["M1", "M2"].map(|id| RemoteMessageId(id.to_owned())).to_vec(),
        kind: OutboundReceiptKind::Delivered,
    };
    let serve = async {
        let sent = session.expect("receipt").await;
        assert_eq!(sent.attr_text("id"), Some("M1"));
        assert_eq!(sent.attr_jid("to").unwrap().unwrap().device(), 3);
        let item = &sent.get("list").unwrap().children()[0];
        assert_eq!(item.attr_text("id"), Some("M2"));
        session.send(ack(&sent, None)).await;
    };
    let (sent, ()) = tokio::join!(connected.link.send_receipt(&receipt, None), serve);
    sent.unwrap();
}

#[tokio::test]
async fn typing_and_reading_go_to_the_person_whatever_their_device() {
    let (connected, mut session) = connected(|_| {}).await;
    let bob = RemoteUser(BOB.to_owned());
    for (typing, state) in [(true, "composing"), (false, "paused")] {
        connected.link.typing(&bob, typing).await.unwrap();
        let sent = session.expect("chatstate").await;
        assert_eq!(sent.attr_jid("to").unwrap().unwrap().to_string(), BOB);
        assert!(sent.get(state).is_some());
    }
    let receipt = OutboundReceipt {
        login: credentials().login,
        to: RemoteAddress { user: bob, device: 0 },
        messages: vec![RemoteMessageId("M1".to_owned())],
        kind: OutboundReceiptKind::Read,
    };
    let serve = async {
        let sent = session.expect("receipt").await;
        assert_eq!(sent.attr_text("type"), Some("read"));
        assert_eq!(sent.attr_jid("to").unwrap().unwrap().to_string(), BOB);
        session.send(ack(&sent, None)).await;
    };
    let (sent, ()) = tokio::join!(connected.link.send_receipt(&receipt, None), serve);
    sent.unwrap();
}

#[tokio::test]
async fn a_number_is_reachable_closed_or_nobody() {
    let (connected, mut session) = connected(|_| {}).await;
    for (known, keys_error, expected) in [
        (true, Some(404_u16), "Reachable(…)"),
        (true, Some(403), "NotOptedIn"),
        (false, None, "NotOnNetwork"),
    ] {
        let serve = async {
            let query = session.expect("iq").await;
            assert_eq!(query.attr_text("xmlns"), Some("usync"));
            let contact = Node::new("contact").attr("type", if known { "in" } else { "out" });
            let user = Node::new("user").attr_opt("jid", known.then_some(BOB)).child(contact);
            let list = Node::new("list").child(user);
            session.answer(&query, Some(Node::new("usync").child(list))).await;
            if let Some(code) = keys_error {
                let query = session.expect("iq").await;
                let error = Node::new("error").attr("code", code).attr("text", "x");
                let user = Node::new("user").attr("jid", BOB).child(error);
                session.answer(&query, Some(Node::new("list").child(user))).await;
            }
        };
        let (resolved, ()) = tokio::join!(connected.link.resolve("33612345678"), serve);
        assert_eq!(format!("{:?}", resolved.unwrap()), expected);
    }
    assert_matches!(connected.link.resolve("+336").await, Err(failure) => {
        assert_eq!(failure.retry, Retry::Never);
    });
}
