//! Who is erased is nowhere any more, and the database is for everybody else what it would be had they never come.

use std::collections::BTreeMap;

use causeway::{
    domain::{
        allowance::{Counted, Day, UsedToday},
        bridged::{ActAs, Direction, Message, Portal, Reaction, Timestamp},
        choices::Choices,
        consent::{Act, ContactState, Entry},
        erasure::{Erasure, Meeting},
        export::Tally,
        identity::ContactKeys,
        ids::{Lane, PortalKey},
        item::{InboxItem, KeyChanges, OutboundEvent, OutboxItem},
    },
    port::{
        Storage as _,
        storage::{Change, InboxDraft, IntakeKey, KeyStores as _},
    },
    signal::{RemoteIdentityKey, SessionRecord},
    storage::SqlStorage,
};
use matrix_sdk_crypto::{
    Account, DeviceData,
    store::types::{Changes, DeviceChanges, PendingChanges},
};
use ruma::{DeviceId, OwnedUserId, device_id};
use serde_json::json;
use sqlx::AnyPool;

use super::{
    on_both,
    place::Place,
    samples::{
        draft, event, ghost, ghost_key, hosted, keys, login, login_id, message, outbox_envelope,
        outbox_event, person, portal_key, prekey, remote_id, room, session_key, transaction,
    },
    sealing::every_column,
};

on_both!(
    who_is_erased_is_nowhere_and_nobody_else_notices,
    the_rooms_of_a_login_that_is_gone_are_known_with_their_chats,
    a_wish_is_kept_until_it_is_fulfilled,
    what_comes_after_all_was_left_is_a_strangers,
    a_room_that_serves_somebody_else_by_now_is_theirs,
);

/// Of these a person has no row: what belongs to nobody, and the keys of our own users, which are theirs.
const NOBODYS: [&str; 8] =
    ["counter", "seal_check", "setting", "lookup", "lease", "key_value", "key_lease", "key_secret"];

/// What is used up, and not by whom.
const MOVES_ON: [&str; 2] = ["counter.last", "counter.name"];

const DEVICE: &str = "OURS";

struct Life {
    name: &'static str,
    login: &'static str,
    ghost: &'static str,
    /// The key of a device that the person has removed.
    old_key: &'static str,
}

const ALICE: Life = Life {
    name: "alice",
    login: "l1",
    ghost: "g1",
    old_key: "aliceoldkeyaliceoldkeyaliceoldkeyalice",
};
const BOB: Life = Life {
    name: "bob",
    login: "l2",
    ghost: "g2",
    old_key: "boboldkeyboboldkeyboboldkeyboboldkeybob",
};
/// Whom both know.
const SHARED: &str = "g3";

impl Life {
    fn room(&self, kind: &str) -> ruma::OwnedRoomId {
        room(&format!("{kind}-{}", self.name))
    }

    fn device(&self) -> Account {
        // The same in every call would need a seed that the library does not take: made once a test.
        Account::with_device_id(&person(self.name), device_id!("CLIENT"))
    }

