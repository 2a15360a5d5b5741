//! A partner's client, built on `causeway_wire` alone, against a running emulator: enlistment, login, messages both ways,
//! refusals, faults. A tiny server plays the partner's: its key set and its push endpoint.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "interop/client.rs"]
mod client;
#[path = "interop/media.rs"]
mod media;
#[path = "interop/partner.rs"]
mod partner;
#[path = "interop/party.rs"]
mod party;
// The same in-memory stores as a simulated person's: they are plain maps behind the library's traits.
#[path = "../src/person/store.rs"]
mod store;

use std::time::Duration;

use assert_matches::assert_matches;
use causeway_emulator::{Emulator, Options, limits};
use causeway_wire::{
    node::Node,
    noise::{CertificateError, NoiseError},
    stanza::{
        ChatState, ChatstateStanza, FailureStanza, IbItem, IqBody, NotificationBody, Query,
        ReceiptKind, Route, StreamError,
        interop::{BlockChange, BlocklistForm, parse_blocklist},
        usync::Usync,
    },
};
use client::{Client, ConnectError};
use partner::PartnerServer;
use serde_json::{Value, json};

const ALICE: &str = "@alice:hs.test";
const ROBIN: &str = "4915112345678";

struct Scene {
    emulator: Emulator,
    partner: PartnerServer,
    http: reqwest::Client,
}

impl Scene {
    /// An emulator, a partner's server, and a simulated person who opted in.
    async fn set() -> Self {
        let partner = PartnerServer::start().await;
        let emulator = Emulator::start(Options::for_partner(12, &partner.base_url)).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let scene = Self { emulator, partner, http };
        let person = json!({"phone": ROBIN, "name": "Robin", "opted_in": true});
        assert_eq!(scene.post("people", person).await.0, 201);
        scene
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.emulator.addresses().control)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.http.post(self.url(path)).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.unwrap().json().await.unwrap()
    }

    /// A client that is enlisted and logged in.
    async fn alice(&self) -> Client {
        let mut client = Client::new(ALICE);
        client.enlist(self).await;
        client.connect(self).await.unwrap();
        client.publish_prekeys(20).await;
        client
    }

    /// Texts that Robin has after waiting for at least `count`.
    async fn robin_reads(&self, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let path = format!("people/{ROBIN}/received?after={}&wait_ms=2000", count - 1);
            let answer = self.get(&path).await;
            let some = !answer["messages"].as_array().unwrap().is_empty();
            if some || tokio::time::Instant::now() > deadline {
                let all = self.get(&format!("people/{ROBIN}/received")).await;
                let texts = all["messages"].as_array().unwrap().iter();
                return texts.map(|text| text["text"].as_str().unwrap().to_owned()).collect();
            }
        }
    }

    async fn robin_sends(&self, text: &str) -> String {
        let (status, answer) =
            self.post(&format!("people/{ROBIN}/send"), json!({"to": ALICE, "text": text})).await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn order(&self, faults: Value) {
        assert_eq!(self.post("faults", faults).await.0, 204);
    }
}

#[tokio::test]
async fn texts_go_both_ways_in_order_and_receipts_come_back() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.expect("Robin is on the network");
    for number in 0..5 {
        alice.send_text(&robin, &format!("to Robin {number}")).await;
    }
    let expected: Vec<String> = (0..5).map(|number| format!("to Robin {number}")).collect();
    assert_eq!(scene.robin_reads(5).await, expected);
    for _ in 0..5 {
        assert_matches!(alice.next_receipt().await.kind, ReceiptKind::Delivered);
    }
    let seen = scene.get(&format!("people/{ROBIN}/received")).await;
    let from = seen["messages"][0]["from"].as_str().unwrap();
    assert!(from.starts_with("12-") && from.ends_with("@interop"), "{from}");
    assert_eq!(seen["messages"][0]["display_name"], ALICE);

    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(scene.robin_sends(&format!("to Alice {number}")).await);
    }
    for (number, id) in ids.iter().enumerate() {
        let message = alice.next_message().await;
        assert_eq!((&message.id, message.text.as_str()), (id, &*format!("to Alice {number}")));
        alice.confirm(&message).await;
    }
    let receipts = scene.get(&format!("people/{ROBIN}/receipts/{}", ids[0])).await;
    assert_eq!(receipts, json!(["delivered"]));
    scene.emulator.stop().await;
}

