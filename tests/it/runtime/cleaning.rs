//! The cleaner: what has expired goes, file first; what nobody knows goes when it is old; nothing else does.

use std::time::Duration;

use causeway::{
    domain::{
        bridged::Timestamp,
        hosting::HostedMedia,
        ids::StorageRef,
        limits::{CLEAN_EVERY, EXPIRED_AT_ONCE_MAX, ORPHAN_GRACE, ORPHANS_EVERY, millis},
    },
    port::{Clock as _, Storage as _, storage::Change},
};
use tokio::time::sleep;

use super::{
    stage::Stage,
    surroundings::{LOOK_EVERY, Trouble},
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

pub(super) fn name(number: u8) -> StorageRef {
    StorageRef::from_random([number; 32])
}

/// Hosts a file for the stage's login: the object and its row.
pub(super) async fn host(stage: &Stage, name: &StorageRef, bytes: Vec<u8>, expires_at: Timestamp) {
    let login = stage.storage().logins().await.unwrap().remove(0).id;
    let length = bytes.len() as u64;
    stage.media.place(name, bytes);
    let hosted_at = stage.clock.now();
    let media = HostedMedia { name: name.clone(), login, length, hosted_at, expires_at };
    stage.storage().commit(vec![Change::MediaHosted(media)]).await.unwrap();
}

async fn is_known(stage: &Stage, name: &StorageRef) -> bool {
    stage.storage().hosted_media(name).await.unwrap().is_some()
}

/// Waits without moving the clock.
async fn until_gone(stage: &Stage, name: &StorageRef) {
    while stage.media.has(name) || is_known(stage, name).await {
        sleep(LOOK_EVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_removed_and_nothing_before() {
    let (stage, _) = Stage::connected().await;
    let due = stage.clock.now() + millis(CLEAN_EVERY);
    let [old, on_time, young] = [1, 2, 3].map(name);
    host(&stage, &young, vec![3; 10], due + 1).await;
    host(&stage, &on_time, vec![2; 10], due).await;
    host(&stage, &old, vec![1; 10], due - 1).await;
    stage.clock.advance(CLEAN_EVERY);
    until_gone(&stage, &old).await;
    until_gone(&stage, &on_time).await;
    assert!(stage.media.has(&young) && is_known(&stage, &young).await);
    stage.clock.advance(CLEAN_EVERY);
    until_gone(&stage, &young).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_stays_until_its_file_is_gone() {
    let (stage, _) = Stage::connected().await;
    let media = name(1);
    host(&stage, &media, vec![1; 10], stage.clock.now()).await;
    *stage.media.trouble.lock().unwrap() = Some(Trouble::Later);
    let before = stage.media.calls();
    stage.clock.advance(CLEAN_EVERY);
    stage.until("the cleaner tried", || stage.media.calls() > before).await;
    stage.pass(SECOND).await;
    assert!(stage.media.has(&media) && is_known(&stage, &media).await);
    *stage.media.trouble.lock().unwrap() = None;
    stage.clock.advance(CLEAN_EVERY);
    until_gone(&stage, &media).await;
}

/// As after a crash between the two.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_file_is_gone_already_is_removed() {
    let (stage, _) = Stage::connected().await;
    let media = name(1);
    host(&stage, &media, vec![1; 10], stage.clock.now()).await;
    stage.media.remove(&media);
    stage.clock.advance(CLEAN_EVERY);
    until_gone(&stage, &media).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_batch_goes_in_one_round() {
    let (stage, _) = Stage::connected().await;
    let count = u8::try_from(EXPIRED_AT_ONCE_MAX + 1).unwrap();
    for number in 0..count {
        host(&stage, &name(number), vec![number], stage.clock.now() + 1).await;
    }
    stage.clock.advance(CLEAN_EVERY);
    for number in 0..count {
        until_gone(&stage, &name(number)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_knows_is_removed_when_it_is_old() {
    let (stage, _) = Stage::connected().await;
    let never = Timestamp::MAX;
    let [known, old, at_the_limit, marker] = [1, 2, 3, 4].map(name);
    host(&stage, &known, vec![1; 10], never).await;
    stage.media.place(&old, vec![2; 10]);
    // Looked at last, so that the others have been looked at when it is gone.
    stage.media.place(&marker, vec![4; 10]);
    stage.clock.advance(MILLISECOND);
    stage.media.place(&at_the_limit, vec![3; 10]);
    let written = stage.clock.now();
    stage.clock.advance(ORPHAN_GRACE);
    until_gone(&stage, &marker).await;
    assert!(!stage.media.has(&old));
    assert!(stage.media.has(&at_the_limit));
    assert!(stage.media.has(&known) && is_known(&stage, &known).await);
    let discarded = *stage.media.discarded_before.lock().unwrap();
    assert_eq!(discarded, Some(written), "uploads that never ended have the same grace");
    stage.clock.advance(ORPHANS_EVERY);
    until_gone(&stage, &at_the_limit).await;
    assert!(stage.media.has(&known));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_removed_stands_in_no_others_way() {
    let (stage, _) = Stage::connected().await;
    let [first, second] = [1, 2].map(name);
    stage.media.place(&first, vec![1; 10]);
    stage.media.place(&second, vec![2; 10]);
    *stage.media.undeletable.lock().unwrap() = Some(first.clone().min(second.clone()));
    stage.clock.advance(ORPHAN_GRACE + ORPHANS_EVERY);
    until_gone(&stage, &first.max(second)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_login_that_is_gone_follow_it() {
    let (stage, _) = Stage::connected().await;
    let media = name(1);
    host(&stage, &media, vec![1; 10], Timestamp::MAX).await;
    let login = stage.storage().logins().await.unwrap().remove(0).id;
    stage.storage().commit(vec![Change::LoginRemoved(login)]).await.unwrap();
    assert!(!is_known(&stage, &media).await);
    stage.clock.advance(ORPHAN_GRACE + SECOND);
    until_gone(&stage, &media).await;
}
