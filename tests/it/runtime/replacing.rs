//! Two connections with one identity drive each other out: ours gives way, says so, and comes back when
//! it is told to.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::{port::Storage as _, runtime::ReconnectOutcome};
use ruma::OwnedUserId;

use super::{cut::Cut, homeserver::PERSON, stage::Stage};

fn told(stage: &Stage) -> usize {
    let shown = stage.homeserver.shown();
    shown.iter().filter(|text| text.contains("Somebody else connected")).count()
}

fn connections(stage: &Stage) -> usize {
    stage.network.connections.load(Ordering::SeqCst)
}

async fn replaced() -> Stage {
    let (stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    stage.network.replace();
    stage.until("the news", || told(&stage) == 1).await;
    stage
}

fn person() -> OwnedUserId {
    PERSON.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_replaced_stays_away_until_it_is_wanted() {
    let stage = replaced().await;
    stage.pass(Duration::from_secs(30)).await;
    assert!(stage.logins().wake(&person()).await.unwrap());
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!((connections(&stage), told(&stage)), (1, 1));
    let answer = stage.ask("status").await;
    assert!(answer.contains("`reconnect`"), "{answer}");

    let logins = stage.logins();
    let outcome = stage.run(async move { logins.reconnect(&person()).await.unwrap() }).await;
    assert_eq!((outcome, connections(&stage)), (ReconnectOutcome::Connected, 2));
    let logins = stage.logins();
    let outcome = stage.run(async move { logins.reconnect(&person()).await.unwrap() }).await;
    assert_eq!((outcome, connections(&stage)), (ReconnectOutcome::Connected, 2));

    stage.network.replace();
    stage.until("the news again", || told(&stage) == 2).await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(connections(&stage), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_connects_once_more() {
    let mut stage = replaced().await;
    stage.begin(Cut::Never).await;
    stage.until("a connection", || stage.network.is_connected()).await;
    stage.network.replace();
    stage.until("the news", || told(&stage) == 2).await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(connections(&stage), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_replaced_is_connected_once_to_tell_the_network() {
    let stage = replaced().await;
    stage.ask("logout").await;
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!(stage.storage().login_of(&person()).await.unwrap(), None);
    assert_eq!(stage.network.unenlisted.load(Ordering::SeqCst), 1);
    assert_eq!(connections(&stage), 2);
}
