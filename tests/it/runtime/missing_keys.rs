//! Messages of the person whose room key has not come: they hold their chat for a moment, wait beside it
//! for days, and go on in their order when the key comes.

use std::time::Duration;

use causeway::{
    domain::{
        ids::{Lane, RoomKeyId},
        item::{InboxItem, RawEvent},
        limits,
    },
    port::{
        Clock as _, Storage as _,
        storage::{Change, InboxDraft, IntakeKey},
    },
    runtime::Answer,
};
use ruma::OwnedRoomId;
use serde_json::Value;

use super::{
    cut::{Cut, at_every_write},
    stage::Stage,
};

const SECOND: Duration = Duration::from_secs(1);

fn notices(stage: &Stage) -> Vec<String> {
    stage.homeserver.shown()
}

fn were_told(stage: &Stage, words: &str) -> bool {
    notices(stage).iter().any(|notice| notice.contains(words))
}

async fn until_told(stage: &Stage, words: &str) {
    stage.until(words, || were_told(stage, words)).await;
}

fn set_aside(stage: &Stage) -> Vec<String> {
    stage.set_aside.lock().unwrap().clone()
}

/// A message without its key that waits beside the chat, and one behind it that went on.
async fn one_waits() -> (Stage, OwnedRoomId) {
    let (mut stage, room) = Stage::connected().await;
    let events = vec![stage.text_under(&room, "lost", "k1"), stage.text(&room, "behind")];
    let fetches = stage.homeserver.fetches();
    assert_eq!(stage.push(events, &[]).await, Answer::Acknowledge);
    stage.until("a fetch", || stage.homeserver.fetches() > fetches).await;
    assert!(stage.screen().is_empty(), "nothing younger overtakes at once");
    stage.until("the text behind it", || stage.screen() == ["behind"]).await;
    until_told(&stage, "This message waits").await;
    (stage, room)
}

