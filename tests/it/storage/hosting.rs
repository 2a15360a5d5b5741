//! What is hosted: found by name, counted for the quota, listed when it has expired, gone when it is forgotten.

use causeway::{
    domain::{hosting::HostedMedia, ids::StorageRef},
    port::{Retry, Storage as _, storage::Change},
};

use super::{
    on_both,
    place::Place,
    samples::{hosted, login_id, with_logins},
};

on_both!(
    a_hosted_file_is_what_was_saved,
    a_name_belongs_to_one_file,
    a_quota_counts_what_one_login_has,
    what_has_expired_is_listed_oldest_first_and_bounded,
);

async fn a_hosted_file_is_what_was_saved(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let unknown = StorageRef::from_random([0; 32]);
    assert_eq!(storage.hosted_media(&unknown).await.unwrap(), None);
    let media = HostedMedia { length: 1 << 40, ..hosted("l1", 1, 1_900_000_000_000) };
    storage.commit(vec![Change::MediaHosted(media.clone())]).await.unwrap();
    assert_eq!(storage.hosted_media(&media.name).await.unwrap(), Some(media.clone()));
    assert_eq!(storage.hosted_media(&unknown).await.unwrap(), None);
    // Forgetting twice is forgetting once.
    for _ in 0..2 {
        storage.commit(vec![Change::MediaForgotten(media.name.clone())]).await.unwrap();
        assert_eq!(storage.hosted_media(&media.name).await.unwrap(), None);
    }
}

async fn a_name_belongs_to_one_file(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let media = hosted("l1", 1, 10);
    storage.commit(vec![Change::MediaHosted(media.clone())]).await.unwrap();
    let other = HostedMedia { login: login_id("l2"), expires_at: 99, ..media.clone() };
    let failure = storage.commit(vec![Change::MediaHosted(other)]).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert_eq!(storage.hosted_media(&media.name).await.unwrap(), Some(media));
}

async fn a_quota_counts_what_one_login_has(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    assert_eq!(storage.hosted_bytes(&login_id("l1")).await.unwrap(), 0);
    let empty = HostedMedia { length: 0, ..hosted("l1", 3, 10) };
    let large = HostedMedia { length: 1 << 40, ..hosted("l1", 2, 10) };
    let changes = [hosted("l1", 1, 10), large, empty, hosted("l2", 1, 10)];
    storage.commit(changes.map(Change::MediaHosted).into()).await.unwrap();
    assert_eq!(storage.hosted_bytes(&login_id("l1")).await.unwrap(), (1 << 40) + 100);
    assert_eq!(storage.hosted_bytes(&login_id("l2")).await.unwrap(), 100);
    assert_eq!(storage.hosted_bytes(&login_id("nobody")).await.unwrap(), 0);
}

async fn what_has_expired_is_listed_oldest_first_and_bounded(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let [young, old, middle] = [hosted("l1", 1, 30), hosted("l1", 2, 10), hosted("l2", 1, 20)];
    let changes = [young.clone(), old.clone(), middle.clone()];
    storage.commit(changes.map(Change::MediaHosted).into()).await.unwrap();
    let expired = async |now, limit| storage.hosted_expired(now, limit).await.unwrap();
    assert_eq!(expired(9, 10).await, []);
    assert_eq!(expired(10, 10).await, std::slice::from_ref(&old));
    assert_eq!(expired(29, 10).await, [old.clone(), middle.clone()]);
    assert_eq!(expired(30, 2).await, [old.clone(), middle.clone()]);
    assert_eq!(expired(30, 3).await, [old, middle, young]);
}