    /// The lines of everything that the bridge's tables hold of a person.
    async fn fill_tables(&self, storage: &SqlStorage) {
        let (who, portal) = (person(self.name), portal_key(self.login, self.ghost));
        let added = Change::LoginAdded { login: login(self.login, who.clone()), keys: keys(1) };
        let management = self.room("management");
        let room = management.clone();
        let mut changes = vec![added, Change::ManagementRoomSaved { person: who.clone(), room }];
        for ghost in [self.ghost, SHARED] {
            changes.extend(self.with_contact(ghost));
        }
        let message = |id: &str| Message {
            portal: portal.clone(),
            ..message(Direction::ToNetwork, &format!("{id}-{}", self.name))
        };
        let reaction = Reaction {
            portal: portal.clone(),
            direction: Direction::ToNetwork,
            target: remote_id("target"),
            remote_id: remote_id("reaction"),
        };
        let choices = Choices { read_receipts: false, ..Choices::default() };
        changes.extend([
            Change::ChoicesSaved { login: login_id(self.login), choices },
            Change::PreKeysAdded { login: login_id(self.login), prekeys: vec![prekey(1, 1)] },
            Change::SessionSaved {
                session: session_key(self.login, self.ghost, 0),
                record: SessionRecord::from_bytes(vec![1; 32]),
                identity: RemoteIdentityKey::from_bytes([1; 32]),
            },
            Change::MessageAdded(message("first")),
            Change::MessageAdded(message("second")),
            Change::ContactKeysSaved { portal: portal.clone(), keys: ContactKeys::default() },
            Change::ReactionSaved(reaction),
            Change::NoticeAdded { portal: portal.clone(), about: format!("$of-{}", self.name) },
            Change::RetryAsked { portal: portal.clone(), remote_id: remote_id("again") },
            Change::PartShown {
                portal: portal.clone(),
                remote_id: remote_id("long"),
                number: 1,
                event: event(&format!("part-{}", self.name)),
            },
            Change::DayUsageAdded(UsedToday {
                person: who.clone(),
                day: Day(7),
                what: Counted::Contacts,
                amount: 2,
            }),
            Change::MediaHosted(hosted(self.login, 1, 99)),
            Change::OutboxAdded {
                lane: Lane::Portal(portal.clone()),
                item: outbox_envelope(self.login, "a"),
            },
            Change::OutboxAdded { lane: Lane::Room(management), item: outbox_event("answer") },
        ]);
        storage.commit(changes).await.unwrap();
        self.fill_inbox(storage, &portal).await;
        self.set_aside(storage).await;
        storage.commit(vec![Change::ErasureAsked { person: who, at: 50 }]).await.unwrap();
    }

    fn with_contact(&self, key: &str) -> Vec<Change> {
        let portal = portal_key(self.login, key);
        let entry = Entry {
            person: person(self.name),
            login: Some(login_id(self.login)),
            ghost: Some(ghost_key(key)),
            act: Act::Approved,
            text_version: Some(1),
            cause: Some(event(&format!("cause-{}", self.name))),
            at: 5,
        };
        let (from, to) = (ContactState::Unknown, ContactState::Approved);
        // The chat has moved: the room of before is theirs as well.
        let rooms = ["before", "chat"].map(|kind| self.room(&format!("{kind}-{key}")));
        let moved =
            rooms.map(|room| Change::PortalSaved(Portal { key: portal.clone(), room: Some(room) }));
        let mut changes = vec![
            Change::GhostSaved(ghost(key, Some("Anna"))),
            Change::LedgerAdded(entry),
            Change::ContactMoved { portal, from, to, at: 5 },
        ];
        changes.extend(moved);
        changes
    }

    async fn fill_inbox(&self, storage: &SqlStorage, portal: &PortalKey) {
        let lanes = [
            Lane::Portal(portal.clone()),
            Lane::Held(portal.clone()),
            Lane::Room(self.room("management")),
        ];
        let about = format!("message/{}", self.name);
        let key = IntakeKey::Stanza { login: login_id(self.login), about };
        let drafts = lanes.into_iter().map(|lane| draft(lane, self.name)).collect();
        storage.take_in(key, drafts, 10).await.unwrap();
    }

    /// What waits for the operator, without a login to go with.
    async fn set_aside(&self, storage: &SqlStorage) {
        let who = person(self.name);
        let of_keys = KeyChanges {
            to_device: vec![json!({"sender": who, "type": "m.room.encrypted"})],
            ..KeyChanges::default()
        };
        let malformed = json!({"sender": who, "type": 5});
        let elsewhere = json!({"room_id": self.room("management"), "sender": "@x:example.org"});
        let items = [
            (Lane::Keys, InboxItem::Keys(of_keys)),
            (Lane::Unplaced, InboxItem::Event(causeway::domain::item::RawEvent(malformed))),
            (
                Lane::Room(room("elsewhere")),
                InboxItem::Event(causeway::domain::item::RawEvent(elsewhere)),
            ),
        ];
        for (number, (lane, item)) in items.into_iter().enumerate() {
            // Without a login the key of an intake is nobody's: it goes with its age.
            let key = transaction(&format!("{number}"));
            let drafts = vec![InboxDraft { lane: lane.clone(), item, received_at: 1 }];
            let login = login_id(self.login);
            let about = format!("aside/{}/{key:?}", self.name);
            storage.take_in(IntakeKey::Stanza { login, about }, drafts, 10).await.unwrap();
            let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
            let reason = "for the operator".to_owned();
            storage.commit(vec![Change::InboxQuarantined { id: row.id, reason }]).await.unwrap();
        }
        let item = OutboxItem::Event(OutboundEvent {
            sender: ActAs::Bot,
            room: self.room("management"),
            transaction_id: "aside".to_owned(),
            event_type: "m.room.message".to_owned(),
            content: json!({}),
            shows: None,
        });
        let lane = Lane::Room(room("elsewhere"));
        storage.commit(vec![Change::OutboxAdded { lane: lane.clone(), item }]).await.unwrap();
        let to = causeway::domain::item::Destination::Homeserver;
        let row = storage.outbox_next(&lane, &to).await.unwrap().unwrap();
        let reason = "for the operator".to_owned();
        storage.commit(vec![Change::OutboxQuarantined { id: row.id, reason }]).await.unwrap();
    }

