//! A short conversation both ways, with the process dying at every single write: afterwards both sides have
//! everything once and in order, and nothing ever left in two forms.

use std::{collections::BTreeMap, ops::Range};

use causeway::runtime::Answer;

use super::{
    cut::{Cut, at_every_write},
    stage::Stage,
};

const MESSAGES: u32 = 3;

fn texts(who: &str) -> Vec<String> {
    (1..=MESSAGES).map(|number| format!("{who} {number}")).collect()
}

/// Holds the conversation; the process dies at the cut, and is begun again. Says whether it died.
async fn check(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    stage.begin(cut).await;
    let mut died = false;
    for (number, (ours, theirs)) in texts("alice").iter().zip(texts("anna")).enumerate() {
        let event = stage.text(&room, ours);
        if number == 1 {
            // One of them writes into a broken connection.
            stage.network.hang_up();
        }
        stage.network.contact_writes(&theirs);
        let id = (number + 1).to_string();
        while stage.offer(&id, vec![event.clone()], &[]).await != Some(Answer::Acknowledge) {
            assert!(stage.is_dead(), "{cut:?}: a transaction was refused");
            died = true;
            stage.begin(Cut::Never).await;
        }
    }
    let storage = stage.storage();
    let done = |stage: &Stage| {
        stage.screen().len() == MESSAGES as usize
            && stage.homeserver.shown().len() == MESSAGES as usize
            && stage.network.unacknowledged() == 0
    };
    stage.until("the end or the death", || stage.is_dead() || done(&stage)).await;
    if !stage.is_dead() {
        // What is still to be written (deliveries, receipts) may be the cut.
        stage.pass(std::time::Duration::from_secs(2)).await;
    }
    if stage.is_dead() {
        died = true;
        stage.begin(Cut::Never).await;
    }
    drop(storage);
    stage.until(&format!("{cut:?}: everything to arrive"), || done(&stage)).await;
    stage.pass(std::time::Duration::from_secs(2)).await;

    assert_eq!(stage.screen(), texts("alice"), "{cut:?}");
    assert_eq!(stage.homeserver.shown(), texts("anna"), "{cut:?}");
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    let mut envelopes = BTreeMap::new();
    for (id, bytes) in stage.network.envelopes() {
        let first = envelopes.entry(id).or_insert_with(|| bytes.clone());
        assert_eq!(*first, bytes, "{cut:?}: two ciphertexts under one id");
    }
    assert_eq!(envelopes.len(), MESSAGES as usize, "{cut:?}");
    let mut events = BTreeMap::new();
    for sent in stage.homeserver.sends() {
        let first = events.entry(sent.transaction_id).or_insert_with(|| sent.content.clone());
        assert_eq!(*first, sent.content, "{cut:?}: two contents under one transaction id");
    }
    died
}

/// The conversation writes about so often; more cuts than that change nothing.
const WRITES: Range<u64> = 15..40;

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_survives_a_death_before_every_write() {
    at_every_write(Cut::Before, WRITES, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_survives_a_death_after_every_write() {
    at_every_write(Cut::After, WRITES, check).await;
}