fn last_content(stage: &Stage) -> Value {
    stage.homeserver.contents().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_beside_its_chat_and_goes_out_with_its_key() {
    let (mut stage, _) = one_waits().await;
    let notice = stage.homeserver.shown_ids()[0].clone();
    // Until the looks are far apart: it is the key that brings it.
    for _ in 0..12 {
        stage.clock.advance(limits::ROOM_KEY_BACKOFF.max);
        stage.pass(SECOND).await;
    }
    assert_eq!(stage.screen(), ["behind"]);
    stage.push(Vec::new(), &["k1"]).await;
    let come = stage.clock.now();
    stage.until("the lost one", || stage.screen() == ["behind", "lost"]).await;
    assert!(stage.clock.now() - come < limits::millis(20 * SECOND), "the key woke nobody");
    until_told(&stage, "The key of this message has come").await;
    assert_eq!(last_content(&stage)["m.relates_to"]["event_id"], notice.as_str());
    assert_eq!(notices(&stage).len(), 2);
    assert!(set_aside(&stage).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_days_and_over_a_restart() {
    let (mut stage, _) = one_waits().await;
    stage.clock.advance(limits::ROOM_KEY_DEADLINE.saturating_sub(Duration::from_hours(1)));
    stage.begin(Cut::Never).await;
    stage.pass(5 * SECOND).await;
    assert!(set_aside(&stage).is_empty());
    stage.push(Vec::new(), &["k1"]).await;
    stage.until("the lost one", || stage.screen() == ["behind", "lost"]).await;
    until_told(&stage, "The key of this message has come").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_a_sync_brings_is_found_too() {
    let (stage, _) = one_waits().await;
    stage.homeserver.hold_key_back("k1");
    stage.clock.advance(limits::ROOM_KEY_BACKOFF.max);
    stage.until("the lost one", || stage.screen() == ["behind", "lost"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_never_comes_is_told_at_the_deadline() {
    let (stage, _) = one_waits().await;
    let notice = stage.homeserver.shown_ids()[0].clone();
    stage.clock.advance(limits::ROOM_KEY_DEADLINE);
    until_told(&stage, "did not come within a week").await;
    assert_eq!(last_content(&stage)["m.relates_to"]["event_id"], notice.as_str());
    stage.until("it set aside", || set_aside(&stage) == ["no room key came in time"]).await;
    assert_eq!(stage.screen(), ["behind"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_one_key_keeps_its_order() {
    let (mut stage, room) = one_waits().await;
    let second = stage.text_under(&room, "second", "k1");
    stage.push(vec![second], &[]).await;
    stage.until("two notices", || notices(&stage).len() == 2).await;
    // It does not hold the chat again: that its key is missing is known.
    let before = stage.clock.now();
    let other = stage.text(&room, "other");
    stage.push(vec![other], &[]).await;
    stage.until("the other", || stage.screen() == ["behind", "other"]).await;
    assert!(stage.clock.now() - before < limits::millis(limits::ROOM_KEY_WAIT));
    // One that comes together with the key does not overtake those that waited for it.
    let third = stage.text_under(&room, "third", "k1");
    stage.push(vec![third], &["k1"]).await;
    let expected = ["behind", "other", "lost", "second", "third"];
    stage.until("all of them", || stage.screen() == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_limit_and_one_past_it() {
    let (mut stage, room) = Stage::connected().await;
    let storage = stage.storage();
    let portal = storage.portal_of_room(&room).await.unwrap().unwrap().key;
    let lane = Lane::AwaitingKey(portal.clone(), RoomKeyId::parse("waiting").unwrap());
    let event = stage.text_under(&room, "waits", "waiting");
    let row = |number: u64| InboxDraft {
        lane: lane.clone(),
        item: InboxItem::Event(RawEvent(event.clone())),
        received_at: stage.clock.now() + i64::try_from(number).unwrap(),
    };
    let rows = (1..limits::AWAITING_KEY_MAX).map(row).collect();
    storage
        .take_in(IntakeKey::Transaction("rows".to_owned()), rows, stage.clock.now())
        .await
        .unwrap();
    for (number, waiting) in [(1, limits::AWAITING_KEY_MAX), (2, limits::AWAITING_KEY_MAX)] {
        let event = stage.text_under(&room, "one more", &format!("k{number}"));
        stage.push(vec![event], &[]).await;
        stage.pass(limits::ROOM_KEY_WAIT + 10 * SECOND).await;
        assert_eq!(storage.awaiting_key(&portal).await.unwrap(), waiting);
    }
    // The one past it holds its chat, and is not lost.
    stage.push(Vec::new(), &["k2"]).await;
    stage.clock.advance(limits::HELD_WAIT);
    stage.until("it", || stage.screen() == ["one more"]).await;
    let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
    storage.commit(vec![Change::InboxDone(row.id)]).await.unwrap();
    assert_eq!(storage.awaiting_key(&portal).await.unwrap(), limits::AWAITING_KEY_MAX - 1);
}

/// A key is missing and comes, and the process dies at one write.
async fn check(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text_under(&room, "lost", "k1");
    stage.begin(cut).await;
    let mut died = false;
    let mut go_on = async |stage: &mut Stage| {
        if stage.is_dead() {
            died = true;
            stage.begin(Cut::Never).await;
        }
        died
    };
    while stage.offer("1", vec![event.clone()], &[]).await != Some(Answer::Acknowledge) {
        go_on(&mut stage).await;
    }
    let waits = "This message waits";
    stage.pass(SECOND).await;
    stage.clock.advance(limits::ROOM_KEY_WAIT);
    stage.until("the notice", || stage.is_dead() || were_told(&stage, waits)).await;
    go_on(&mut stage).await;
    until_told(&stage, waits).await;
    while stage.offer("2", Vec::new(), &["k1"]).await != Some(Answer::Acknowledge) {
        go_on(&mut stage).await;
    }
    let done = |stage: &Stage| {
        stage.screen() == ["lost"] && were_told(stage, "The key of this message has come")
    };
    stage.until("its key", || stage.is_dead() || done(&stage)).await;
    if !stage.is_dead() {
        stage.pass(2 * SECOND).await;
    }
    go_on(&mut stage).await;
    if !done(&stage) {
        stage.clock.advance(limits::ROOM_KEY_BACKOFF.max);
    }
    stage.until(&format!("{cut:?}: the end"), || done(&stage)).await;
    stage.pass(2 * SECOND).await;
    assert_eq!(stage.screen(), ["lost"], "{cut:?}");
    assert_eq!(notices(&stage).len(), 2, "{cut:?}: each said once");
    assert!(set_aside(&stage).is_empty(), "{cut:?}");
    go_on(&mut stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_survives_a_death_before_every_write() {
    at_every_write(Cut::Before, 6..40, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_survives_a_death_after_every_write() {
    at_every_write(Cut::After, 6..40, check).await;
}