    /// What our users' devices know of the person, as one of them (`owner`) keeps it.
    async fn fill_keys(&self, storage: &SqlStorage, raw: &AnyPool, owner: &OwnedUserId) {
        let device = DeviceData::from_account(&self.device());
        let key = device.curve25519_key().unwrap().to_base64();
        let store = storage.crypto_store(owner, device_of(DEVICE));
        let devices = DeviceChanges { new: vec![device], ..DeviceChanges::default() };
        store.save_changes(Changes { devices, ..Changes::default() }).await.unwrap();
        store.save_tracked_users(&[(&person(self.name), true)]).await.unwrap();

        let (who, owner) = (person(self.name).to_string(), format!("{owner} {DEVICE}"));
        let (chat, moved) = (self.room("chat-g3").to_string(), self.room("before-g3").to_string());
        let mut rows = vec![
            ("key_identity (owner, user_id, identity_sealed)", vec![who.clone()]),
            (
                "key_room_value (owner, kind, room, item, value_sealed)",
                vec!["outbound_session".to_owned(), chat.clone(), String::new()],
            ),
            (
                "key_room_value (owner, kind, room, item, value_sealed)",
                vec!["key_bundle".to_owned(), "!nobodys:example.org".to_owned(), who],
            ),
        ];
        for key in [key.as_str(), self.old_key] {
            rows.push((
                "key_olm_session (owner, sender_key, session_id, session_sealed)",
                vec![key.to_owned(), "s".to_owned()],
            ));
            // In a room that became nothing the key tells whose it is, in theirs the room does.
            let room = if key == self.old_key { &moved } else { "!nobodys:example.org" };
            rows.push((
                "key_inbound_session (owner, room, session_id, sender_key, sender_data_type, session_sealed)",
                vec![room.to_owned(), format!("{}-{key}", self.name), key.to_owned()],
            ));
        }
        for (columns, values) in rows {
            insert(raw, columns, &owner, &values).await;
        }
        let about = format!("keyRequest:{chat}:session:m.megolm.v1.aes-sha2");
        sqlx::query(
            "insert into key_secret_request (owner, request_id, about, sent, request_sealed)
             values ($1, $2, $3, 1, $4)",
        )
        .bind(&owner)
        .bind(self.name)
        .bind(about)
        .bind(vec![1_u8])
        .execute(raw)
        .await
        .unwrap();
        sqlx::query("insert into key_olm_message (owner, sender_key, hash) values ($1, $2, 'h')")
            .bind(&owner)
            .bind(&key)
            .execute(raw)
            .await
            .unwrap();
    }

    /// Everything by which the person could be found.
    fn names(&self) -> Vec<String> {
        let rooms = ["management", "chat-g1", "before-g1", "chat-g3"].map(|kind| self.room(kind));
        let mut names: Vec<_> = rooms.iter().map(ToString::to_string).collect();
        names.extend([person(self.name).to_string(), self.name.to_owned()]);
        names.extend([self.old_key.to_owned(), format!("{}/", self.login)]);
        names
    }
}

