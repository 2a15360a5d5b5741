//! Units of work: all or nothing, one after the other, and nothing left of a removed login.

use causeway::{
    domain::{
        bridged::{Direction, Reaction},
        choices::Choices,
        consent::ContactState,
        identity::ContactKeys,
        ids::Lane,
        item::{Destination, OutboxItem},
    },
    port::{
        Retry, Storage as _,
        storage::{Change, Intake, IntakeKey},
    },
    signal::{RemoteIdentityKey, SessionRecord},
};
use sqlx::AssertSqlSafe;

use super::{
    on_both,
    place::Place,
    samples::{
        draft, event, ghost, hosted, keys, login, login_id, message, outbox_envelope, outbox_event,
        person, portal, portal_key, portal_lane, prekey, remote_id, room, session_key, text_of,
        transaction, with_logins,
    },
};

on_both!(
    a_change_that_fails_takes_all_others_along,
    changes_stand_together_in_any_order,
    a_removed_login_leaves_no_row,
    nothing_is_written_for_a_login_that_is_gone,
    two_writers_lose_nothing,
    ids_of_concurrent_intakes_follow_their_commits,
    what_was_committed_is_there_after_opening_again,
);

async fn a_change_that_fails_takes_all_others_along(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let lane = Lane::Room(room("a"));
    storage.take_in(transaction("t1"), vec![draft(lane.clone(), "a")], 10).await.unwrap();
    let id = storage.inbox_next(&lane, None).await.unwrap().unwrap().id;
    let changes = vec![
        Change::InboxDone(id),
        Change::OutboxAdded { lane: lane.clone(), item: outbox_event("x") },
        Change::LoginAdded { login: login("l1", person("carol")), keys: keys(3) },
        Change::SettingSaved { key: "after", value: vec![1] },
    ];
    let failure = storage.commit(changes).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(storage.inbox_next(&lane, None).await.unwrap().is_some());
    assert!(storage.outbox_lanes(&Destination::Homeserver).await.unwrap().is_empty());
    assert_eq!(storage.setting("after").await.unwrap(), None);
}

async fn changes_stand_together_in_any_order(place: Place) {
    let storage = place.open().await;
    // What belongs to the login stands before it.
    let changes = vec![
        Change::PortalSaved(portal("l1", "g1", None)),
        Change::OutboxAdded { lane: portal_lane("l1", "g1"), item: outbox_envelope("l1", "a") },
        Change::LoginAdded { login: login("l1", person("alice")), keys: keys(1) },
    ];
    storage.commit(changes).await.unwrap();
    assert!(storage.portal(&portal_key("l1", "g1")).await.unwrap().is_some());
}

const TABLES_WITH_LOGIN: [&str; 15] = [
    "prekey",
    "portal",
    "session",
    "message",
    "message_part",
    "reaction",
    "retry",
    "hosted_media",
    "choices",
    "contact",
    "contact_keys",
    "notice",
    "intake",
    "inbox",
    "outbox",
];

/// One of everything that belongs to a login.
fn belongings(login: &str) -> Vec<Change> {
    let mut message = message(Direction::ToMatrix, "M1");
    message.portal = portal_key(login, "g1");
    vec![
        Change::PortalSaved(portal(login, "g1", Some(room(login)))),
        Change::GhostSaved(ghost("g1", None)),
        Change::PreKeysAdded { login: login_id(login), prekeys: vec![prekey(1, 1)] },
        Change::SessionSaved {
            session: session_key(login, "g1", 0),
            record: SessionRecord::from_bytes(vec![1]),
            identity: RemoteIdentityKey::from_bytes([1; 32]),
        },
        Change::MessageAdded(message),
        Change::PartShown {
            portal: portal_key(login, "g1"),
            remote_id: remote_id("M1"),
            number: 0,
            event: event("part"),
        },
        Change::ReactionSaved(Reaction {
            portal: portal_key(login, "g1"),
            direction: Direction::ToMatrix,
            target: remote_id("M0"),
            remote_id: remote_id("M1"),
        }),
        Change::RetryAsked { portal: portal_key(login, "g1"), remote_id: remote_id("M1") },
        Change::MediaHosted(hosted(login, 1, 10)),
        Change::ChoicesSaved { login: login_id(login), choices: Choices::default() },
        Change::ContactMoved {
            portal: portal_key(login, "g1"),
            from: ContactState::Unknown,
            to: ContactState::Approved,
            at: 5,
        },
        Change::ContactKeysSaved { portal: portal_key(login, "g1"), keys: ContactKeys::default() },
        Change::NoticeAdded { portal: portal_key(login, "g1"), about: "$1".to_owned() },
        Change::OutboxAdded { lane: portal_lane(login, "g1"), item: outbox_event("x") },
        Change::OutboxAdded { lane: Lane::Room(room("a")), item: outbox_envelope(login, "a") },
    ]
}