#[tokio::test]
async fn typing_reaches_who_is_connected_and_nobody_else() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.expect("Robin is on the network");
    let types = async |state: &str| {
        let order = json!({"to": ALICE, "state": state});
        let (status, answer) = scene.post(&format!("people/{ROBIN}/typing"), order).await;
        assert_eq!(status, 204, "{answer}");
    };
    for (order, state) in [
        ("composing", ChatState::Composing),
        ("recording", ChatState::Recording),
        ("paused", ChatState::Paused),
    ] {
        types(order).await;
        assert_eq!(alice.next_chatstate().await.state, state);
        let route = Route::to(robin.clone());
        alice.send_raw(ChatstateStanza { route, state }.into_node()).await;
    }
    // The answer comes after everything before the question has been read.
    alice.ask(Query::Ping).await;
    let seen = scene.get(&format!("people/{ROBIN}/typing")).await;
    let states: Vec<&str> =
        seen.as_array().unwrap().iter().map(|typed| typed["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["composing", "recording", "paused"]);
    assert!(seen[0]["from"].as_str().unwrap().ends_with("@interop"));
    scene.emulator.stop().await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let first = scene.robin_sends("one").await;
    let second = scene.robin_sends("two").await;
    let message = alice.next_message().await;
    assert_eq!(message.id, first);
    alice.confirm(&message).await;
    assert_eq!(alice.next_message_raw().await.id, second, "sent, but not acknowledged");
    alice.disconnect().await;
    let third = scene.robin_sends("three").await;
    let pushed = scene.partner.next_push().await;
    assert_eq!(pushed, ALICE);
    alice.connect(&scene).await.unwrap();
    let waiting = alice.offline_count().await;
    assert!(waiting >= 2, "{waiting}");
    let messages = [alice.next_message().await, alice.next_message().await];
    assert_eq!([&messages[0].id, &messages[1].id], [&second, &third]);
    assert_eq!([&messages[0].text, &messages[1].text], ["two", "three"]);
}

#[tokio::test]
async fn a_message_that_is_sent_twice_arrives_once_and_is_acknowledged_twice() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    let stanza = alice.encrypt(&robin, "once").await;
    alice.send_message(stanza.clone()).await.unwrap();
    alice.send_message(stanza).await.unwrap();
    alice.send_text(&robin, "then").await;
    assert_eq!(scene.robin_reads(2).await, ["once", "then"]);
    assert_eq!(scene.get("state").await["duplicates_dropped"], 1);
}

#[tokio::test]
async fn who_is_not_on_the_network_or_did_not_opt_in_is_told_apart() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    assert_eq!(alice.look_up("4915100000000").await, None);
    let shy = json!({"phone": "4915199999999", "name": "Shy", "opted_in": false});
    scene.post("people", shy).await;
    let shy = alice.look_up("4915199999999").await.expect("found, but");
    assert_eq!(alice.fetch_keys(&shy).await.unwrap_err().code, 403);
}

#[tokio::test]
async fn a_wrong_noise_key_a_foreign_token_or_an_unknown_account_is_refused() {
    let scene = Scene::set().await;
    let mut alice = Client::new(ALICE);
    alice.enlist(&scene).await;
    let mut other_key = alice.clone_login();
    other_key.renew_noise_key();
    let refused = other_key.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 401 })));

    let mut forged = alice.clone_login();
    forged.token_override = Some(PartnerServer::start().await.token(ALICE));
    let refused = forged.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 413 })));

    let mut other_subject = alice.clone_login();
    other_subject.token_override = Some(scene.partner.token("@mallory:hs.test"));
    let refused = other_subject.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 413 })));

    let mut unknown = alice.clone_login();
    unknown.account += 1;
    let refused = unknown.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 401 })));
    alice.connect(&scene).await.unwrap();
}

#[tokio::test]
async fn an_enlistment_is_verified_and_repeating_it_keeps_the_account() {
    let scene = Scene::set().await;
    let mut alice = Client::new(ALICE);
    alice.enlist(&scene).await;
    let account = alice.account;
    let mut again = Client::new(ALICE);
    again.enlist(&scene).await;
    assert_eq!(again.account, account, "the same user-visible id is the same account");
    let refused = alice.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 401 })));

    let mut unsigned = Client::new("@bob:hs.test");
    unsigned.party.spoil_signature();
    assert_eq!(unsigned.try_enlist(&scene, None).await["reason"], "bad_signature");
    let forged = PartnerServer::start().await.token("@bob:hs.test");
    let bob = Client::new("@bob:hs.test");
    assert_eq!(bob.try_enlist(&scene, Some(forged)).await["status"], "fail");
}