fn device_of(name: &'static str) -> &'static DeviceId {
    name.into()
}

/// A row whose first column is the owner, whose last one is sealed (and not opened by an erasure), and which has a
/// number before it where the table wants one.
async fn insert(raw: &AnyPool, columns: &str, owner: &str, values: &[String]) {
    let number = if columns.contains("sender_data_type") { ", 1" } else { "" };
    let places: Vec<_> = (2..2 + values.len()).map(|place| format!("${place}")).collect();
    let sealed = values.len() + 2;
    let query =
        format!("insert into {columns} values ($1, {}{number}, ${sealed})", places.join(", "));
    let mut query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(owner.to_owned());
    for value in values {
        query = query.bind(value.clone());
    }
    query.bind(vec![1_u8]).execute(raw).await.unwrap();
}

/// All that there is, whatever the order.
async fn everything(place: &Place) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut columns: BTreeMap<_, _> = every_column(place).await.into_iter().collect();
    columns.retain(|name, _| !MOVES_ON.contains(&name.as_str()));
    for values in columns.values_mut() {
        values.sort();
    }
    columns
}

fn rows(columns: &BTreeMap<String, Vec<Vec<u8>>>) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for (name, values) in columns {
        let (table, _) = name.split_once('.').unwrap();
        let most: &mut usize = rows.entry(table.to_owned()).or_default();
        *most = values.len().max(*most);
    }
    rows
}

/// Our users with accounts of their own, and sessions of their own in the rooms of both.
async fn with_our_users(storage: &SqlStorage, raw: &AnyPool) -> Vec<OwnedUserId> {
    let users = vec![person("bot"), person("ghost-3")];
    for user in &users {
        let account = Account::with_device_id(user, device_of(DEVICE));
        let device = DeviceData::from_account(&account);
        let key = device.curve25519_key().unwrap().to_base64();
        let store = storage.crypto_store(user, device_of(DEVICE));
        store.save_pending_changes(PendingChanges { account: Some(account) }).await.unwrap();
        let devices = DeviceChanges { new: vec![device], ..DeviceChanges::default() };
        store.save_changes(Changes { devices, ..Changes::default() }).await.unwrap();
        let columns = "key_inbound_session (owner, room, session_id, sender_key, sender_data_type, session_sealed)";
        let values = [BOB.room("chat-g3").to_string(), "ours".to_owned(), key];
        insert(raw, columns, &format!("{user} {DEVICE}"), &values).await;
    }
    users
}

async fn who_is_erased_is_nowhere_and_nobody_else_notices(place: Place) {
    let storage = place.open().await;
    let raw = place.raw().await;
    let users = with_our_users(&storage, &raw).await;
    BOB.fill_tables(&storage).await;
    for user in &users {
        BOB.fill_keys(&storage, &raw, user).await;
    }
    let before = everything(&place).await;
    ALICE.fill_tables(&storage).await;
    for user in &users {
        ALICE.fill_keys(&storage, &raw, user).await;
        // Our own user spoke in the room of each of them, with one key.
        let own: String = sqlx::query_scalar(
            "select sender_key from key_inbound_session where session_id = 'ours' and owner = $1",
        )
        .bind(format!("{user} {DEVICE}"))
        .fetch_one(&raw)
        .await
        .unwrap();
        let columns = "key_inbound_session (owner, room, session_id, sender_key, sender_data_type, session_sealed)";
        let values = [ALICE.room("chat-g3").to_string(), "ours".to_owned(), own];
        insert(&raw, columns, &format!("{user} {DEVICE}"), &values).await;
    }
    let filled = everything(&place).await;
    let (rows_before, rows_filled) = (rows(&before), rows(&filled));
    for (table, count) in &rows_filled {
        let grew = *count > rows_before[table];
        assert!(
            grew != NOBODYS.contains(&table.as_str()),
            "{table}: does a person have rows in it?"
        );
    }

    assert_eq!(storage.ghosts_of_nobody_else(&person("alice")).await.unwrap(), [ghost_key("g1")]);
    for _ in 0..2 {
        storage.commit(vec![Change::PersonErased(person("alice"))]).await.unwrap();
        let after = everything(&place).await;
        for (column, values) in &after {
            // What the contact that both know is called was sealed anew, for the same words.
            if column.starts_with("ghost.") {
                assert_eq!(values.len(), before[column].len(), "{column}");
            } else {
                let differ = values.iter().filter(|value| !before[column].contains(value)).count();
                assert_eq!(differ, 0, "{column} has {differ} values that nobody else had");
                assert_eq!(values.len(), before[column].len(), "{column}");
            }
        }
    }
    raw.close().await;
    check_file(&place, &ALICE.names(), false);
    // The search finds what is there.
    check_file(&place, &[person("bob").to_string()], true);
}