async fn a_removed_login_leaves_no_row(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    for login in ["l1", "l2"] {
        storage.commit(belongings(login)).await.unwrap();
        let key = IntakeKey::Stanza { login: login_id(login), about: "a".to_owned() };
        let drafts = vec![draft(portal_lane(login, "g1"), "a")];
        assert_eq!(storage.take_in(key, drafts, 10).await.unwrap(), Intake::Stored);
    }
    let raw = place.raw().await;
    for table in TABLES_WITH_LOGIN {
        let query = format!("select count(*) from {table} where login = 'l1'");
        let before: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&raw).await.unwrap();
        assert!(before > 0, "{table} held nothing to remove");
    }
    // A new table with a login must be added above, or this finds it. The ledger outlives a login, and
    // so do the rooms in which its person was met.
    let with_login: i64 = sqlx::query_scalar(AssertSqlSafe(tables_with_login(&place.url)))
        .fetch_one(&raw)
        .await
        .unwrap();
    assert_eq!(with_login, i64::try_from(TABLES_WITH_LOGIN.len() + 2).unwrap());
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    for table in TABLES_WITH_LOGIN {
        let query = format!(
            "select count(*) - (select count(*) from {table} where login = 'l2') from {table}"
        );
        let others: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&raw).await.unwrap();
        assert_eq!(others, 0, "{table} kept a row");
    }
    assert!(storage.login(&login_id("l1")).await.unwrap().is_none());
    assert!(storage.session(&session_key("l2", "g1", 0)).await.unwrap().is_some());
    assert_eq!(storage.portal_of_room(&room("l1")).await.unwrap(), None);
}

fn tables_with_login(url: &str) -> String {
    if url.starts_with("sqlite") {
        "select count(*) from sqlite_master
         join pragma_table_info(sqlite_master.name) as info
         where sqlite_master.type = 'table' and info.name = 'login'"
            .to_owned()
    } else {
        "select count(*) from information_schema.columns
         where table_schema = 'public' and column_name = 'login'"
            .to_owned()
    }
}

async fn nothing_is_written_for_a_login_that_is_gone(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    for change in belongings("l1") {
        if matches!(change, Change::GhostSaved(_)) {
            continue; // a ghost belongs to nobody
        }
        let failure = storage.commit(vec![change]).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.to_string().contains("login"), "{failure}");
    }
    let drafts = vec![draft(portal_lane("l1", "g1"), "a")];
    storage.take_in(transaction("t1"), drafts, 10).await.unwrap_err();
    assert_eq!(storage.inbox_bound().await.unwrap(), None);
}

async fn two_writers_lose_nothing(place: Place) {
    const EACH: usize = 40;
    // Two openings of one database, as two processes would have.
    let (one, other) = (place.open().await, place.open().await);
    with_logins(&one).await;
    let write = async |storage: &causeway::storage::SqlStorage, lane: Lane| {
        for index in 0..EACH {
            let item = outbox_event(&index.to_string());
            // The same row each time, so that the two truly meet.
            let asked =
                Change::RetryAsked { portal: portal_key("l1", "g1"), remote_id: remote_id("M") };
            let added = Change::OutboxAdded { lane: lane.clone(), item };
            storage.commit(vec![asked, added]).await.unwrap();
        }
    };
    let (lane_one, lane_other) = (portal_lane("l1", "g1"), portal_lane("l2", "g1"));
    tokio::join!(
        write(&one, lane_one.clone()),
        write(&other, lane_other.clone()),
        write(&one, Lane::Room(room("a")))
    );
    let asked = one.retries_asked(&portal_key("l1", "g1"), &remote_id("M")).await.unwrap();
    assert_eq!(usize::try_from(asked).unwrap(), 3 * EACH);
    for lane in [lane_one, lane_other, Lane::Room(room("a"))] {
        for index in 0..EACH {
            let row = other.outbox_next(&lane, &Destination::Homeserver).await.unwrap().unwrap();
            let OutboxItem::Event(event) = row.item else { panic!("no event") };
            assert_eq!(event.transaction_id, index.to_string());
            other.commit(vec![Change::OutboxDone(row.id)]).await.unwrap();
        }
    }
}

async fn ids_of_concurrent_intakes_follow_their_commits(place: Place) {
    const EACH: usize = 30;
    let (one, other) = (place.open().await, place.open().await);
    let lane = Lane::Room(room("a"));
    let take = async |storage: &causeway::storage::SqlStorage, name: &str| {
        for index in 0..EACH {
            let drafts = vec![draft(lane.clone(), "x")];
            let key = transaction(&format!("{name}{index}"));
            assert_eq!(storage.take_in(key, drafts, 10).await.unwrap(), Intake::Stored);
        }
    };
    // While rows arrive, no row ever appears before one that was seen already.
    let watch = async || {
        let mut seen = None;
        let mut count = 0;
        while count < 2 * EACH {
            let Some(row) = one.inbox_next(&lane, None).await.unwrap() else {
                tokio::task::yield_now().await;
                continue;
            };
            assert!(Some(row.id) > seen, "a row came late");
            assert_eq!(text_of(&row.item), "x");
            seen = Some(row.id);
            one.commit(vec![Change::InboxDone(row.id)]).await.unwrap();
            count += 1;
        }
    };
    tokio::join!(take(&one, "a"), take(&other, "b"), watch());
    assert_eq!(one.inbox_bound().await.unwrap(), None);
}

async fn what_was_committed_is_there_after_opening_again(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    storage.commit(belongings("l1")).await.unwrap();
    storage.close().await;
    let failure = storage.setting("any").await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
    let storage = place.open().await;
    assert_eq!(storage.logins().await.unwrap().len(), 2);
    assert!(storage.session(&session_key("l1", "g1", 0)).await.unwrap().is_some());
    // Ids go on where they were, so that order lasts.
    let lane = portal_lane("l1", "g1");
    storage
        .commit(vec![Change::OutboxAdded { lane: lane.clone(), item: outbox_event("y") }])
        .await
        .unwrap();
    let row = storage.outbox_next(&lane, &Destination::Homeserver).await.unwrap().unwrap();
    let OutboxItem::Event(event) = row.item else { panic!("no event") };
    assert_eq!(event.transaction_id, "x");
}
