//! What stands in the rows: nothing that tells, and nothing that can be moved.

use causeway::{
    domain::{
        bridged::Direction,
        ids::Lane,
        item::{InboundMessage, InboxItem},
        phone::Phone,
    },
    port::{
        Retry, Storage as _,
        storage::{Change, InboxDraft, IntakeKey, KeyStores as _},
    },
    signal::{RemoteIdentityKey, SessionRecord},
};
use matrix_sdk_crypto::OlmMachine;
use ruma::device_id;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    on_both,
    place::Place,
    samples::{
        CANARY, address, draft, ghost, ghost_key, login_id, message, outbox_envelope, outbox_event,
        person, portal, portal_lane, prekey, remote_id, remote_user, room, session_key,
        transaction, with_logins,
    },
};

on_both!(
    a_sealed_value_cannot_stand_in_for_another,
    an_altered_item_is_an_error_and_no_item,
    no_row_tells_a_number,
    debug_tells_nothing,
);

async fn a_sealed_value_cannot_stand_in_for_another(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    for (device, byte) in [(0, 1), (1, 2)] {
        let saved = Change::SessionSaved {
            session: session_key("l1", "g1", device),
            record: SessionRecord::from_bytes(vec![byte; 32]),
            identity: RemoteIdentityKey::from_bytes([byte; 32]),
        };
        storage.commit(vec![saved]).await.unwrap();
    }
    let raw = place.raw().await;
    let swaps = [
        // Another row of the same column, another column of the same row.
        "update session set record_sealed = (select record_sealed from session where device = 1)
         where device = 0",
        "update session set record_sealed = identity_sealed where device = 0",
    ];
    for swap in swaps {
        sqlx::query(swap).execute(&raw).await.unwrap();
        let failure = storage.session(&session_key("l1", "g1", 0)).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.to_string().contains("session.record_sealed"), "{failure}");
    }
    assert!(storage.session(&session_key("l1", "g1", 1)).await.unwrap().is_some());
    sqlx::query("update login set keys_sealed = (select keys_sealed from login where id = 'l2')")
        .execute(&raw)
        .await
        .unwrap();
    storage.login_keys(&login_id("l1")).await.unwrap_err();
    storage.login_keys(&login_id("l2")).await.unwrap();
}

async fn an_altered_item_is_an_error_and_no_item(place: Place) {
    let storage = place.open().await;
    let lane = Lane::Room(room("a"));
    storage.take_in(transaction("t1"), vec![draft(lane.clone(), "a")], 10).await.unwrap();
    let raw = place.raw().await;
    sqlx::query("update inbox set item_sealed = $1")
        .bind(vec![1_u8; 80])
        .execute(&raw)
        .await
        .unwrap();
    let failure = storage.inbox_next(&lane, None).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
}

async fn no_row_tells_a_number(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let lane = portal_lane("l1", "g1");
    let changes = vec![
        Change::LoginEnlisted { login: login_id("l1"), network_id: remote_user() },
        Change::GhostSaved(ghost("g1", Some(CANARY))),
        Change::PortalSaved(portal("l1", "g1", None)),
        Change::LookupSaved {
            ghost: ghost_key("g1"),
            phone: Phone::from_digits(CANARY).unwrap(),
            at: 1,
        },
        Change::PreKeysAdded { login: login_id("l1"), prekeys: vec![prekey(1, 1)] },
        Change::SessionSaved {
            session: session_key("l1", "g1", 0),
            record: SessionRecord::from_bytes(CANARY.into()),
            identity: RemoteIdentityKey::from_bytes([1; 32]),
        },
        Change::MessageAdded(message(Direction::ToMatrix, "M1")),
        Change::OutboxAdded { lane: lane.clone(), item: outbox_event("x") },
        Change::OutboxAdded { lane: lane.clone(), item: outbox_envelope("l1", "a") },
        Change::SettingSaved { key: "a", value: CANARY.into() },
    ];
    storage.commit(changes).await.unwrap();
    let received = InboundMessage {
        id: remote_id("M2"),
        from: address(),
        sent_at: 1,
        display_name: Some(CANARY.to_owned()),
        ciphertext: None,
    };
    let item = InboxItem::Message(received);
    let key = IntakeKey::Stanza { login: login_id("l1"), about: format!("message/{CANARY}/M2") };
    storage.take_in(key, vec![InboxDraft { lane, item, received_at: 1 }], 1).await.unwrap();
    let (alice, device) = (person("alice"), device_id!("D"));
    let store = storage.crypto_store(&alice, device);
    store.set_custom_value("a", CANARY.into()).await.unwrap();
    let machine = OlmMachine::with_store(&alice, device, store, None).await.unwrap();
    machine.bootstrap_cross_signing(false).await.unwrap();

    let tables = every_column(&place).await;
    assert!(tables.len() > 60, "found only {} columns", tables.len());
    for (column, values) in tables {
        for value in values {
            let found = value.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "{column} tells the number");
        }
    }
    if let Some(folder) = &place.folder {
        // The file and its log, whatever the tables say.
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
        }
    }
}

/// Every column of every table with all of its values, as bytes.
pub(super) async fn every_column(place: &Place) -> Vec<(String, Vec<Vec<u8>>)> {
    let raw = place.raw().await;
    let columns = if place.url.starts_with("sqlite") {
        "select sqlite_master.name as tab, info.name as col, lower(info.type) as typ
         from sqlite_master join pragma_table_info(sqlite_master.name) as info
         where sqlite_master.type = 'table' and sqlite_master.name not like '%sqlx%'"
    } else {
        "select table_name::text as tab, column_name::text as col, data_type::text as typ
         from information_schema.columns
         where table_schema = 'public' and table_name not like '%sqlx%'"
    };
    let mut found = Vec::new();
    for row in sqlx::query(AssertSqlSafe(columns)).fetch_all(&raw).await.unwrap() {
        let [tab, col, typ] = ["tab", "col", "typ"].map(|name| row.get::<String, _>(name));
        let query = format!("select {col} as val from {tab} where {col} is not null");
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&raw).await.unwrap();
        let read = |row: &sqlx::any::AnyRow| match typ.as_str() {
            "text" => row.get::<String, _>("val").into_bytes(),
            "bytea" => row.get::<Vec<u8>, _>("val"),
            "bigint" => row.get::<i64, _>("val").to_string().into_bytes(),
            other => panic!("{tab}.{col} has the type {other}"),
        };
        found.push((format!("{tab}.{col}"), rows.iter().map(read).collect()));
    }
    found
}

async fn debug_tells_nothing(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    storage.commit(vec![Change::GhostSaved(ghost("g1", Some("Zoë")))]).await.unwrap();
    let store = storage.sql_crypto_store(&person("alice"), device_id!("D"));
    let shown = format!("{storage:?} {store:?}");
    let key = format!("{:?}", super::place::MASTER_KEY);
    assert!(!shown.contains(key.trim_matches(['[', ']'])));
    let ghost = storage.ghost(&ghost_key("g1")).await.unwrap();
    let keys = storage.login_keys(&login_id("l1")).await.unwrap();
    let shown = format!("{ghost:?} {keys:?}");
    assert!(!shown.contains(CANARY) && !shown.contains("Zoë"), "{shown}");
}
