//! What a person is told of each of their messages: that it left, that it arrived, or why not, and that
//! what was said to have failed arrived after all.

use std::time::Duration;

use causeway::{
    domain::{
        ids::RemoteMessageId,
        item::InboundReceiptKind::{Delivered, Read, Retry},
        limits,
    },
    runtime::Answer,
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{
    cut::{Cut, at_every_write},
    stage::Stage,
    surroundings::Trouble,
};

const GIVEN_UP: causeway::domain::item::InboundReceiptKind =
    Retry { count: limits::MESSAGE_RETRIES_MAX + 1 };

/// Which event a status is about, and what it says.
fn told(stage: &Stage) -> Vec<(String, String, Value)> {
    let told = stage.homeserver.statuses().into_iter().map(|status| {
        let about = &status["m.relates_to"];
        assert_eq!(about["rel_type"], "m.reference");
        let event = about["event_id"].as_str().unwrap().to_owned();
        let said = status["status"].as_str().unwrap().to_owned();
        (event, said, status["delivered_to_users"].clone())
    });
    told.collect()
}

impl Stage {
    /// The person writes, and the network takes it. Gives the event and the message.
    async fn sends(&mut self, room: &OwnedRoomId, text: &str) -> (String, RemoteMessageId) {
        let event = self.text(room, text);
        let id = event["event_id"].as_str().unwrap().to_owned();
        let before = self.network.envelopes().len();
        assert_eq!(self.push(vec![event], &[]).await, Answer::Acknowledge);
        self.until("it to leave", || self.network.envelopes().len() > before).await;
        (id, self.network.envelopes().pop().unwrap().0)
    }

    fn statuses(&self) -> usize {
        self.homeserver.statuses().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_told_to_be_sent_and_then_to_have_arrived() {
    let (mut stage, room) = Stage::connected().await;
    let (event, id) = stage.sends(&room, "hello").await;
    stage.until("a status", || stage.statuses() == 1).await;
    stage.network.post_receipt(id.clone(), Delivered);
    stage.until("another", || stage.statuses() == 2).await;
    stage.network.post_receipt(id, Read);
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    // Reading alone says that it arrived as well.
    let (second, id) = stage.sends(&room, "again").await;
    stage.network.post_receipt(id, Read);
    stage.until("two more", || stage.statuses() == 4).await;
    stage.pass(Duration::from_secs(2)).await;
    let ghost = told(&stage)[1].2[0].as_str().unwrap().to_owned();
    assert!(ghost.starts_with("@wa_"), "{ghost}");
    let success = |event: &str, to: Value| (event.to_owned(), "SUCCESS".to_owned(), to);
    let expected = [
        success(&event, json!([])),
        success(&event, json!([ghost])),
        success(&second, json!([])),
        success(&second, json!([ghost])),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_answered_and_says_why_without_its_words() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.refuse("the account is blocked");
    let (refused, _) = stage.sends(&room, "secret words").await;
    stage.until("a status", || stage.statuses() == 1).await;
    let event = stage.text(&room, "secret undecryptable");
    let unread = event["event_id"].as_str().unwrap().to_owned();
    stage.push(vec![event], &[]).await;
    stage.until("another", || stage.statuses() == 2).await;

    let statuses = stage.homeserver.statuses();
    let contents = stage.homeserver.contents();
    let expected = [
        (&refused, "FAIL_PERMANENT", "m.foreign_network_error", "the account is blocked"),
        (&unread, "FAIL_RETRIABLE", "com.beeper.undecryptable_event", "write it again"),
    ];
    for (number, (event, status, reason, words)) in expected.into_iter().enumerate() {
        assert_eq!(statuses[number]["m.relates_to"]["event_id"], **event);
        assert_eq!(statuses[number]["status"], status);
        assert_eq!(statuses[number]["reason"], reason);
        assert_eq!(statuses[number]["message"], contents[number]["body"]);
        assert!(contents[number]["body"].as_str().unwrap().contains(words));
        assert_eq!(contents[number]["m.relates_to"], json!({"m.in_reply_to": {"event_id": event}}));
        assert!(!statuses[number].to_string().contains("secret"));
    }
    assert_eq!(contents.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_healed_is_taken_back_once() {
    let (mut stage, room) = Stage::connected().await;
    let (event, id) = stage.sends(&room, "hello").await;
    for _ in 0..2 {
        stage.network.post_receipt(id.clone(), GIVEN_UP);
    }
    stage.until("a notice", || stage.homeserver.shown().len() == 1).await;
    stage.network.post_receipt(id.clone(), Delivered);
    stage.until("its edit", || stage.homeserver.shown().len() == 2).await;
    stage.network.post_receipt(id, Read);
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(2)).await;

    let contents = stage.homeserver.contents();
    assert_eq!(contents.len(), 2, "{contents:?}");
    assert_eq!(contents[0]["m.relates_to"], json!({"m.in_reply_to": {"event_id": event}}));
    let notice = stage.homeserver.shown_ids()[0].clone();
    assert_eq!(contents[1]["m.relates_to"], json!({"rel_type": "m.replace", "event_id": notice}));
    let now = contents[1]["m.new_content"]["body"].as_str().unwrap();
    assert!(now.contains("has arrived"), "{now}");
    let told: Vec<String> = told(&stage).into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(told, ["SUCCESS", "FAIL_PERMANENT", "SUCCESS"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_sent_before_it_is_taken_back() {
    let (mut stage, room) = Stage::connected().await;
    let (_, id) = stage.sends(&room, "hello").await;
    stage.until("a status", || stage.statuses() == 1).await;
    // What was decided waits in the outbox; encrypting goes on.
    stage.homeserver.sending_trouble(Some(Trouble::Later));
    stage.network.post_receipt(id.clone(), GIVEN_UP);
    stage.network.post_receipt(id, Delivered);
    stage.until("both taken in", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(5)).await;
    assert!(stage.homeserver.shown().is_empty());
    stage.homeserver.sending_trouble(None);
    stage.until("both", || stage.homeserver.shown().len() == 2).await;
    let notice = stage.homeserver.shown_ids()[0].clone();
    assert_eq!(stage.homeserver.contents()[1]["m.relates_to"]["event_id"], notice.as_str());
    assert!(stage.set_aside.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_that_comes_readable_takes_its_notice_back() {
    let (stage, _) = Stage::connected().await;
    stage.network.contact_writes("readable");
    stage.until("a message", || stage.homeserver.shown() == ["readable"]).await;
    for _ in 0..=limits::MESSAGE_RETRIES_MAX {
        let mut message = stage.network.written(Some("C9"), "lost");
        message.ciphertext.as_mut().unwrap().bytes.reverse();
        stage.network.post(message);
        stage.until("an end", || stage.network.unacknowledged() == 0).await;
        stage.pass(Duration::from_millis(200)).await;
    }
    stage.until("a notice", || stage.homeserver.shown().len() == 2).await;
    let message = stage.network.written(Some("C9"), "found");
    stage.network.post(message);
    stage.until("it and the edit", || stage.homeserver.shown().len() == 4).await;
    let contents = stage.homeserver.contents();
    let notice = stage.homeserver.shown_ids()[1].clone();
    let edit = contents.iter().find(|it| it["m.relates_to"]["event_id"] == notice.as_str());
    let now = edit.unwrap()["m.new_content"]["body"].as_str().unwrap();
    assert!(now.contains("can be read now"), "{now}");
    assert!(stage.homeserver.shown().contains(&"found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_says_so_once_and_then_that_it_left() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("no connection", || stage.network.connecting.is_waited_at()).await;
    let event = stage.text(&room, "hello");
    let id = event["event_id"].as_str().unwrap().to_owned();
    stage.push(vec![event], &[]).await;
    stage.pass(limits::LINK_WAIT * (limits::PENDING_AFTER_TRIES - 1)).await;
    assert_eq!(stage.statuses(), 0, "a moment is no news");
    stage.until("a status", || stage.statuses() == 1).await;
    stage.pass(Duration::from_secs(30)).await;
    stage.network.connecting.open();
    stage.until("another", || stage.statuses() == 2).await;
    let told: Vec<_> = told(&stage).into_iter().map(|(about, said, _)| (about, said)).collect();
    assert_eq!(told, [(id.clone(), "PENDING".to_owned()), (id, "SUCCESS".to_owned())]);
    assert!(stage.homeserver.shown().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_status_events_there_are_notices_alone() {
    let (mut stage, room) = Stage::connected().await;
    stage.message_status = false;
    stage.begin(Cut::Never).await;
    let (_, id) = stage.sends(&room, "hello").await;
    stage.network.post_receipt(id.clone(), GIVEN_UP);
    stage.until("a notice", || stage.homeserver.shown().len() == 1).await;
    stage.network.post_receipt(id, Delivered);
    stage.until("its edit", || stage.homeserver.shown().len() == 2).await;
    assert_eq!(stage.statuses(), 0);
}

/// A message fails and heals, and the process dies at one write.
async fn check_healing(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    let (_, id) = stage.sends(&room, "hello").await;
    stage.pass(Duration::from_secs(2)).await;
    stage.begin(cut).await;
    stage.network.post_receipt(id.clone(), GIVEN_UP);
    let healed = |stage: &Stage| stage.homeserver.shown().len() == 2 && stage.statuses() == 3;
    let noticed = |stage: &Stage| !stage.homeserver.shown().is_empty();
    stage.until("a notice or the death", || stage.is_dead() || noticed(&stage)).await;
    stage.network.post_receipt(id, Delivered);
    stage.until("the end or the death", || stage.is_dead() || healed(&stage)).await;
    if !stage.is_dead() {
        stage.pass(Duration::from_secs(2)).await;
    }
    let died = stage.is_dead();
    if died {
        stage.begin(Cut::Never).await;
    }
    stage.until(&format!("{cut:?}: the edit"), || healed(&stage)).await;
    stage.pass(Duration::from_secs(2)).await;
    assert!(healed(&stage), "{cut:?}: said more than once");
    let notice = stage.homeserver.shown_ids()[0].clone();
    let edit = &stage.homeserver.contents()[1];
    assert_eq!(edit["m.relates_to"]["event_id"], notice.as_str(), "{cut:?}");
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    died
}

#[tokio::test(flavor = "multi_thread")]
async fn healing_survives_a_death_at_every_write() {
    for cut in [Cut::Before, Cut::After] {
        at_every_write(cut, 6..40, check_healing).await;
    }
}
