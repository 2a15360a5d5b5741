//! Who read what, and who is typing: told to the other side once, or not at all.

use std::{collections::BTreeMap, time::Duration};

use causeway::{
    domain::{
        ids::{Lane, PortalKey, RemoteMessageId},
        item::{Destination, InboundReceiptKind, OutboundReceipt, OutboundReceiptKind, OutboxItem},
        limits,
    },
    port::{Storage as _, storage::Change},
    runtime::{Answer, Transaction},
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{
    contact::Contact,
    cut::{Cut, at_every_write},
    homeserver::{BOT, PERSON},
    stage::Stage,
    surroundings::Trouble,
};

/// The person's public read receipt at an event.
fn read(room: &OwnedRoomId, event: &str) -> Value {
    receipt(room, event, "m.read", PERSON)
}

fn receipt(room: &OwnedRoomId, event: &str, kind: &str, user: &str) -> Value {
    json!({"type": "m.receipt", "room_id": room, "content": {event: {kind: {user: {"ts": 7}}}}})
}

fn typing(room: &OwnedRoomId, users: &[&str]) -> Value {
    json!({"type": "m.typing", "room_id": room, "content": {"user_ids": users}})
}

impl Stage {
    /// The contact writes, and it is shown. Gives the event ids, oldest first.
    async fn shows(&self, texts: &[&str]) -> Vec<String> {
        let before = self.homeserver.shown().len();
        for text in texts {
            self.network.contact_writes(text);
        }
        self.until("the texts", || self.homeserver.shown().len() == before + texts.len()).await;
        self.until("all taken", || self.network.unacknowledged() == 0).await;
        let mut ids = self.homeserver.shown_ids();
        ids.split_off(ids.len() - texts.len()).iter().map(ToString::to_string).collect()
    }

    async fn settles(&self) {
        self.pass(Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_person_read_is_told_once_and_together() {
    let (mut stage, room) = Stage::connected().await;
    let events = stage.shows(&["one", "two", "three"]).await;
    stage.push_ephemeral(vec![read(&room, &events[1])]).await;
    stage.until("a receipt", || stage.network.read() == [["C1", "C2"]]).await;
    // Again, further back, and under another transaction.
    stage.push_ephemeral(vec![read(&room, &events[1]), read(&room, &events[0])]).await;
    stage.push_ephemeral(vec![read(&room, &events[1])]).await;
    stage.settles().await;
    assert_eq!(stage.network.read(), [["C1", "C2"]]);
    stage.push_ephemeral(vec![read(&room, &events[2])]).await;
    stage.until("the third", || stage.network.read().len() == 2).await;
    assert_eq!(stage.network.read()[1], ["C3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_receipts_and_those_of_others_tell_nothing() {
    let (mut stage, room) = Stage::connected().await;
    let events = stage.shows(&["one"]).await;
    let ghost = stage.homeserver.sends()[0].sender.clone();
    let ghost = causeway::port::Homeserver::user_id(&*stage.homeserver, &ghost);
    let elsewhere = OwnedRoomId::try_from("!elsewhere:example.org").unwrap();
    let event = &events[0];
    stage
        .push_ephemeral(vec![
            receipt(&room, event, "m.read.private", PERSON),
            receipt(&room, event, "m.fully_read", PERSON),
            receipt(&room, event, "m.read", "@bob:example.org"),
            receipt(&room, event, "m.read", ghost.as_str()),
            receipt(&room, event, "m.read", BOT),
            read(&elsewhere, event),
            read(&room, "$unknown"),
            json!("junk"),
        ])
        .await;
    stage.settles().await;
    assert_eq!(stage.network.read(), Vec::<Vec<String>>::new());
    assert!(stage.set_aside.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_read_what_stands_before_it_was_read() {
    let (mut stage, room) = Stage::connected().await;
    stage.shows(&["one", "two"]).await;
    // The person reads their own message; one of the contact comes after it.
    let own = stage.text(&room, "own");
    let own_id = own["event_id"].as_str().unwrap().to_owned();
    stage.push(vec![own], &[]).await;
    stage.until("it to arrive", || stage.screen() == ["own"]).await;
    stage.shows(&["three"]).await;
    stage.push_ephemeral(vec![read(&room, &own_id)]).await;
    stage.until("a receipt", || stage.network.read() == [["C1", "C2"]]).await;
    // An event that the bridge did not make at all.
    stage.homeserver.archive(&json!({"event_id": "$state"}));
    stage.push_ephemeral(vec![read(&room, "$state")]).await;
    stage.until("the third", || stage.network.read().len() == 2).await;
    assert_eq!(stage.network.read()[1], ["C3"]);
}

/// A client reads an event as soon as the homeserver has it, which is before the bridge has written down
/// what it shows.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_faster_than_the_bridge_writes_has_read_it() {
    let (mut stage, room) = Stage::connected().await;
    stage.shows(&["one"]).await;
    // The homeserver takes what follows, and its answer is lost.
    stage.homeserver.sending_trouble(Some(Trouble::LostAnswer));
    stage.network.contact_writes("two");
    stage.until("it to be shown", || stage.homeserver.shown().len() == 2).await;
    let two = stage.homeserver.shown_ids()[1].clone();
    stage.push_ephemeral(vec![read(&room, two.as_str())]).await;
    stage.settles().await;
    stage.homeserver.sending_trouble(None);
    stage.until("a receipt", || stage.network.read() == [["C1", "C2"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_at_the_limit_and_one_past_it() {
    let (mut stage, room) = Stage::connected().await;
    let texts: Vec<String> =
        (0..=limits::READ_RECEIPT_MESSAGES_MAX).map(|number| format!("{number}")).collect();
    let events = stage.shows(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.push_ephemeral(vec![read(&room, events.last().unwrap())]).await;
    stage.until("two receipts", || stage.network.read().len() == 2).await;
    let counts: Vec<usize> = stage.network.read().iter().map(Vec::len).collect();
    assert_eq!(counts, [limits::READ_RECEIPT_MESSAGES_MAX, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_loses_no_receipt() {
    let (mut stage, room) = Stage::connected().await;
    let events = stage.shows(&["one"]).await;
    stage.push_as("1", Vec::new(), &[]).await;
    let ephemeral = vec![read(&room, &events[0])];
    let transaction = Transaction { ephemeral, ..Transaction::default() };
    assert_eq!(stage.offer_transaction("3", transaction).await, Some(Answer::Later));
    // The homeserver sends it again without what is ephemeral.
    assert_eq!(stage.push_as("3", Vec::new(), &[]).await, Answer::Acknowledge);
    stage.until("a receipt", || stage.network.read() == [["C1"]]).await;
    let event = stage.text(&room, "on");
    stage.push_as("4", vec![event], &[]).await;
    stage.until("the next", || stage.screen() == ["on"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ghost_reads_up_to_the_newest_that_its_contact_read() {
    let (mut stage, room) = Stage::connected().await;
    let mut ours = Vec::new();
    for text in ["one", "two", "three"] {
        let event = stage.text(&room, text);
        ours.push(event["event_id"].as_str().unwrap().to_owned());
        stage.push(vec![event], &[]).await;
    }
    stage.until("all", || stage.screen().len() == 3).await;
    let ids: Vec<_> = stage.network.envelopes().into_iter().map(|(id, _)| id).collect();
    // In any order, with one that nobody knows.
    let unknown = RemoteMessageId("UNKNOWN".to_owned());
    let aggregated = vec![ids[1].clone(), unknown.clone(), ids[0].clone()];
    stage.network.post_receipts(aggregated, InboundReceiptKind::Read);
    stage.until("a receipt", || stage.homeserver.reads().len() == 1).await;
    stage.network.post_receipt(unknown, InboundReceiptKind::Read);
    stage.network.post_receipt(ids[2].clone(), InboundReceiptKind::Delivered);
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    stage.network.post_receipt(ids[2].clone(), InboundReceiptKind::Read);
    stage.until("another", || stage.homeserver.reads().len() == 2).await;
    assert_eq!(stage.homeserver.reads(), [ours[1].as_str(), ours[2].as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_both_ways_and_ends() {
    let (mut stage, room) = Stage::connected().await;
    stage.push_ephemeral(vec![typing(&room, &[PERSON])]).await;
    stage.until("typing", || stage.network.typings() == [true]).await;
    stage.pass(limits::TYPING_TO_NETWORK.renewal).await;
    stage.until("it again", || stage.network.typings() == [true, true]).await;
    // Somebody else types as well, then nobody.
    stage.push_ephemeral(vec![typing(&room, &["@bob:example.org", PERSON])]).await;
    stage.push_ephemeral(vec![typing(&room, &[])]).await;
    stage.until("the end", || stage.network.typings() == [true, true, false]).await;

    stage.network.contact_types(true);
    stage.until("the contact typing", || stage.homeserver.typings() == [true]).await;
    // Their app says nothing more, but sends what was typed.
    stage.network.contact_writes("hi");
    stage.until("the end", || stage.homeserver.typings() == [true, false]).await;
    stage.network.contact_types(true);
    stage.until("once more", || stage.homeserver.typings().len() == 3).await;
    stage.until("its end", || stage.homeserver.typings().last() == Some(&false)).await;
}

/// Whom the homeserver names are all who type: the contact alone means that the person does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_person_stops_typing_while_the_contact_types() {
    let (mut stage, room) = Stage::connected().await;
    stage.shows(&["one"]).await;
    let ghost = stage.homeserver.sends()[0].sender.clone();
    let ghost = causeway::port::Homeserver::user_id(&*stage.homeserver, &ghost);
    stage.push_ephemeral(vec![typing(&room, &[PERSON, ghost.as_str()])]).await;
    stage.until("typing", || stage.network.typings() == [true]).await;
    stage.push_ephemeral(vec![typing(&room, &[ghost.as_str()])]).await;
    stage.pass(limits::TYPING_TO_NETWORK.pause + Duration::from_secs(1)).await;
    assert_eq!(stage.network.typings(), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_of_others_and_without_a_connection_is_lost() {
    let (mut stage, room) = Stage::connected().await;
    let elsewhere = OwnedRoomId::try_from("!elsewhere:example.org").unwrap();
    let events = vec![
        typing(&room, &["@bob:example.org"]),
        typing(&room, &[BOT]),
        typing(&elsewhere, &[PERSON]),
    ];
    stage.push_ephemeral(events).await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("no connection", || stage.network.connecting.is_waited_at()).await;
    stage.push_ephemeral(vec![typing(&room, &[PERSON])]).await;
    stage.settles().await;
    stage.push_ephemeral(vec![typing(&room, &[])]).await;
    stage.settles().await;
    stage.network.connecting.open();
    stage.until("a connection", || stage.network.is_connected()).await;
    stage.settles().await;
    assert_eq!(stage.network.typings(), Vec::<bool>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_tell_of_reading_is_not_told_either() {
    let (mut stage, room) = Stage::connected().await;
    assert!(stage.network.introduction().unwrap().read_receipts);
    stage.ask("read-receipts off").await;
    stage.ask("typing off").await;
    let events = stage.shows(&["one"]).await;
    stage.push_ephemeral(vec![read(&room, &events[0]), typing(&room, &[PERSON])]).await;
    let own = stage.text(&room, "own");
    stage.push(vec![own], &[]).await;
    stage.until("it to arrive", || stage.screen() == ["own"]).await;
    let (id, _) = stage.network.envelopes().pop().unwrap();
    stage.network.post_receipt(id.clone(), InboundReceiptKind::Read);
    stage.network.contact_types(true);
    // Theirs is shown: only reading is mutual.
    stage.until("their typing", || stage.homeserver.typings() == [true]).await;
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    stage.settles().await;
    assert!(stage.network.read().is_empty() && stage.homeserver.reads().is_empty());
    assert!(stage.network.typings().is_empty());
    stage.network.hang_up();
    stage.until("a connection", || stage.network.is_connected()).await;
    assert!(!stage.network.introduction().unwrap().read_receipts);

    // What was read in silence stays untold.
    stage.ask("read-receipts on").await;
    let events = stage.shows(&["two"]).await;
    stage.push_ephemeral(vec![read(&room, &events[0])]).await;
    stage.until("a receipt", || stage.network.read() == [["C2"]]).await;
    stage.network.post_receipt(id, InboundReceiptKind::Read);
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_told_the_persons_name_at_each_connection() {
    let (stage, _) = Stage::connected().await;
    let name = |stage: &Stage| stage.network.introduction().unwrap().display_name;
    assert_eq!(name(&stage).as_deref(), Some("Alice"));
    stage.homeserver.rename_person("Alice B.");
    assert_eq!(name(&stage).as_deref(), Some("Alice"));
    stage.network.hang_up();
    stage.until("another name", || name(&stage).as_deref() == Some("Alice B.")).await;
    // A homeserver that is away keeps nobody from connecting.
    stage.homeserver.trouble(Some(Trouble::Later));
    stage.network.hang_up();
    stage.until("no name", || name(&stage).is_none()).await;
    stage.until("a connection", || stage.network.is_connected()).await;
}

/// The contact writes, the person reads, and the process dies at one write.
async fn check_reading(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    let events = stage.shows(&["one", "two"]).await;
    stage.settles().await;
    stage.begin(cut).await;
    let mut died = false;
    for (id, event) in ["1", "2"].into_iter().zip(&events) {
        let push = || Transaction { ephemeral: vec![read(&room, event)], ..Transaction::default() };
        while stage.offer_transaction(id, push()).await != Some(Answer::Acknowledge) {
            assert!(stage.is_dead(), "{cut:?}: a transaction was refused");
            died = true;
            stage.begin(Cut::Never).await;
        }
    }
    let told = |stage: &Stage| stage.network.read().concat();
    let all = |stage: &Stage| ["C1", "C2"].iter().all(|id| told(stage).iter().any(|it| it == id));
    stage.until("the end or the death", || stage.is_dead() || all(&stage)).await;
    if !stage.is_dead() {
        stage.settles().await;
    }
    if stage.is_dead() {
        died = true;
        stage.begin(Cut::Never).await;
    }
    stage.until(&format!("{cut:?}: the receipts"), || all(&stage)).await;
    stage.settles().await;
    let mut receipts = BTreeMap::new();
    for receipt in stage.network.read() {
        for id in receipt.clone() {
            let first = receipts.entry(id).or_insert_with(|| receipt.clone());
            assert_eq!(*first, receipt, "{cut:?}: told of in two different receipts");
        }
    }
    assert_eq!(receipts.len(), 2, "{cut:?}");
    died
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_survives_a_death_at_every_write() {
    for cut in [Cut::Before, Cut::After] {
        at_every_write(cut, 4..40, check_reading).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_receipt_is_not_sent_once_its_prekey_is_used_up() {
    let (stage, _) = Stage::connected().await;
    let storage = stage.storage();
    let login = storage.logins().await.unwrap().remove(0).id;
    let ghost = stage.ports().namer.ghost_key(&Contact::user());
    let item = OutboxItem::Receipt(OutboundReceipt {
        login: login.clone(),
        to: Contact::address(),
        messages: vec![RemoteMessageId("C1".to_owned())],
        kind: OutboundReceiptKind::Retry { count: 1, sent_at: 7, prekey: 4_000_000 },
    });
    let lane = Lane::Portal(PortalKey { login: login.clone(), ghost });
    storage.commit(vec![Change::OutboxAdded { lane, item }]).await.unwrap();
    // The next connection looks what there is.
    stage.network.hang_up();
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(storage.outbox_lanes(&Destination::Network(login)).await.unwrap(), []);
    assert_eq!(stage.network.retries(), []);
    assert!(stage.set_aside.lock().unwrap().is_empty());
}