#[tokio::test]
async fn an_unenlisted_user_has_to_enlist_anew() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let unenlist = Query::Unenlist(causeway_wire::stanza::interop::UnenlistForm::Interop);
    assert_matches!(alice.ask(unenlist).await.body, IqBody::Result(_));
    assert_eq!(alice.next_stream_error().await, StreamError::Code(401));
    let refused = alice.connect(&scene).await;
    assert_matches!(refused, Err(ConnectError::Refused(FailureStanza { reason: 401 })));
    let (status, _) =
        scene.post(&format!("people/{ROBIN}/send"), json!({"to": ALICE, "text": "gone?"})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_wrong_certificate_is_shown_when_ordered_and_then_the_right_one_again() {
    let scene = Scene::set().await;
    let mut alice = Client::new(ALICE);
    alice.enlist(&scene).await;
    for fault in ["wrong_root", "wrong_leaf_key", "expired_leaf"] {
        scene.order(json!({ fault: 1 })).await;
        let refused = alice.connect(&scene).await;
        let Err(ConnectError::Noise(NoiseError::Certificate(error))) = refused else {
            panic!("{fault}: {refused:?}");
        };
        match fault {
            "wrong_root" => assert_eq!(error, CertificateError::WrongRoot),
            "wrong_leaf_key" => assert_eq!(error, CertificateError::WrongLeafKey),
            _ => assert_matches!(error, CertificateError::Expired { .. }),
        }
    }
    alice.connect(&scene).await.unwrap();
}

#[tokio::test]
async fn ordered_faults_of_delivery_happen_and_lose_nothing() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    scene.order(json!({"drop": 1, "target": ALICE})).await;
    scene.robin_sends("dropped").await;
    let second = scene.robin_sends("kept").await;
    assert_eq!(alice.next_message_raw().await.id, second);
    alice.disconnect().await;
    alice.connect(&scene).await.unwrap();
    for text in ["dropped", "kept"] {
        let message = alice.next_message().await;
        assert_eq!(message.text, text);
        alice.confirm(&message).await;
    }
    scene.order(json!({"reorder": 1})).await;
    let ids = [scene.robin_sends("a").await, scene.robin_sends("b").await];
    let arrived = [alice.next_message().await, alice.next_message().await];
    assert_eq!([&arrived[0].id, &arrived[1].id], [&ids[1], &ids[0]]);
    scene.order(json!({"duplicate": 1})).await;
    let id = scene.robin_sends("twice").await;
    assert_eq!(
        [alice.next_message_raw().await.id, alice.next_message_raw().await.id],
        [&*id, &*id]
    );
    scene.order(json!({"nack": {"code": 500}})).await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    let stanza = alice.encrypt(&robin, "refused").await;
    assert_eq!(alice.send_message(stanza).await, Err(500));
    scene.order(json!({"stream_error": {"code": 503}})).await;
    assert_eq!(alice.next_stream_error().await, StreamError::Code(503));
    assert_eq!(scene.get("state").await["faults"], json!([]));
}

#[tokio::test]
async fn an_unreadable_message_is_asked_for_again_by_either_side() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    // Robin cannot read and asks again; the answer is the same message under a fresh session.
    scene.order(json!({"corrupt_next_ciphertext": 1, "target": ROBIN})).await;
    let id = alice.send_text(&robin, "read me").await;
    let receipt = alice.next_receipt().await;
    assert_matches!(&receipt.kind, ReceiptKind::Retry(retry) if retry.count == 1);
    assert_eq!(receipt.id, id);
    alice.send_again(&robin, &id, "read me").await;
    assert_eq!(scene.robin_reads(1).await, ["read me"]);
    // Alice cannot read and asks again.
    scene.order(json!({"corrupt_next_ciphertext": 1})).await;
    let id = scene.robin_sends("and me").await;
    let unreadable = alice.next_message_raw().await;
    alice.ask_again(&unreadable).await;
    let message = alice.next_message().await;
    assert_eq!((message.id.as_str(), message.text.as_str()), (id.as_str(), "and me"));
}

#[tokio::test]
async fn a_changed_identity_is_announced_and_spent_prekeys_are_reported() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    alice.send_text(&robin, "hello").await;
    scene.robin_reads(1).await;
    scene.order(json!({"changed_identity": {"phone": ROBIN}})).await;
    let notice = alice.next_notification().await;
    assert_matches!(notice.body, NotificationBody::IdentityChanged);
    scene.order(json!({"no_prekeys": 1})).await;
    assert!(alice.fetch_keys(&robin).await.unwrap().prekey.is_none());
    assert!(alice.fetch_keys(&robin).await.unwrap().prekey.is_some());
}

