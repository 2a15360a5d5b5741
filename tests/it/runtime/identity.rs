//! A contact whose identity key changes, under each policy, seen from each side; and the comparison of safety
//! numbers.

use std::{ops::Range, time::Duration};

use causeway::{
    domain::{
        consent::{Act, ContactState},
        item::InboundReceiptKind,
    },
    port::Storage as _,
    runtime::Answer,
};
use ruma::OwnedRoomId;

use super::{
    contact::Contact,
    cut::{Cut, at_every_write},
    homeserver::PERSON,
    stage::{KEY, Stage},
};

const NUMBER: &str = "+33 6 12 34 56 78";
const CHANGED: &str = "security keys have changed";

impl Stage {
    /// A stage with a chat in which both have written.
    async fn acquainted(policy: &str) -> (Self, OwnedRoomId) {
        let (mut stage, room) = Self::connected().await;
        let chosen = stage.ask(&format!("key-changes {policy}")).await;
        assert!(chosen.starts_with("From now on"), "{chosen}");
        let text = stage.text(&room, "hello");
        stage.push(vec![text], &[KEY]).await;
        stage.until("it to arrive", || stage.screen() == ["hello"]).await;
        stage.network.contact_writes("hi");
        stage.until("the answer", || stage.homeserver.shown() == ["hi"]).await;
        stage.until("its receipt", || stage.network.receipts() == 1).await;
        (stage, room)
    }

    fn contact_reinstalls(&self) {
        self.network.contact.lock().unwrap().reinstall(12);
    }

    async fn says(&mut self, room: &OwnedRoomId, text: &str) {
        let text = self.text(room, text);
        self.push(vec![text], &[]).await;
    }

    fn last_shown(&self) -> String {
        self.homeserver.shown().last().cloned().unwrap_or_default()
    }

    async fn everything_is_taken(&self) {
        self.until("all taken", || self.network.unacknowledged() == 0).await;
        self.pass(Duration::from_secs(2)).await;
    }

    /// What the contact could notice: messages, receipts, typing.
    fn left_us(&self) -> (usize, usize, usize) {
        let network = &self.network;
        (network.envelopes().len(), network.receipts(), network.typings().len())
    }

