//! Consent of the person, contact by contact: nothing is shown of anybody, and nothing sent to anybody, whom they
//! did not approve; and what waited for their answer is not lost.

use std::time::Duration;

use causeway::{
    domain::{
        consent::{Act, ContactState},
        ids::PortalKey,
        item::InboundReceiptKind,
        limits,
    },
    port::{Storage as _, storage::Change},
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{
    contact::Contact,
    cut::{Cut, at_every_write},
    homeserver::PERSON,
    stage::{KEY, Stage},
    surroundings::Trouble,
};

fn member(room: &OwnedRoomId, id: &str, membership: &str) -> Value {
    json!({"type": "m.room.member", "room_id": room, "sender": PERSON, "state_key": PERSON,
        "event_id": format!("${id}"), "content": {"membership": membership}})
}

impl Stage {
    pub(super) async fn portal_key(&self) -> PortalKey {
        let logins = self.storage().logins().await.unwrap();
        let ghost = self.ports().namer.ghost_key(&Contact::user());
        PortalKey { login: logins[0].id.clone(), ghost }
    }

    pub(super) async fn contact_state(&self) -> ContactState {
        self.storage().contact(&self.portal_key().await).await.unwrap()
    }

    async fn move_contact(&self, to: ContactState) {
        let portal = self.portal_key().await;
        let from = self.storage().contact(&portal).await.unwrap();
        let moved = Change::ContactMoved { portal, from, to, at: 0 };
        self.storage().commit(vec![moved]).await.unwrap();
    }

    /// The contact writes for the first time, and the ghost invites. Gives the room.
    pub(super) async fn is_asked(&self, texts: &[&str]) -> OwnedRoomId {
        for text in texts {
            self.network.contact_writes(text);
        }
        self.until("an invite", || self.homeserver.invites().len() == 1).await;
        self.until("all taken", || self.network.unacknowledged() == 0).await;
        self.pass(Duration::from_secs(1)).await;
        self.homeserver.invites().remove(0)
    }

    async fn acts(&self) -> Vec<Act> {
        let ledger = self.storage().ledger_of(PERSON.try_into().unwrap()).await.unwrap();
        ledger.into_iter().map(|entry| entry.act).collect()
    }

    /// What the contact could notice of the person.
    fn noticed(&self) -> (usize, usize, Vec<bool>) {
        let network = &self.network;
        (network.receipts(), network.envelopes().len(), network.typings())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_first_words_wait_for_the_answer() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let room = stage.is_asked(&["hello", "it is me"]).await;
    assert!(stage.homeserver.shown().is_empty());
    assert_eq!(stage.noticed(), (0, 0, vec![]));
    assert_eq!(stage.contact_state().await, ContactState::Requested);
    stage.push(vec![member(&room, "joined", "join")], &[]).await;
    stage.until("the texts", || stage.homeserver.shown() == ["hello", "it is me"]).await;
    stage.until("their receipts", || stage.network.receipts() == 2).await;
    stage.network.contact_writes("and on");
    stage.until("the third", || stage.homeserver.shown().len() == 3).await;
    assert_eq!(stage.acts().await, [Act::OptedIn, Act::Requested, Act::Approved]);
    let ledger = stage.storage().ledger_of(PERSON.try_into().unwrap()).await.unwrap();
    assert_eq!(ledger[2].cause.as_ref().unwrap(), "$joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_declined_is_not_heard_of_again() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let room = stage.is_asked(&["hello"]).await;
    stage.push(vec![member(&room, "declined", "leave")], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    stage.network.contact_writes("please");
    stage.until("all taken", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.homeserver.invites().len(), 1);
    assert!(stage.homeserver.shown().is_empty());
    assert_eq!(stage.noticed(), (0, 0, vec![]));
    assert_eq!(stage.storage().held(&stage.portal_key().await).await.unwrap(), 0);
    // Unless the person wants it after all, and then what is written from there on.
    stage.open_chat().await;
    stage.network.contact_writes("thank you");
    stage.until("the text", || stage.homeserver.shown() == ["thank you"]).await;
    let acts = [Act::OptedIn, Act::Requested, Act::Declined, Act::Approved];
    assert_eq!(stage.acts().await, acts);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_asked_again_in_the_same_room() {
    let (mut stage, room) = Stage::connected().await;
    stage.push(vec![member(&room, "left", "leave")], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    let invites = stage.homeserver.invites().len();
    stage.network.contact_writes("still there?");
    stage.until("an invite", || stage.homeserver.invites().len() == invites + 1).await;
    assert_eq!(stage.homeserver.invites().last(), Some(&room));
    stage.until("a word", || stage.homeserver.shown().len() == 1).await;
    assert!(stage.homeserver.shown()[0].contains("writes to you again"));
    stage.push(vec![member(&room, "back", "join")], &[]).await;
    stage.until("the text", || stage.homeserver.shown()[1..] == ["still there?"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_contact_waits_and_a_blocked_one_does_not() {
    let (mut stage, room) = Stage::connected().await;
    let ask = stage.ask("pause +33 6 12 34 56 78").await;
    assert!(ask.contains("paused. Their messages wait"), "{ask}");
    stage.network.contact_writes("one");
    stage.network.contact_writes("two");
    stage.until("all taken", || stage.network.unacknowledged() == 0).await;
    let unsent = stage.text(&room, "unsent");
    stage.push(vec![unsent], &[KEY]).await;
    stage.until("a word about it", || stage.homeserver.shown().len() == 1).await;
    assert!(stage.homeserver.shown()[0].contains("You have paused this chat"));
    assert_eq!(stage.noticed(), (0, 0, vec![]));
    let ask = stage.ask("resume anna").await;
    assert!(ask.contains("no contact of yours"), "nobody gave that name yet: {ask}");
    let ask = stage.ask("resume +33 6 12 34 56 78").await;
    assert!(ask.contains("What waited comes now"), "{ask}");
    stage.until("the texts", || stage.homeserver.shown()[1..] == ["one", "two"]).await;
    stage.until("their receipts", || stage.network.receipts() == 2).await;
    let ask = stage.ask("block Anna").await;
    assert!(ask.starts_with("Anna: blocked."), "{ask}");
    stage.network.contact_writes("three");
    stage.until("all taken", || stage.network.unacknowledged() == 0).await;
    let ask = stage.ask("start +33 6 12 34 56 78").await;
    assert!(ask.contains("You have blocked that contact"), "{ask}");
    stage.push(vec![member(&room, "again", "join")], &[]).await;
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.contact_state().await, ContactState::Blocked);
    assert_eq!(stage.homeserver.shown().len(), 3);
    let ask = stage.ask("unblock Anna").await;
    assert!(ask.contains("They may ask"), "{ask}");
    stage.until("the network to know", || stage.network.blocked().is_empty()).await;
    stage.network.contact_writes("four");
    stage.until("a request", || stage.homeserver.invites().len() == 2).await;
    stage.pass(Duration::from_secs(1)).await;
    let list = stage.ask("contacts").await;
    assert!(list.contains("Anna – asked to write to you"), "{list}");
}

/// Every way in which something could reach the one or the other side, in every state but the one in which
/// it may.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_standing_consent_no_way_leads_through() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.contact_writes("known");
    stage.until("the text", || stage.homeserver.shown() == ["known"]).await;
    stage.until("its receipt", || stage.network.receipts() == 1).await;
    let own = stage.text(&room, "sent");
    stage.push(vec![own], &[KEY]).await;
    stage.until("it to arrive", || stage.screen() == ["sent"]).await;
    stage.pass(Duration::from_secs(1)).await;
    let sent = stage.network.envelopes()[0].0.clone();
    let theirs = stage.homeserver.shown_ids().remove(0);
    let (noticed, typings) = (stage.noticed(), stage.homeserver.typings());
    for state in ContactState::ALL {
        if matches!(state, ContactState::Approved | ContactState::Unknown) {
            continue;
        }
        stage.move_contact(state).await;
        let statuses = stage.homeserver.statuses().len();
        stage.network.contact_writes("unwanted");
        stage.network.post_receipt(sent.clone(), InboundReceiptKind::Read);
        stage.network.contact_types(true);
        stage.until("all taken", || stage.network.unacknowledged() == 0).await;
        let text = stage.text(&room, "unsent");
        let reaction = stage.reaction(&room, &theirs, "👍");
        let redaction = stage.redaction(&room, &theirs);
        stage.push(vec![text, reaction, redaction], &[]).await;
        let typing =
            json!({"type": "m.typing", "room_id": room, "content": {"user_ids": [PERSON]}});
        let read = json!({"type": "m.receipt", "room_id": room,
            "content": {theirs.as_str(): {"m.read": {PERSON: {"ts": 7}}}}});
        stage.push_ephemeral(vec![typing, read]).await;
        stage.pass(Duration::from_secs(3)).await;
        assert_eq!(stage.noticed(), noticed, "{state:?}: the contact noticed something");
        assert_eq!(stage.homeserver.typings(), typings, "{state:?}: typing was shown");
        let shown = stage.homeserver.shown();
        assert!(!shown.iter().any(|text| text == "unwanted"), "{state:?}: {shown:?}");
        assert!(stage.homeserver.reads().is_empty(), "{state:?}: a receipt was shown");
        // Only the refusals of what the person tried.
        assert!(stage.homeserver.statuses().len() <= statuses + 2, "{state:?}");
        assert!(stage.set_aside.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_a_block_and_not_sent_stays_here() {
    let (mut stage, room) = Stage::connected().await;
    let first = stage.text(&room, "first");
    stage.push(vec![first], &[KEY]).await;
    stage.until("it to arrive", || stage.screen() == ["first"]).await;
    stage.network.trouble(Some(Trouble::Later));
    let late = stage.text(&room, "too late");
    stage.push(vec![late], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    stage.move_contact(ContactState::Blocked).await;
    stage.network.trouble(None);
    stage.until("a word about it", || stage.homeserver.shown().len() == 1).await;
    assert!(stage.homeserver.shown()[0].contains("You have blocked this contact"));
    assert_eq!(stage.screen(), ["first"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_their_limits_and_one_past_them() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let kept = usize::try_from(limits::HELD_MESSAGES_MAX).unwrap();
    let texts: Vec<String> = (0..=kept).map(|number| number.to_string()).collect();
    let room = stage.is_asked(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let portal = stage.portal_key().await;
    assert_eq!(stage.storage().held(&portal).await.unwrap(), limits::HELD_MESSAGES_MAX);
    stage.push(vec![member(&room, "joined", "join")], &[]).await;
    stage.until("all that was kept", || stage.homeserver.shown() == texts[..kept]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_message_of_a_paused_contact_waits_for_room() {
    let (stage, _) = Stage::connected().await;
    stage.ask("pause +33 6 12 34 56 78").await;
    let kept = usize::try_from(limits::HELD_MESSAGES_MAX).unwrap();
    let texts: Vec<String> = (0..=kept).map(|number| number.to_string()).collect();
    for text in &texts {
        stage.network.contact_writes(text);
    }
    stage.until("all taken", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(2)).await;
    let portal = stage.portal_key().await;
    assert_eq!(stage.storage().held(&portal).await.unwrap(), limits::HELD_MESSAGES_MAX);
    stage.ask("resume +33 6 12 34 56 78").await;
    stage.until("every one", || stage.homeserver.shown() == texts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_limit_and_one_past_it() {
    let stage = Stage::new().await;
    stage.log_in().await;
    let login = stage.portal_key().await.login;
    let ask = |count: usize| {
        (0..count).map(|number| Change::ContactMoved {
            portal: PortalKey {
                login: login.clone(),
                ghost: causeway::domain::ids::GhostKey(format!("stranger{number}")),
            },
            from: ContactState::Unknown,
            to: ContactState::Requested,
            at: i64::MAX / 2,
        })
    };
    stage.storage().commit(ask(limits::REQUESTS_OPEN_MAX).collect()).await.unwrap();
    stage.network.contact_writes("one too many");
    stage.until("it to be taken", || stage.network.unacknowledged() == 0).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.contact_state().await, ContactState::Unknown);
    assert!(stage.homeserver.invites().is_empty());
    // One of them is answered: there is room for the next.
    let mut answered: Vec<_> = ask(1).collect();
    if let Change::ContactMoved { from, to, .. } = &mut answered[0] {
        (*from, *to) = (ContactState::Requested, ContactState::Declined);
    }
    stage.storage().commit(answered).await.unwrap();
    stage.network.contact_writes("the last");
    stage.until("an invite", || stage.homeserver.invites().len() == 1).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.contact_state().await, ContactState::Requested);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_answers_ends_and_may_be_made_again() {
    let stage = Stage::new().await;
    stage.log_in().await;
    stage.is_asked(&["hello"]).await;
    let portal = stage.portal_key().await;
    stage.clock.advance(limits::REQUEST_KEPT.saturating_sub(Duration::from_mins(1)));
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.contact_state().await, ContactState::Requested);
    stage.clock.advance(Duration::from_mins(1) + limits::CLEAN_EVERY);
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.contact_state().await, ContactState::Expired);
    assert_eq!(stage.storage().held(&portal).await.unwrap(), 0);
    stage.network.contact_writes("hello?");
    stage.until("a second invite", || stage.homeserver.invites().len() == 2).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.contact_state().await, ContactState::Requested);
}

/// A request and its answer, cut off at every write: the words are shown once, in order, and only after the
/// answer.
async fn told_cut(cut: Cut) -> bool {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    stage.begin(cut).await;
    stage.network.contact_writes("one");
    stage.network.contact_writes("two");
    let asked = || stage.is_dead() || !stage.homeserver.invites().is_empty();
    stage.until("an invite or death", asked).await;
    stage
        .until("all taken or death", || stage.is_dead() || stage.network.unacknowledged() == 0)
        .await;
    let died_before = stage.is_dead();
    if died_before {
        stage.begin(Cut::Never).await;
        stage.until("an invite", || !stage.homeserver.invites().is_empty()).await;
        stage.until("all taken", || stage.network.unacknowledged() == 0).await;
    }
    assert!(stage.homeserver.shown().is_empty());
    let room = stage.homeserver.invites().remove(0);
    let joined = member(&room, "joined", "join");
    let shown = |stage: &Stage| stage.homeserver.shown() == ["one", "two"];
    let answer = stage.offer("t1", vec![joined.clone()], &[]).await;
    if answer.is_some() {
        stage.until("the texts or death", || stage.is_dead() || shown(&stage)).await;
        stage
            .until("the receipts or death", || stage.is_dead() || stage.network.receipts() == 2)
            .await;
    }
    let died = died_before || stage.is_dead();
    if stage.is_dead() {
        stage.begin(Cut::Never).await;
        stage.offer("t1", vec![joined], &[]).await;
    }
    stage.until("the texts", || shown(&stage)).await;
    stage.until("the receipts", || stage.network.receipts() >= 2).await;
    assert!(stage.set_aside.lock().unwrap().is_empty());
    died
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_before_a_write_loses_or_doubles_a_request() {
    at_every_write(Cut::Before, 8..60, told_cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_after_a_write_loses_or_doubles_a_request() {
    at_every_write(Cut::After, 8..60, told_cut).await;
}