#[tokio::test]
async fn websocket_and_raw_tcp_share_the_port_and_a_ping_is_answered() {
    let scene = Scene::set().await;
    let mut alice = Client::new(ALICE);
    alice.enlist(&scene).await;
    for websocket in [false, true] {
        alice.websocket = websocket;
        alice.connect(&scene).await.unwrap();
        assert_matches!(alice.ask(Query::Ping).await.body, IqBody::Result(_));
        let usync = Usync::devices("1", [format!("{ROBIN}@s.whatsapp.net").parse().unwrap()]);
        assert_matches!(alice.ask(Query::Usync(usync)).await.body, IqBody::Result(_));
        alice.disconnect().await;
    }
}

#[tokio::test]
async fn a_half_open_connection_is_silent_until_it_is_replaced() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    scene.order(json!({"half_open": 1})).await;
    let id = scene.robin_sends("into the void").await;
    assert!(alice.is_silent_for(Duration::from_millis(300)).await);
    assert_eq!(scene.get(&format!("partners/{ALICE}")).await["connected"], true);
    alice.connect(&scene).await.unwrap();
    assert_eq!(alice.next_message().await.id, id);
}

#[tokio::test]
async fn a_delayed_message_holds_back_what_comes_behind_it() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    alice.offline_count().await;
    scene.order(json!({"delay": {"ms": 300}})).await;
    let ids = [scene.robin_sends("late").await, scene.robin_sends("behind").await];
    assert!(alice.is_silent_for(Duration::from_millis(150)).await);
    assert_eq!([alice.next_message_raw().await.id, alice.next_message_raw().await.id], ids);
}

#[tokio::test]
async fn a_stock_of_prekeys_that_runs_low_is_reported_once() {
    let scene = Scene::set().await;
    let mut alice = Client::new(ALICE);
    alice.enlist(&scene).await;
    alice.connect(&scene).await.unwrap();
    alice.publish_prekeys(limits::PREKEYS_LOW.try_into().unwrap()).await;
    scene.robin_sends("spends one").await;
    let notice = alice.next_notification().await;
    let left = u32::try_from(limits::PREKEYS_LOW).unwrap() - 1;
    assert_eq!(notice.body, NotificationBody::PreKeysLow { count: left });
    assert_eq!(scene.get(&format!("partners/{ALICE}")).await["prekeys_left"], left);
}

#[tokio::test]
async fn who_is_blocked_is_confirmed_and_not_heard() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    let block = |blocked| {
        let change = BlockChange { jid: robin.clone(), blocked };
        Query::ChangeBlocklist(BlocklistForm::Ordinary, vec![change])
    };
    assert_matches!(alice.ask(block(true)).await.body, IqBody::Result(_));
    scene.robin_sends("unheard").await;
    let list = alice.ask(Query::GetBlocklist(BlocklistForm::Ordinary)).await;
    let list = list.body.into_answer().unwrap().unwrap();
    assert_eq!(parse_blocklist(&list).unwrap(), std::slice::from_ref(&robin));
    assert_matches!(alice.ask(block(false)).await.body, IqBody::Result(_));
    let heard = scene.robin_sends("heard").await;
    assert_eq!(alice.next_message_raw().await.id, heard);
}

#[tokio::test]
async fn what_is_not_known_is_refused_politely_and_the_connection_stays() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let refused = alice.ask_raw("w:nonsense", Node::new("what")).await;
    assert_matches!(refused.body, IqBody::Error(error) if error.code == 501);
    alice.send_raw(Node::new("nonsense").attr("id", "1")).await;
    alice.send_raw(Node::new("message").attr("id", "2").attr("to", "nobody@s.whatsapp.net")).await;
    assert_matches!(alice.ask(Query::Ping).await.body, IqBody::Result(_));
}

#[tokio::test]
async fn only_loopback_is_served() {
    let mut options = Options::for_partner(12, "http://127.0.0.1:1");
    options.control.set_ip([0, 0, 0, 0].into());
    let refused = Emulator::start(options).await;
    assert_matches!(refused, Err(causeway_emulator::StartError::NotLoopback(_)));
    let refused = Emulator::start(Options::for_partner(1_000, "http://127.0.0.1:1")).await;
    assert_matches!(refused, Err(causeway_emulator::StartError::PartnerId(1_000)));
}

fn offline(items: &[IbItem]) -> Option<u32> {
    items.iter().find_map(|item| match item {
        IbItem::Offline { count } => Some(*count),
        _ => None,
    })
}
