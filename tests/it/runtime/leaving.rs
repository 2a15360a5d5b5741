//! Whoever leaves has left, whatever the network was about to answer at that moment.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::port::Storage as _;

use super::{homeserver::PERSON, stage::Stage, surroundings::Gate};

/// Waits until the login, the keys and the enlistment are gone.
async fn check_gone(stage: &Stage) {
    let (storage, network) = (stage.storage(), &stage.network);
    let person = PERSON.try_into().unwrap();
    for _ in 0..200 {
        stage.pass(Duration::from_millis(100)).await;
        let login = storage.login_of(person).await.unwrap();
        if login.is_none() && !network.knows_the_person() && !network.is_connected() {
            assert!(network.unenlisted.load(Ordering::SeqCst) > 0, "nobody told the network");
            assert_eq!(stage.ask("status").await, stage.ask("status").await);
            return;
        }
    }
    panic!("the person left, and is still there: {}", stage.ask("status").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_connected_is_confirmed() {
    let (stage, _) = Stage::connected().await;
    let answer = stage.ask("logout").await;
    assert!(answer.starts_with("You have left"), "{answer}");
    check_gone(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_the_network_enlists_is_not_undone_by_its_answer() {
    let stage = Stage::new().await;
    stage.network.enlisting.close();
    stage.ask("login").await;
    stage.ask("agree").await;
    stage.until("enlisting", || stage.network.enlisting.is_waited_at()).await;
    let answer = stage.ask("logout").await;
    assert!(answer.contains("your keys are deleted"), "{answer}");
    stage.network.enlisting.open();
    check_gone(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_the_connection_is_made_does_not_wait_for_its_end() {
    let (stage, _) = Stage::connected().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("connecting", || stage.network.connecting.is_waited_at()).await;
    stage.ask("logout").await;
    stage.network.connecting.open();
    check_gone(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_the_network_has_forgotten_the_person_enlists_nobody_again() {
    let (stage, _) = Stage::connected().await;
    let enlistments = stage.network.enlistments.load(Ordering::SeqCst);
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("connecting", || stage.network.connecting.is_waited_at()).await;
    stage.network.forget();
    stage.ask("logout").await;
    stage.network.connecting.open();
    let (storage, person) = (stage.storage(), PERSON.try_into().unwrap());
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!(storage.login_of(person).await.unwrap(), None);
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), enlistments);
}

/// The person leaves when the state of their login was read and nothing was made of it yet.
async fn check_between(stage: &Stage, gate_of_the_network: &Gate) {
    let read_login = stage.read_login();
    read_login.close();
    gate_of_the_network.open();
    stage.until("a read of the login", || read_login.is_waited_at()).await;
    let answer = stage.asking(PERSON, "logout");
    stage.pass(Duration::from_secs(1)).await;
    read_login.open();
    stage.pass(Duration::from_secs(1)).await;
    answer.await;
    check_gone(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_between_the_enlistment_and_its_record_is_not_overwritten() {
    let stage = Stage::new().await;
    stage.network.enlisting.close();
    stage.ask("login").await;
    stage.ask("agree").await;
    stage.until("enlisting", || stage.network.enlisting.is_waited_at()).await;
    check_between(&stage, &stage.network.enlisting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_between_the_connection_and_its_use_is_not_overlooked() {
    let (stage, _) = Stage::connected().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("connecting", || stage.network.connecting.is_waited_at()).await;
    check_between(&stage, &stage.network.connecting).await;
}

/// Without the answer nobody knows whether the network has the person. Enlisting once more to find out
/// would enlist somebody who left, so the keys go and the network forgets by itself.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_after_an_enlistment_whose_answer_was_lost_deletes_the_keys() {
    let stage = Stage::new().await;
    stage.network.loses_answers.store(true, Ordering::SeqCst);
    stage.ask("login").await;
    stage.ask("agree").await;
    stage.until("an enlistment", || stage.network.knows_the_person()).await;
    stage.ask("logout").await;
    let (storage, person) = (stage.storage(), PERSON.try_into().unwrap());
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!(storage.login_of(person).await.unwrap(), None);
    let enlistments = stage.network.enlistments.load(Ordering::SeqCst);
    stage.pass(Duration::from_mins(1)).await;
    assert_eq!(stage.network.enlistments.load(Ordering::SeqCst), enlistments);
}