/// Looks through the bytes of the file and its companions, if the database is one.
fn check_file(place: &Place, names: &[String], expected: bool) {
    let Some(folder) = &place.folder else { return };
    for name in names {
        let mut found = false;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            found |= bytes.windows(name.len()).any(|window| window == name.as_bytes());
        }
        assert_eq!(found, expected, "{name}");
    }
}

async fn the_rooms_of_a_login_that_is_gone_are_known_with_their_chats(place: Place) {
    let storage = place.open().await;
    ALICE.fill_tables(&storage).await;
    storage.commit(vec![Change::LoginRemoved(login_id(ALICE.login))]).await.unwrap();
    let meeting = |kind: &str, ghost: &str| Meeting {
        who: ActAs::Ghost(ghost_key(ghost)),
        room: ALICE.room(&format!("{kind}-{ghost}")),
        chat: Some(portal_key(ALICE.login, ghost)),
    };
    let mut expected = vec![
        Meeting { who: ActAs::Bot, room: ALICE.room("management"), chat: None },
        meeting("before", ALICE.ghost),
        meeting("before", SHARED),
        meeting("chat", ALICE.ghost),
        meeting("chat", SHARED),
    ];
    expected.sort();
    let mut found = storage.meetings_with(&person(ALICE.name)).await.unwrap();
    found.sort();
    assert_eq!(found, expected);
}

async fn a_wish_is_kept_until_it_is_fulfilled(place: Place) {
    let storage = place.open().await;
    let alice = person("alice");
    let asked = |at| Change::ErasureAsked { person: alice.clone(), at };
    assert_eq!(storage.erasure_of(&alice).await.unwrap(), None);
    storage
        .commit(vec![Change::ErasureAsked { person: person("bob"), at: 6 }, asked(5)])
        .await
        .unwrap();
    let erasure = |left_at: Option<Timestamp>| Erasure { person: alice.clone(), left_at };
    let bobs = Erasure { person: person("bob"), left_at: None };
    assert_eq!(storage.erasures().await.unwrap(), [erasure(None), bobs.clone()]);
    let left = Change::ErasureLeft { person: alice.clone(), at: 7 };
    storage.commit(vec![left, asked(9)]).await.unwrap();
    assert_eq!(storage.erasure_of(&alice).await.unwrap(), Some(erasure(Some(7))));
    storage.commit(vec![Change::PersonErased(alice.clone())]).await.unwrap();
    assert_eq!(storage.erasures().await.unwrap(), [bobs]);
}

async fn what_comes_after_all_was_left_is_a_strangers(place: Place) {
    let storage = place.open().await;
    let (alice, management) = (person("alice"), room("a"));
    let saved = Change::ManagementRoomSaved { person: alice.clone(), room: management.clone() };
    let asked = Change::ErasureAsked { person: alice.clone(), at: 5 };
    let left = Change::ErasureLeft { person: alice.clone(), at: 11 };
    storage.commit(vec![saved, asked, left]).await.unwrap();
    let lane = Lane::Room(management);
    let early = draft(lane.clone(), "early");
    let late = InboxDraft { received_at: 11, ..draft(lane.clone(), "late") };
    storage.take_in(transaction("t"), vec![early, late], 11).await.unwrap();
    storage.commit(vec![Change::PersonErased(alice)]).await.unwrap();
    let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
    assert_eq!(row.received_at, 11);
}

async fn a_room_that_serves_somebody_else_by_now_is_theirs(place: Place) {
    let storage = place.open().await;
    let (alice, bob) = (person("alice"), person("bob"));
    for name in [&alice, &bob] {
        let (person, room) = (name.clone(), room("both"));
        storage.commit(vec![Change::ManagementRoomSaved { person, room }]).await.unwrap();
    }
    assert_eq!(storage.meetings_with(&alice).await.unwrap(), []);
    storage.commit(vec![Change::PersonErased(alice)]).await.unwrap();
    let meeting = Meeting { who: ActAs::Bot, room: room("both"), chat: None };
    assert_eq!(storage.meetings_with(&bob).await.unwrap(), [meeting]);
    assert_eq!(storage.management_person(&room("both")).await.unwrap(), Some(bob));
    assert_eq!(storage.tally(&login_id("l1")).await.unwrap(), Tally::default());
}
