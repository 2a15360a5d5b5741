//! What the outside does to the runtime, and what a person notices of it.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::{
    domain::{item::InboundReceiptKind, limits},
    runtime::Answer,
};
use ruma::OwnedRoomId;
use serde_json::json;

use super::{
    cut::Cut,
    homeserver::{BOT, PERSON},
    stage::Stage,
    surroundings::Trouble,
};

const LIMIT: usize = limits::TRANSACTION_ITEMS_MAX;

#[tokio::test(flavor = "multi_thread")]
async fn keys_reach_the_machines_before_any_event() {
    let (mut stage, room) = Stage::connected().await;
    let early = stage.text_under(&room, "one", "k1");
    let late = stage.text_under(&room, "two", "k2");
    assert_eq!(stage.push(vec![early], &["k1"]).await, Answer::Acknowledge);
    assert_eq!(stage.push(vec![late], &["k2"]).await, Answer::Acknowledge);
    stage.until("both to arrive", || stage.screen().len() == 2).await;
    let seen = stage.homeserver.seen();
    let place = |what: &str| seen.iter().position(|seen| seen == what).expect(what);
    assert!(place("key k1") < place("event one") && place("key k2") < place("event two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_make_the_machine_panic_are_set_aside_and_the_rest_goes_on() {
    let (mut stage, room) = Stage::connected().await;
    stage.homeserver.receive_trouble(Some(Trouble::Panic));
    assert_eq!(stage.push(Vec::new(), &["k1"]).await, Answer::Acknowledge);
    let event = stage.text(&room, "still here");
    assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
    stage.until("the text to arrive", || stage.screen() == ["still here"]).await;
    assert_eq!(*stage.set_aside.lock().unwrap(), ["taking in keys panicked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_panics_or_is_refused_is_set_aside_and_the_lane_goes_on() {
    let (mut stage, room) = Stage::connected().await;
    let events = ["panic", "never", "after"].map(|text| stage.text(&room, text)).to_vec();
    assert_eq!(stage.push(events, &[]).await, Answer::Acknowledge);
    stage.until("the text behind them", || stage.screen() == ["after"]).await;
    let set_aside = stage.set_aside.lock().unwrap().clone();
    assert_eq!(set_aside, ["working on it panicked", "the fake refuses"]);
    // Whoever wrote them knows that they did not go.
    stage.until("notices", || stage.homeserver.shown().len() == 2).await;
    for (number, content) in stage.homeserver.contents().into_iter().enumerate() {
        let event = format!("$event{}", number + 1);
        assert_eq!(content["m.relates_to"]["m.in_reply_to"]["event_id"], event);
        assert!(content["body"].as_str().unwrap().contains("send it again"), "{content}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_can_never_be_sent_is_set_aside_and_told() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.trouble(Some(Trouble::Never));
    let event = stage.text(&room, "lost");
    stage.push(vec![event], &[]).await;
    stage.until("a notice", || stage.homeserver.shown().len() == 1).await;
    assert!(stage.homeserver.shown()[0].contains("send it again"));
    assert_eq!(*stage.set_aside.lock().unwrap(), ["the fake refuses"]);
    stage.until("a status", || stage.homeserver.statuses().len() == 1).await;
    assert_eq!(stage.homeserver.statuses()[0]["status"], "FAIL_RETRIABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_panics_is_made_again() {
    let (stage, _) = Stage::connected().await;
    stage.network.panics.store(true, Ordering::SeqCst);
    stage.network.hang_up();
    stage.until("the panic", || !stage.network.panics.load(Ordering::SeqCst)).await;
    stage.until("another connection", || stage.network.is_connected()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_homeserver_is_away_nothing_is_set_aside_and_nothing_overtakes() {
    let (mut stage, room) = Stage::connected().await;
    stage.homeserver.trouble(Some(Trouble::Later));
    stage.network.contact_writes("from anna");
    let events = ["one", "two"].map(|text| stage.text(&room, text)).to_vec();
    assert_eq!(stage.push(events, &[]).await, Answer::Acknowledge);
    stage.pass(Duration::from_mins(1)).await;
    assert!(stage.screen().is_empty() && stage.homeserver.shown().is_empty());
    stage.homeserver.trouble(None);
    stage.until("everything", || stage.screen() == ["one", "two"]).await;
    stage.until("everything", || stage.homeserver.shown() == ["from anna"]).await;
    assert!(stage.set_aside.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_at_the_limit_one_past_it_repeated_and_with_a_gap() {
    let (mut stage, room) = Stage::connected().await;
    let mut junk = vec![json!("junk"); LIMIT];
    assert_eq!(stage.push_as("a", junk.clone(), &[]).await, Answer::Acknowledge);
    junk.push(json!("junk"));
    assert_eq!(stage.push_as("b", junk, &[]).await, Answer::Later);
    stage.until("the junk set aside", || stage.set_aside.lock().unwrap().len() == LIMIT).await;

    let event = stage.text(&room, "once");
    for _ in 0..2 {
        assert_eq!(stage.push_as("1", vec![event.clone()], &[]).await, Answer::Acknowledge);
    }
    let event = stage.text_under(&room, "after the gap", "k1");
    assert_eq!(stage.push_as("3", vec![event.clone()], &["k1"]).await, Answer::Later);
    let key = || stage.homeserver.seen().contains(&"key k1".to_owned());
    stage.until("the key of the refused one", key).await;
    assert_eq!(stage.push_as("3", vec![event], &["k1"]).await, Answer::Acknowledge);
    stage.until("both", || stage.screen() == ["once", "after the gap"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_shows_over_a_restart() {
    let (mut stage, room) = Stage::connected().await;
    let [one, two, three] = ["one", "two", "three"].map(|text| vec![stage.text(&room, text)]);
    assert_eq!(stage.push_as("7", one, &[]).await, Answer::Acknowledge);
    stage.begin(Cut::Never).await;
    assert_eq!(stage.push_as("9", three.clone(), &[]).await, Answer::Later);
    assert_eq!(stage.push_as("8", two, &[]).await, Answer::Acknowledge);
    assert_eq!(stage.push_as("9", three, &[]).await, Answer::Acknowledge);
    stage.until("all of it", || stage.screen() == ["one", "two", "three"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_acknowledges_nothing_until_there_is_room() {
    let (mut stage, room) = Stage::connected_with(1).await;
    stage.homeserver.decrypting.close();
    let event = stage.text(&room, "slow");
    assert_eq!(stage.push_as("a", vec![event], &[]).await, Answer::Acknowledge);
    let event = stage.text(&room, "second");
    assert_eq!(stage.push_as("b", vec![event.clone()], &[]).await, Answer::Later);
    stage.network.contact_writes("from anna");
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!(stage.network.unacknowledged(), 1);
    stage.homeserver.decrypting.open();
    stage.until("the acknowledgement", || stage.network.unacknowledged() == 0).await;
    while stage.push_as("b", vec![event.clone()], &[]).await == Answer::Later {
        stage.pass(Duration::from_millis(100)).await;
    }
    stage.until("all", || stage.screen() == ["slow", "second"]).await;
    stage.until("all", || stage.homeserver.shown() == ["from anna"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_is_asked_for_five_times_and_then_told() {
    let (stage, _) = Stage::connected().await;
    stage.network.contact_writes("readable");
    stage.until("a message", || stage.homeserver.shown() == ["readable"]).await;
    for count in 1..=limits::MESSAGE_RETRIES_MAX + 1 {
        let mut message = stage.network.written(Some("C9"), "unreadable");
        message.ciphertext.as_mut().unwrap().bytes.reverse();
        stage.network.post(message);
        let asked = usize::try_from(count.min(limits::MESSAGE_RETRIES_MAX)).unwrap();
        stage.until("a retry receipt", || stage.network.retries().len() == asked).await;
        stage.until("an end", || stage.network.unacknowledged() == 0).await;
    }
    stage.until("a notice", || stage.homeserver.shown().len() == 2).await;
    assert!(stage.homeserver.shown()[1].contains("could not be decrypted"));
    let (counts, mut prekeys): (Vec<_>, Vec<_>) = stage.network.retries().into_iter().unzip();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
    prekeys.dedup();
    assert_eq!(prekeys.len(), 5, "each with a prekey of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_contact_cannot_read_is_sent_again_under_its_id() {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text(&room, "first");
    stage.push(vec![event], &[]).await;
    stage.until("the first", || stage.screen() == ["first"]).await;
    stage.network.contact_writes("hi");
    stage.until("an answer", || stage.homeserver.shown() == ["hi"]).await;
    stage.network.contact.lock().unwrap().reinstall(12);
    let event = stage.text(&room, "second");
    stage.push(vec![event], &[]).await;
    stage.until("a try", || !stage.network.contact.lock().unwrap().understood).await;
    let (id, _) = stage.network.envelopes().pop().unwrap();
    stage.network.post_receipt(id.clone(), InboundReceiptKind::Retry { count: 1 });
    stage.until("it again", || stage.screen() == ["second"]).await;
    assert!(stage.network.envelopes().last().unwrap().0 == id);
    // The person hears that the contact's keys are other ones.
    stage.until("a notice", || stage.homeserver.shown().len() == 2).await;
    assert!(stage.homeserver.shown()[1].contains("security keys have changed"));

    let count = limits::MESSAGE_RETRIES_MAX + 1;
    stage.network.post_receipt(id, InboundReceiptKind::Retry { count });
    stage.until("a notice", || stage.homeserver.shown().len() == 3).await;
    assert!(stage.homeserver.shown()[2].contains("could not decrypt it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_refuses_is_told() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.refuse("the account is blocked");
    let event = stage.text(&room, "refused");
    stage.push(vec![event], &[]).await;
    stage.until("a notice", || !stage.homeserver.shown().is_empty()).await;
    assert!(stage.homeserver.shown()[0].contains("the account is blocked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_brought_twice_is_shown_once() {
    let (stage, _) = Stage::connected().await;
    let message = stage.network.written(None, "once");
    stage.network.post(message.clone());
    stage.network.post(message);
    stage.network.contact_writes("then");
    stage.until("both", || stage.homeserver.shown() == ["once", "then"]).await;
    stage.until("the end", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(stage.homeserver.shown(), ["once", "then"]);
    assert!(stage.network.retries().is_empty() && stage.set_aside.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_held_up_holds_up_no_other() {
    let (mut stage, room) = Stage::connected().await;
    stage.homeserver.decrypting.close();
    let event = stage.text(&room, "slow");
    stage.push(vec![event], &[]).await;
    stage.until("the slow one", || stage.homeserver.decrypting.is_waited_at()).await;
    let event = stage.text(&room, "younger");
    stage.push(vec![event], &[]).await;
    let other = OwnedRoomId::try_from("!management:example.org").unwrap();
    let invite = json!({"type": "m.room.member", "room_id": other, "sender": PERSON,
        "event_id": "$invite", "state_key": BOT, "content": {"membership": "invite"}});
    let help = json!({"type": "m.room.message", "room_id": other, "sender": PERSON,
        "event_id": "$help", "content": {"msgtype": "m.text", "body": "help"}});
    stage.push(vec![invite, help], &[]).await;
    stage.until("the bot's answer", || stage.homeserver.shown().len() == 1).await;
    assert!(stage.screen().is_empty());
    stage.homeserver.decrypting.open();
    stage.until("both in order", || stage.screen() == ["slow", "younger"]).await;
}
