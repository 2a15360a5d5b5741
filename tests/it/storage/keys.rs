//! The key store against matrix-sdk-crypto's own conformance suite, and what that suite does not ask.

use std::{collections::HashMap, sync::Mutex};

use causeway::{
    port::storage::KeyStores as _,
    storage::{SqlCryptoStore, SqlStorage},
};
use matrix_sdk_crypto::{
    Account, OlmMachine,
    store::{CryptoStore as _, types::Changes},
};
use ruma::{RoomId, device_id, room_id, user_id};

use super::{on_both, place::Place, samples::person};

/// The suite opens databases by name, and some of them twice.
static PLACES: Mutex<Option<HashMap<String, Place>>> = Mutex::new(None);

fn url_of(name: &str) -> Option<String> {
    let places = PLACES.lock().unwrap();
    places.as_ref()?.get(name).map(|place| place.url.clone())
}

async fn store_at(name: String, fresh: Option<Place>) -> SqlCryptoStore {
    if let Some(place) = fresh {
        PLACES.lock().unwrap().get_or_insert_default().insert(name.clone(), place);
    }
    let url = url_of(&name).unwrap();
    let storage = SqlStorage::open(&url, super::place::MASTER_KEY, super::place::dice()).await;
    storage.unwrap().sql_crypto_store(user_id!("@alice:example.org"), device_id!("ALICEDEVICE"))
}

#[expect(
    unexpected_cfgs,
    clippy::ignore_without_reason,
    reason = "the suite asks for features of its own crate, and leaves out what few stores can do"
)]
mod upstream_on_sqlite {
    use causeway::storage::SqlCryptoStore;

    use super::{super::place::Place, store_at};

    async fn get_store(name: &str, _passphrase: Option<&str>, clear: bool) -> SqlCryptoStore {
        let fresh = if clear { Some(Place::sqlite()) } else { None };
        store_at(format!("sqlite/{name}"), fresh).await
    }

    matrix_sdk_crypto::cryptostore_integration_tests!();
    matrix_sdk_crypto::cryptostore_integration_tests_time!();
}

#[expect(
    unexpected_cfgs,
    clippy::ignore_without_reason,
    reason = "the suite asks for features of its own crate, and leaves out what few stores can do"
)]
mod upstream_on_postgres {
    use causeway::storage::SqlCryptoStore;

    use super::{super::place::Place, store_at};

    async fn get_store(name: &str, _passphrase: Option<&str>, clear: bool) -> SqlCryptoStore {
        let fresh = if clear { Some(Place::postgres().await) } else { None };
        store_at(format!("postgres/{name}"), fresh).await
    }

    matrix_sdk_crypto::cryptostore_integration_tests!();
    matrix_sdk_crypto::cryptostore_integration_tests_time!();
}

on_both!(
    owners_do_not_see_each_other,
    who_tracks_a_user_is_known,
    a_machine_comes_back_as_it_was,
    a_failing_save_leaves_nothing,
    a_room_key_of_an_old_backup_is_backed_up_again,
);

async fn owners_do_not_see_each_other(place: Place) {
    let storage = place.open().await;
    let alice = user_id!("@alice:example.org");
    let stores = [
        storage.sql_crypto_store(alice, device_id!("A")),
        storage.sql_crypto_store(alice, device_id!("B")),
        storage.sql_crypto_store(user_id!("@bob:example.org"), device_id!("A")),
    ];
    let room: &RoomId = room_id!("!a:example.org");
    for (index, store) in (0_u8..).zip(&stores) {
        let downloaded = if index == 0 { vec![room.to_owned()] } else { Vec::new() };
        let changes = Changes {
            next_batch_token: Some(index.to_string()),
            room_key_backups_fully_downloaded: downloaded.into_iter().collect(),
            ..Changes::default()
        };
        store.save_changes(changes).await.unwrap();
        store.set_custom_value("account", vec![index]).await.unwrap();
    }
    for (index, store) in (0_u8..).zip(&stores) {
        assert_eq!(store.next_batch_token().await.unwrap(), Some(index.to_string()));
        assert_eq!(store.get_custom_value("account").await.unwrap(), Some(vec![index]));
        assert_eq!(store.has_downloaded_all_room_keys(room).await.unwrap(), index == 0);
        // A custom value never stands in for one of ours.
        assert!(store.load_account().await.unwrap().is_none());
    }
    stores[0].remove_custom_value("account").await.unwrap();
    assert_eq!(stores[0].get_custom_value("account").await.unwrap(), None);
    assert!(stores[1].get_custom_value("account").await.unwrap().is_some());
}

