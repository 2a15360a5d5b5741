//! Whoever the network has forgotten is told once, and comes back with one word, with everything kept.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::{
    domain::{
        bridged::LoginState,
        consent::{Act, CONSENT_TEXT_VERSION, Entry},
    },
    port::{Clock as _, Storage as _, storage::Change},
};
use ruma::{OwnedRoomId, UserId};

use super::{cut::Cut, homeserver::PERSON, stage::Stage};

const NEWS: &str = "WhatsApp no longer knows you, as happens";
const NOTICE: &str = "what you write here waits";

fn person() -> &'static UserId {
    PERSON.try_into().unwrap()
}

async fn state(stage: &Stage) -> Option<LoginState> {
    stage.storage().login_of(person()).await.unwrap().map(|login| login.state)
}

fn shown(stage: &Stage, what: &str) -> usize {
    stage.homeserver.shown().iter().filter(|text| text.contains(what)).count()
}

/// A login with a portal whom the network has just forgotten.
async fn forgotten() -> (Stage, OwnedRoomId) {
    let (stage, room) = Stage::connected().await;
    stage.has_management_room().await;
    forget(&stage, 1).await;
    (stage, room)
}

async fn forget(stage: &Stage, news: usize) {
    stage.network.forget();
    stage.network.hang_up();
    stage.until("the news", || shown(stage, NEWS) == news).await;
    assert_eq!(state(stage).await, Some(LoginState::Lapsed));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_is_told_once_and_comes_back_with_one_word() {
    let (mut stage, room) = forgotten().await;
    let id = stage.storage().login_of(person()).await.unwrap().unwrap().id;
    let keys = stage.storage().login_keys(&id).await.unwrap().unwrap();
    for text in ["one", "two"] {
        let event = stage.text(&room, text);
        stage.push(vec![event], &[]).await;
    }
    stage.until("a notice in the room", || shown(&stage, NOTICE) == 1).await;
    stage.pass(Duration::from_secs(30)).await;
    stage.begin(Cut::Never).await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!((shown(&stage, NEWS), shown(&stage, NOTICE)), (1, 1));
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), 1);
    assert!(stage.screen().is_empty());
    for command in ["login", "status"] {
        let answer = stage.ask(command).await;
        assert!(answer.contains("`agree`") && answer.contains("30 days"), "{answer}");
    }

    let answer = stage.ask("agree").await;
    assert!(answer.starts_with("You are connected"), "{answer}");
    stage.until("what was written", || stage.screen() == ["one", "two"]).await;
    let login = stage.storage().login_of(person()).await.unwrap().unwrap();
    assert_eq!((&login.id, login.state), (&id, LoginState::Active));
    let kept = stage.storage().login_keys(&id).await.unwrap().unwrap();
    assert_eq!(kept.identity.public_key(), keys.identity.public_key());
    assert_eq!(kept.noise, keys.noise);
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), 2);

    // Once more is told once more.
    forget(&stage, 2).await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(shown(&stage, NEWS), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_has_changed_must_be_read_before_coming_back() {
    let (mut stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    let older = Entry {
        person: person().to_owned(),
        login: None,
        ghost: None,
        act: Act::OptedIn,
        text_version: Some(CONSENT_TEXT_VERSION - 1),
        cause: None,
        at: stage.clock.now(),
    };
    stage.storage().commit(vec![Change::LedgerAdded(older)]).await.unwrap();
    // Nobody has been shown anything since.
    stage.begin(Cut::Never).await;
    stage.until("a connection", || stage.network.is_connected()).await;
    forget(&stage, 1).await;
    assert_eq!(shown(&stage, "The terms have changed"), 1);
    let answer = stage.ask("agree").await;
    assert!(answer.contains("send `login`"), "{answer}");
    let answer = stage.ask("login").await;
    assert!(answer.contains("European Economic Area"), "{answer}");
    let answer = stage.ask("agree").await;
    assert!(answer.starts_with("You are connected"), "{answer}");
    let ledger = stage.storage().ledger_of(person()).await.unwrap();
    let (acts, last): (Vec<_>, _) =
        (ledger.iter().map(|it| it.act).collect(), &ledger[ledger.len() - 1]);
    assert!(acts.ends_with(&[Act::OptedIn, Act::Lapsed, Act::OptedIn]), "{acts:?}");
    assert_eq!(last.text_version, Some(CONSENT_TEXT_VERSION));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_back_can_leave_without_the_network() {
    let (stage, _) = forgotten().await;
    let answer = stage.ask("logout").await;
    assert!(answer.starts_with("You have left"), "{answer}");
    assert_eq!(state(&stage).await, None);
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), 1);
    assert_eq!(stage.network.unenlisted.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sessions_that_agree_at_once_one_enlists_and_the_other_is_told() {
    let stage = Stage::new().await;
    stage.ask("login").await;
    stage.network.enlisting.close();
    let (first, second) = (stage.asking(PERSON, "agree"), stage.asking(PERSON, "agree"));
    stage.until("an enlistment", || stage.network.enlisting.is_waited_at()).await;
    stage.network.enlisting.open();
    let mut answers = [first.await, second.await];
    answers.sort();
    assert!(answers[0].starts_with("You are connected to WhatsApp already"), "{answers:?}");
    assert!(answers[1].starts_with("You are connected to WhatsApp. Send `start`"), "{answers:?}");
    assert_eq!(stage.storage().logins().await.unwrap().len(), 1);
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), 1);
    assert_eq!(stage.network.connections.load(Ordering::SeqCst), 1);
}