    async fn remembered(&self, act: Act) -> usize {
        let ledger = self.storage().ledger_of(PERSON.try_into().unwrap()).await.unwrap();
        ledger.iter().filter(|entry| entry.act == act).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_be_told_is_told_and_reads_on() {
    let (mut stage, room) = Stage::acquainted("notify").await;
    stage.contact_reinstalls();
    stage.network.contact_writes("my new phone");
    stage.until("the text", || stage.last_shown() == "my new phone").await;
    let shown = stage.homeserver.shown();
    assert_eq!(shown.len(), 3);
    assert!(shown[1].contains(CHANGED), "{shown:?}");
    stage.says(&room, "and mine").await;
    stage.until("the answer", || stage.screen() == ["and mine"]).await;
    assert!(stage.ask(&format!("confirm {NUMBER}")).await.contains("nothing to confirm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_it_held_reads_and_sends_nothing_before_confirming() {
    let (mut stage, room) = Stage::acquainted("hold").await;
    let before = stage.left_us();
    stage.contact_reinstalls();
    stage.network.contact_writes("one");
    stage.until("the news", || stage.last_shown().contains(CHANGED)).await;
    assert!(stage.last_shown().contains("`confirm`"));
    stage.network.contact_writes("two");
    stage.says(&room, "mine").await;
    stage.until("a word about it", || stage.last_shown().contains("your message waits")).await;
    stage.everything_is_taken().await;
    // Neither a restart nor becoming less careful lets anything through.
    stage.begin(Cut::Never).await;
    stage.until("a connection", || stage.network.is_connected()).await;
    stage.ask("key-changes notify").await;
    stage.network.contact_writes("three");
    stage.network.contact_types(true);
    stage.everything_is_taken().await;
    assert_eq!(stage.left_us(), before);
    assert!(stage.homeserver.typings().is_empty());
    assert_eq!(stage.homeserver.shown().len(), 3);
    stage.ask("key-changes hold").await;

    let confirmed = stage.ask(&format!("confirm {NUMBER}")).await;
    assert!(confirmed.contains("What waited goes on"), "{confirmed}");
    stage.until("all of it", || stage.homeserver.shown().len() == 6).await;
    assert_eq!(stage.homeserver.shown()[3..], ["one", "two", "three"]);
    stage.until("the person's", || stage.screen() == ["mine"]).await;
    assert_eq!(stage.remembered(Act::Confirmed).await, 1);
    // The next phone is asked about anew.
    stage.network.contact.lock().unwrap().reinstall(13);
    stage.network.contact_writes("four");
    stage.until("the news", || stage.last_shown().contains(CHANGED)).await;
    stage.everything_is_taken().await;
    assert_eq!(stage.homeserver.shown().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_encrypted_for_a_key_that_nobody_confirmed() {
    let (mut stage, room) = Stage::acquainted("hold").await;
    stage.contact_reinstalls();
    stage.says(&room, "in the old session").await;
    stage.until("it to leave", || stage.network.envelopes().len() == 2).await;
    let unread = stage.network.envelopes()[1].0.clone();
    stage.network.post_receipt(unread, InboundReceiptKind::Retry { count: 1 });
    stage.until("the news", || stage.last_shown().contains(CHANGED)).await;
    stage.says(&room, "afterwards").await;
    stage.everything_is_taken().await;
    assert_eq!(stage.network.envelopes().len(), 2);
    assert!(stage.screen().is_empty());
    stage.ask(&format!("confirm {NUMBER}")).await;
    let both = ["in the old session", "afterwards"];
    stage.until("both", || stage.screen() == both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_networks_word_is_looked_into() {
    let (mut stage, room) = Stage::acquainted("hold").await;
    stage.network.announce_new_identity();
    stage.everything_is_taken().await;
    assert_eq!(stage.homeserver.shown(), ["hi"], "nothing had changed");
    stage.contact_reinstalls();
    stage.network.announce_new_identity();
    stage.until("the news", || stage.last_shown().contains(CHANGED)).await;
    stage.says(&room, "waits").await;
    stage.everything_is_taken().await;
    assert_eq!(stage.network.envelopes().len(), 1);
    stage.ask(&format!("confirm {NUMBER}")).await;
    // The session of before is still good for what was written; the contact asks for it again.
    stage.until("it to leave", || stage.network.envelopes().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_it_blocked_hears_no_more() {
    let (mut stage, room) = Stage::acquainted("block").await;
    let before = stage.left_us();
    stage.contact_reinstalls();
    stage.network.contact_writes("let me in");
    stage.until("the news", || stage.last_shown().contains("they are blocked")).await;
    stage.until("the network", || stage.network.blocked() == [Contact::user()].into()).await;
    stage.says(&room, "who are you?").await;
    stage.until("a refusal", || stage.last_shown().contains("You have blocked")).await;
    assert_eq!(stage.left_us(), before);
    assert_eq!(stage.remembered(Act::Blocked).await, 1);
    let logins = stage.storage().logins().await.unwrap();
    let contacts = stage.storage().contacts_of(&logins[0].id).await.unwrap();
    assert_eq!(contacts[0].state, ContactState::Blocked);

    stage.ask(&format!("unblock {NUMBER}")).await;
    stage.until("the network", || stage.network.blocked().is_empty()).await;
    stage.open_chat().await;
    stage.network.contact_writes("thank you");
    stage.everything_is_taken().await;
    assert_eq!(stage.homeserver.shown().len(), 3, "not confirmed yet");
    stage.ask(&format!("confirm {NUMBER}")).await;
    stage.until("the text", || stage.last_shown() == "thank you").await;
    assert!(!stage.homeserver.shown().contains(&"let me in".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_is_remembered_until_the_keys_change() {
    let (stage, _) = Stage::acquainted("notify").await;
    let verify = format!("verify {NUMBER}");
    let yes = format!("verify {NUMBER} yes");
    let shown = stage.ask(&yes).await;
    assert!(shown.starts_with("Please compare this one first"), "{shown}");
    let first = stage.ask(&verify).await;
    let number = |text: &str| text.split("```").nth(1).unwrap().to_owned();
    assert_eq!(number(&first).chars().filter(char::is_ascii_digit).count(), 60);
    assert!(stage.ask(&yes).await.contains("verified"));
    let again = stage.ask(&verify).await;
    assert!(again.contains("you have compared it before"), "{again}");
    assert_eq!(number(&first), number(&again));
    assert_eq!(stage.remembered(Act::Verified).await, 1);

    stage.contact_reinstalls();
    stage.network.contact_writes("my new phone");
    stage.until("the text", || stage.last_shown() == "my new phone").await;
    assert!(stage.homeserver.shown()[1].contains("no longer holds"));
    // What was shown before is not what is said to be the same now.
    assert!(stage.ask(&yes).await.starts_with("Please compare this one first"));
    let other = stage.ask(&verify).await;
    assert!(!other.contains("before"), "{other}");
    assert_ne!(number(&first), number(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_differs_is_remembered_and_undoes_a_comparison() {
    let (stage, _) = Stage::acquainted("notify").await;
    stage.ask("verify Anna").await;
    assert!(stage.ask("verify Anna yes").await.contains("verified"));
    let shown = stage.ask("verify Anna no").await;
    assert!(shown.starts_with("Please compare this one first"), "{shown}");
    let differs = stage.ask("verify Anna no").await;
    assert!(differs.contains("another one") && differs.contains("`block`"), "{differs}");
    assert!(!stage.ask("verify Anna").await.contains("you have compared it before"));
    assert_eq!(stage.remembered(Act::Differed).await, 1);
    let consent = stage.ask("consent").await;
    assert!(consent.contains("with Anna: it is another one"), "{consent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn comparing_the_new_number_confirms_the_new_key() {
    let (stage, _) = Stage::acquainted("hold").await;
    let before = stage.ask(&format!("verify {NUMBER}")).await;
    stage.contact_reinstalls();
    stage.network.contact_writes("my new phone");
    stage.until("the news", || stage.last_shown().contains(CHANGED)).await;
    let shown = stage.ask(&format!("verify {NUMBER}")).await;
    assert!(shown.contains("of the new keys") && shown != before, "{shown}");
    let verified = stage.ask(&format!("verify {NUMBER} YES")).await;
    assert!(verified.contains("What waited comes now"), "{verified}");
    stage.until("the text", || stage.last_shown() == "my new phone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_their_devices_and_the_bots_keys() {
    let (stage, _) = Stage::connected().await;
    let status = stage.ask("status").await;
    assert!(status.contains("`TABLET`") && !status.contains("`PHONE`"), "{status}");
    let keys = stage.ask("verify bot").await;
    assert!(keys.contains("devicekey") && keys.contains("masterkey"), "{keys}");
}

/// New keys under *hold* and their confirmation, with the process dying at the cut and beginning again: nothing is
/// shown or sent before, everything once and in order afterwards, and the person is told and remembered once.
async fn told_cut(cut: Cut) -> bool {
    let (mut stage, room) = Stage::acquainted("hold").await;
    // A receipt whose end was not committed would be sent again.
    stage.everything_is_taken().await;
    let before = stage.left_us();
    stage.contact_reinstalls();
    let mine = stage.text(&room, "mine");
    stage.begin(cut).await;
    let mut died = false;
    stage.network.contact_writes("one");
    stage.network.contact_writes("two");
    loop {
        let is_taken = || stage.is_dead() || stage.network.unacknowledged() == 0;
        stage.until("all taken or death", is_taken).await;
        let offered = stage.offer("mine", vec![mine.clone()], &[]).await;
        let is_told = || stage.is_dead() || stage.homeserver.shown().len() == 3;
        if offered == Some(Answer::Acknowledge) {
            stage.until("the news and a word about mine, or death", is_told).await;
        }
        if !stage.is_dead() {
            break;
        }
        died = true;
        stage.begin(Cut::Never).await;
    }
    let news = stage.homeserver.shown();
    assert!(news[1].contains("until you confirm") && news[2].contains("your message waits"));
    assert_eq!(stage.left_us(), before, "{cut:?}");

    if stage.ask_or_die("confirm Anna").await.is_none() {
        died = true;
        stage.begin(Cut::Never).await;
        // Whether it was the word or the answer that was lost is not known: said again, it is harmless.
        stage.ask("confirm Anna").await;
    }
    let is_settled = |stage: &Stage| {
        let came = stage.homeserver.shown().get(3..) == Some(&["one".into(), "two".into()]);
        came && stage.screen() == ["mine"] && stage.network.receipts() >= before.1 + 2
    };
    loop {
        stage.until("all of it or death", || stage.is_dead() || is_settled(&stage)).await;
        if !stage.is_dead() {
            stage.everything_is_taken().await;
        }
        if !stage.is_dead() {
            break;
        }
        died = true;
        stage.begin(Cut::Never).await;
    }
    assert!(is_settled(&stage), "{cut:?}: {:?}", stage.homeserver.shown());
    assert_eq!(stage.remembered(Act::Confirmed).await, 1, "{cut:?}");
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    died
}

/// The story writes about so often.
const WRITES: Range<u64> = 10..80;

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_before_a_write_shows_or_loses_what_is_held() {
    at_every_write(Cut::Before, WRITES, told_cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_after_a_write_shows_or_loses_what_is_held() {
    at_every_write(Cut::After, WRITES, told_cut).await;
}