async fn who_tracks_a_user_is_known(place: Place) {
    let storage = place.open().await;
    let (ghost, other) = (person("ghost"), person("other"));
    let alice = person("alice");
    assert!(storage.users_tracking(&alice).await.unwrap().is_empty());
    for (user, device) in [(&ghost, "A"), (&ghost, "B"), (&other, "A")] {
        let store = storage.crypto_store(user, device.into());
        store.save_tracked_users(&[(&alice, true)]).await.unwrap();
    }
    storage
        .crypto_store(&other, device_id!("A"))
        .save_tracked_users(&[(&person("bob"), false)])
        .await
        .unwrap();
    assert_eq!(storage.users_tracking(&alice).await.unwrap(), [ghost, other.clone()]);
    assert_eq!(storage.users_tracking(&person("bob")).await.unwrap(), [other]);
}

async fn a_machine_comes_back_as_it_was(place: Place) {
    let storage = place.open().await;
    let (alice, device) = (person("alice"), device_id!("A"));
    let open = async || {
        let store = storage.crypto_store(&alice, device);
        OlmMachine::with_store(&alice, device, store, None).await.unwrap()
    };
    let machine = open().await;
    machine.bootstrap_cross_signing(false).await.unwrap();
    let keys = machine.identity_keys();
    drop(machine);
    let machine = open().await;
    assert_eq!(machine.identity_keys(), keys);
    assert!(machine.cross_signing_status().await.is_complete());
}

async fn a_failing_save_leaves_nothing(place: Place) {
    let storage = place.open().await;
    let store = storage.sql_crypto_store(user_id!("@alice:example.org"), device_id!("A"));
    // The table of a later write is gone, so the save fails in its middle.
    let raw = place.raw().await;
    sqlx::query("drop table key_room_value").execute(&raw).await.unwrap();
    let changes = Changes {
        next_batch_token: Some("token".to_owned()),
        room_key_backups_fully_downloaded: [room_id!("!a:example.org").to_owned()].into(),
        ..Changes::default()
    };
    store.save_changes(changes).await.unwrap_err();
    assert_eq!(store.next_batch_token().await.unwrap(), None);
}

/// The suite leaves this one out, because it asks more than most stores do.
async fn a_room_key_of_an_old_backup_is_backed_up_again(place: Place) {
    let storage = place.open().await;
    let alice = user_id!("@alice:example.org");
    let store = storage.sql_crypto_store(alice, device_id!("A"));
    let account = Account::with_device_id(alice, device_id!("A"));
    let room = room_id!("!a:example.org");
    let (_, session) = account.create_group_session_pair_with_defaults(room).await;
    session.mark_as_backed_up();
    store.save_inbound_group_sessions(vec![session.clone()], Some("old")).await.unwrap();
    let wanting =
        async |version| store.inbound_group_sessions_for_backup(version, 9).await.unwrap();
    assert_eq!(wanting("old").await, []);
    assert_eq!(wanting("new").await, std::slice::from_ref(&session));
    // Saved again in passing, it stays backed up.
    let changes = Changes { inbound_group_sessions: vec![session.clone()], ..Changes::default() };
    store.save_changes(changes).await.unwrap();
    assert_eq!(wanting("old").await, []);
    // A better one takes its place, and no backup has it yet.
    session.reset_backup_state();
    store.save_inbound_group_sessions(vec![session.clone()], None).await.unwrap();
    assert_eq!(wanting("old").await, [session]);
    assert_eq!(store.inbound_group_session_counts(Some("old")).await.unwrap().backed_up, 0);
}
