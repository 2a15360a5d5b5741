//! People, logins, ghosts, portals, messages and keys: what was saved is what is found.

use causeway::{
    domain::{
        allowance::{Counted, Day, DayUsage, UsedToday},
        bridged::{Delivery, Direction, Ghost, Login, LoginState, Reaction},
        choices::Choices,
        identity::{ContactKeys, IdentityPolicy},
        ids::GhostKey,
        phone::Phone,
    },
    port::{
        Retry, Storage as _,
        storage::{Change, SaidNotice},
    },
    signal::{RemoteIdentityKey, SessionRecord},
};

use super::{
    on_both,
    place::Place,
    samples::{
        CANARY, event, ghost, ghost_key, keys, login, login_id, message, person, portal,
        portal_key, prekey, remote_id, remote_user, room, session_key, with_logins,
    },
};

on_both!(
    settings_are_the_latest,
    a_room_serves_the_latest_person,
    a_login_goes_its_way,
    a_login_replaces_nothing,
    choices_are_a_logins_own_and_the_latest,
    a_day_is_counted_by_person_and_thing,
    what_was_said_of_keys_is_not_overtaken,
    a_ghost_keeps_a_name_that_is_not_renewed,
    a_portal_moves_between_rooms,
    a_lookup_is_remembered_until_its_time,
    a_message_moves_forward_only,
    a_message_is_found_by_the_room_of_its_portal,
    the_parts_of_a_message_lead_to_it,
    messages_are_read_in_their_order_and_once,
    a_side_has_one_reaction_to_a_message,
    retries_are_counted,
    a_notice_is_remembered_until_it_is_taken_back,
    prekeys_are_spent_and_their_ids_never_reused,
    a_session_is_replaced_whole,
);

async fn settings_are_the_latest(place: Place) {
    let storage = place.open().await;
    assert_eq!(storage.setting("bot").await.unwrap(), None);
    for value in [vec![], vec![0, 255]] {
        let setting = Change::SettingSaved { key: "bot", value: value.clone() };
        storage.commit(vec![setting]).await.unwrap();
        assert_eq!(storage.setting("bot").await.unwrap(), Some(value));
    }
}

async fn a_room_serves_the_latest_person(place: Place) {
    let storage = place.open().await;
    let (alice, bob) = (person("alice"), person("bob"));
    let save = |person: &ruma::UserId, name| Change::ManagementRoomSaved {
        person: person.to_owned(),
        room: room(name),
    };
    storage.commit(vec![save(&alice, "a")]).await.unwrap();
    storage.commit(vec![save(&alice, "b")]).await.unwrap();
    assert_eq!(storage.management_room(&alice).await.unwrap(), Some(room("b")));
    assert_eq!(storage.management_person(&room("a")).await.unwrap(), None);
    storage.commit(vec![save(&bob, "b")]).await.unwrap();
    assert_eq!(storage.management_person(&room("b")).await.unwrap(), Some(bob));
    assert_eq!(storage.management_room(&alice).await.unwrap(), None);
}

async fn a_login_goes_its_way(place: Place) {
    let storage = place.open().await;
    assert!(storage.logins().await.unwrap().is_empty());
    with_logins(&storage).await;
    let id = login_id("l1");
    let added = login("l1", person("alice"));
    assert_eq!(storage.login(&id).await.unwrap(), Some(added));
    let enlisted = Change::LoginEnlisted { login: id.clone(), network_id: remote_user() };
    let active = Change::LoginStateSet { login: id.clone(), state: LoginState::Active };
    storage.commit(vec![enlisted, active]).await.unwrap();
    let expected = Login {
        id: id.clone(),
        person: person("alice"),
        network_id: Some(remote_user()),
        state: LoginState::Active,
    };
    assert_eq!(storage.login(&id).await.unwrap(), Some(expected.clone()));
    assert_eq!(storage.login_of(&person("alice")).await.unwrap(), Some(expected.clone()));
    assert_eq!(storage.logins().await.unwrap(), [expected, login("l2", person("bob"))]);
    let stored = storage.login_keys(&id).await.unwrap().unwrap();
    assert_eq!(stored.noise, keys(1).noise);
    assert_eq!(*stored.identity.to_bytes(), *keys(1).identity.to_bytes());
    assert_eq!(*stored.signed_prekey.to_bytes(), *keys(1).signed_prekey.to_bytes());
    assert!(storage.login_keys(&login_id("l3")).await.unwrap().is_none());
}

async fn a_login_replaces_nothing(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    for again in [login("l1", person("carol")), login("l3", person("alice"))] {
        let change = Change::LoginAdded { login: again, keys: keys(9) };
        let failure = storage.commit(vec![change]).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
    }
    assert_eq!(storage.logins().await.unwrap().len(), 2);
}

async fn what_was_said_of_keys_is_not_overtaken(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let portal = portal_key("l1", "g1");
    let saved = |keys: &ContactKeys| {
        vec![Change::ContactKeysSaved { portal: portal_key("l1", "g1"), keys: keys.clone() }]
    };
    assert_eq!(storage.contact_keys(&portal).await.unwrap(), ContactKeys::default());
    let key = |byte| RemoteIdentityKey::from_bytes([byte; 32]);
    let mut keys = ContactKeys {
        pending: [(0, key(1)), (u16::MAX, key(2))].into(),
        confirmed: [(3, key(3))].into(),
        verified: Some(key(4)),
        version: 0,
    };
    storage.commit(saved(&keys)).await.unwrap();
    let failure = storage.commit(saved(&keys)).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
    keys.version = 1;
    assert_eq!(storage.contact_keys(&portal).await.unwrap(), keys);
    storage.commit(saved(&ContactKeys { version: 1, ..ContactKeys::default() })).await.unwrap();
    let found = storage.contact_keys(&portal).await.unwrap();
    assert_eq!(found, ContactKeys { version: 2, ..ContactKeys::default() });
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    assert_eq!(storage.contact_keys(&portal).await.unwrap(), ContactKeys::default());
}

async fn choices_are_a_logins_own_and_the_latest(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (id, other) = (login_id("l1"), login_id("l2"));
    assert_eq!(storage.choices(&id).await.unwrap(), Choices::default());
    for (read_receipts, typing, identity_changes) in [
        (false, true, IdentityPolicy::Hold),
        (true, false, IdentityPolicy::Block),
        (false, false, IdentityPolicy::Notify),
    ] {
        let choices = Choices { read_receipts, typing, identity_changes };
        let saved = Change::ChoicesSaved { login: id.clone(), choices };
        storage.commit(vec![saved]).await.unwrap();
        assert_eq!(storage.choices(&id).await.unwrap(), choices);
    }
    assert_eq!(storage.choices(&other).await.unwrap(), Choices::default());
    storage.commit(vec![Change::LoginRemoved(id.clone())]).await.unwrap();
    assert_eq!(storage.choices(&id).await.unwrap(), Choices::default());
}

async fn a_day_is_counted_by_person_and_thing(place: Place) {
    let storage = place.open().await;
    let added = |name: &str, day: i64, what: Counted, amount: u64| {
        Change::DayUsageAdded(UsedToday { person: person(name), day: Day(day), what, amount })
    };
    let used = async |name: &str, day: i64| {
        let DayUsage { contacts, media_bytes } =
            storage.day_usage(&person(name), Day(day)).await.unwrap();
        (contacts, media_bytes)
    };
    assert_eq!(used("alice", 7).await, (0, 0));
    for change in [
        added("alice", 7, Counted::Contacts, 1),
        added("alice", 7, Counted::Contacts, 1),
        added("alice", 7, Counted::MediaBytes, 5_000_000_000),
        added("bob", 7, Counted::MediaBytes, 3),
    ] {
        storage.commit(vec![change]).await.unwrap();
    }
    assert_eq!(used("alice", 7).await, (2, 5_000_000_000));
    assert_eq!(used("alice", 8).await, (0, 0));
    assert_eq!(used("bob", 7).await, (0, 3));
    storage.commit(vec![added("bob", 8, Counted::Contacts, 1)]).await.unwrap();
    assert_eq!(used("bob", 8).await, (1, 0));
    assert_eq!(used("alice", 7).await, (0, 0), "what is past is forgotten");
}

async fn a_ghost_keeps_a_name_that_is_not_renewed(place: Place) {
    let storage = place.open().await;
    storage.commit(vec![Change::GhostSaved(ghost("g1", Some("Zoë")))]).await.unwrap();
    let prepared = Ghost { prepared: true, ..ghost("g1", None) };
    storage.commit(vec![Change::GhostSaved(prepared)]).await.unwrap();
    let expected = Ghost { prepared: true, ..ghost("g1", Some("Zoë")) };
    assert_eq!(storage.ghost(&ghost_key("g1")).await.unwrap(), Some(expected));
    storage.commit(vec![Change::GhostSaved(ghost("g1", Some("Zoé")))]).await.unwrap();
    let found = storage.ghost(&ghost_key("g1")).await.unwrap().unwrap();
    assert_eq!(found.display_name.as_deref(), Some("Zoé"));
    assert_eq!(storage.ghost(&ghost_key("g2")).await.unwrap(), None);
}

async fn a_portal_moves_between_rooms(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    for at in [None, Some(room("a")), Some(room("b"))] {
        let saved = portal("l1", "g1", at);
        storage.commit(vec![Change::PortalSaved(saved.clone())]).await.unwrap();
        assert_eq!(storage.portal(&saved.key).await.unwrap(), Some(saved));
    }
    let moved = portal("l1", "g1", Some(room("b")));
    assert_eq!(storage.portal_of_room(&room("a")).await.unwrap(), None);
    assert_eq!(storage.portal_of_room(&room("b")).await.unwrap(), Some(moved.clone()));
    for (at, is_there) in [("b", true), ("a", false)] {
        let affirmed = Change::PortalAffirmed { portal: moved.key.clone(), room: room(at) };
        let outcome = storage.commit(vec![affirmed]).await;
        assert_eq!(
            outcome.map_err(|failure| failure.retry),
            is_there.then_some(()).ok_or(Retry::Later)
        );
    }
    let other = portal("l1", "g2", None);
    let elsewhere = portal("l2", "g1", None);
    let changes = [other.clone(), elsewhere].map(Change::PortalSaved);
    storage.commit(changes.into()).await.unwrap();
    assert_eq!(storage.portals_of(&login_id("l1")).await.unwrap(), [moved, other]);
    // One room never mirrors two chats.
    let taken = Change::PortalSaved(portal("l2", "g1", Some(room("b"))));
    assert_eq!(storage.commit(vec![taken]).await.unwrap_err().retry, Retry::Never);
}

async fn a_lookup_is_remembered_until_its_time(place: Place) {
    let storage = place.open().await;
    let (one, other) = (ghost_key("g1"), ghost_key("g2"));
    let phone = Phone::from_digits(CANARY).unwrap();
    let saved = |ghost: &GhostKey, at| Change::LookupSaved {
        ghost: ghost.clone(),
        phone: phone.clone(),
        at,
    };
    assert_eq!(storage.lookup(&one).await.unwrap(), None);
    storage.commit(vec![saved(&one, 10), saved(&other, 10)]).await.unwrap();
    // Looked up again: it is kept longer.
    storage.commit(vec![saved(&one, 20)]).await.unwrap();
    assert_eq!(storage.lookups().await.unwrap(), 2);
    storage.commit(vec![Change::LookupsForgotten { before: 10 }]).await.unwrap();
    assert_eq!(storage.lookups().await.unwrap(), 2);
    storage.commit(vec![Change::LookupsForgotten { before: 11 }]).await.unwrap();
    assert_eq!(storage.lookup(&one).await.unwrap(), Some(phone.clone()));
    assert_eq!(storage.lookup(&other).await.unwrap(), None);
    assert_eq!(storage.lookups().await.unwrap(), 1);
}

async fn a_message_moves_forward_only(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (key, id) = (portal_key("l1", "g1"), remote_id("M1"));
    let sent = message(Direction::ToNetwork, "M1");
    storage.commit(vec![Change::MessageAdded(sent.clone())]).await.unwrap();
    let steps = [
        (Delivery::Delivered, Delivery::Delivered),
        (Delivery::Sent, Delivery::Delivered),
        (Delivery::Read, Delivery::Read),
        (Delivery::Committed, Delivery::Read),
    ];
    for (delivery, expected) in steps {
        let (portal, remote_id) = (key.clone(), id.clone());
        let moved = Change::MessageDelivery { portal, remote_id, delivery };
        storage.commit(vec![moved]).await.unwrap();
        let found = storage.message_by_remote(&key, &id).await.unwrap().unwrap();
        assert_eq!(found.delivery, expected);
    }
    // Added again, it is what it was.
    storage.commit(vec![Change::MessageAdded(sent)]).await.unwrap();
    let found = storage.message_by_remote(&key, &id).await.unwrap().unwrap();
    assert_eq!(found.delivery, Delivery::Read);
    assert_eq!(storage.message_by_remote(&key, &remote_id("M2")).await.unwrap(), None);
}

async fn a_message_is_found_by_the_room_of_its_portal(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (key, id) = (portal_key("l1", "g1"), remote_id("M1"));
    let shown =
        Change::MessageShown { portal: key.clone(), remote_id: id.clone(), event: event("one") };
    let changes = vec![
        Change::PortalSaved(portal("l1", "g1", Some(room("a")))),
        Change::MessageAdded(message(Direction::ToMatrix, "M1")),
        shown,
    ];
    storage.commit(changes).await.unwrap();
    let found = storage.message_by_event(&room("a"), &event("one")).await.unwrap().unwrap();
    assert_eq!((found.direction, found.event), (Direction::ToMatrix, Some(event("one"))));
    assert_eq!(found.delivery, Delivery::Sent);
    assert_eq!(storage.message_by_event(&room("b"), &event("one")).await.unwrap(), None);
    // What the network says of our messages does not touch theirs.
    let read = Change::MessageDelivery {
        portal: key.clone(),
        remote_id: id.clone(),
        delivery: Delivery::Read,
    };
    storage.commit(vec![read]).await.unwrap();
    let found = storage.message_by_remote(&key, &id).await.unwrap().unwrap();
    assert_eq!(found.delivery, Delivery::Sent);
}

async fn the_parts_of_a_message_lead_to_it(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (key, id) = (portal_key("l1", "g1"), remote_id("M1"));
    let part = |number, name: &str| Change::PartShown {
        portal: key.clone(),
        remote_id: id.clone(),
        number,
        event: event(name),
    };
    let changes = vec![
        Change::PortalSaved(portal("l1", "g1", Some(room("a")))),
        // Ours has the same id, and no parts.
        Change::MessageAdded(message(Direction::ToNetwork, "M1")),
        Change::MessageAdded(message(Direction::ToMatrix, "M1")),
        part(1, "second"),
        part(0, "first"),
        part(0, "first"),
    ];
    storage.commit(changes).await.unwrap();
    let found = storage.message_by_event(&room("a"), &event("second")).await.unwrap().unwrap();
    assert_eq!((found.direction, found.remote_id), (Direction::ToMatrix, id.clone()));
    assert_eq!(storage.message_by_event(&room("b"), &event("second")).await.unwrap(), None);
    let parts = async || {
        let parts = storage.message_parts(&key, &id).await.unwrap();
        parts.into_iter().map(|part| (part.number, part.event)).collect::<Vec<_>>()
    };
    assert_eq!(parts().await, [(0, event("first")), (1, event("second"))]);
    let (portal, remote_id) = (key.clone(), id.clone());
    storage.commit(vec![Change::PartRemoved { portal, remote_id, number: 0 }]).await.unwrap();
    assert_eq!(parts().await, [(1, event("second"))]);
    let theirs = storage.message_in(&key, Direction::ToMatrix, &id).await.unwrap().unwrap();
    assert_eq!(theirs.direction, Direction::ToMatrix);
}

async fn messages_are_read_in_their_order_and_once(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let key = portal_key("l1", "g1");
    let (ours, theirs) = (Direction::ToNetwork, Direction::ToMatrix);
    // All of the same millisecond. M4 is not shown yet, and R is in both directions.
    for (direction, id) in
        [(theirs, "M3"), (theirs, "M1"), (ours, "R"), (theirs, "M4"), (theirs, "R"), (ours, "M5")]
    {
        storage.commit(vec![Change::MessageAdded(message(direction, id))]).await.unwrap();
        if direction == theirs && id != "M4" {
            let (portal, remote_id) = (key.clone(), remote_id(id));
            let shown = Change::MessageShown { portal, remote_id, event: event(id) };
            storage.commit(vec![shown]).await.unwrap();
        }
    }
    let unread = async |last: &str, limit| {
        let found = storage.unread_up_to(&key, &remote_id(last), limit).await.unwrap();
        found.into_iter().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(unread("R", 9).await, ["M3", "M1", "R"]);
    assert_eq!(unread("R", 2).await, ["M3", "M1"]);
    assert_eq!(unread("M3", 9).await, ["M3"]);
    assert_eq!((unread("M5", 9).await, unread("M9", 9).await), (vec![], vec![]));
    let messages = vec![remote_id("M3"), remote_id("R")];
    let read = Change::MessagesRead { portal: key.clone(), messages };
    storage.commit(vec![read]).await.unwrap();
    assert_eq!(unread("R", 9).await, ["M1"]);
    // Ours of the same id is untouched.
    let found = storage.message_by_remote(&key, &remote_id("R")).await.unwrap().unwrap();
    assert_eq!((found.direction, found.delivery), (ours, Delivery::Committed));

    let newest = async |ids: &[&str]| {
        let ids: Vec<_> = ids.iter().map(|id| remote_id(id)).collect();
        storage.newest_of(&key, &ids).await.unwrap().map(|message| message.remote_id.0)
    };
    assert_eq!(newest(&["M5", "R", "M9"]).await.as_deref(), Some("M5"));
    assert_eq!(newest(&["R", "M1"]).await.as_deref(), Some("R"));
    assert_eq!(newest(&["M1"]).await, None);
}

async fn a_side_has_one_reaction_to_a_message(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (key, target) = (portal_key("l1", "g1"), remote_id("M1"));
    let (ours, theirs) = (Direction::ToNetwork, Direction::ToMatrix);
    for (direction, id) in [(ours, "R1"), (theirs, "R2"), (ours, "R3")] {
        let reaction = Reaction {
            portal: key.clone(),
            direction,
            target: target.clone(),
            remote_id: remote_id(id),
        };
        storage.commit(vec![Change::ReactionSaved(reaction)]).await.unwrap();
    }
    let on = async |direction| storage.reaction_on(&key, direction, &target).await.unwrap();
    assert_eq!((on(ours).await, on(theirs).await), (Some(remote_id("R3")), Some(remote_id("R2"))));
    let of = async |id| storage.reaction_target(&key, ours, &remote_id(id)).await.unwrap();
    assert_eq!(
        (of("R3").await, of("R1").await, of("R2").await),
        (Some(target.clone()), Some(target.clone()), None)
    );

    let removed =
        Change::ReactionRemoved { portal: key.clone(), direction: theirs, target: target.clone() };
    storage.commit(vec![removed]).await.unwrap();
    assert_eq!((on(ours).await, on(theirs).await), (Some(remote_id("R3")), None));
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    assert_eq!(on(ours).await, None);
}

async fn retries_are_counted(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (key, id) = (portal_key("l1", "g1"), remote_id("M1"));
    for expected in 0..3 {
        assert_eq!(storage.retries_asked(&key, &id).await.unwrap(), expected);
        let asked = Change::RetryAsked { portal: key.clone(), remote_id: id.clone() };
        storage.commit(vec![asked]).await.unwrap();
    }
    assert_eq!(storage.retries_asked(&portal_key("l2", "g1"), &id).await.unwrap(), 0);
}

async fn a_notice_is_remembered_until_it_is_taken_back(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (portal, about) = (portal_key("l1", "g1"), "$failed".to_owned());
    let found = async || storage.notice(&portal, "$failed").await.unwrap();
    let commit = async |change| storage.commit(vec![change]).await.unwrap();
    assert_eq!(found().await, None);
    let added = || Change::NoticeAdded { portal: portal.clone(), about: about.clone() };
    commit(added()).await;
    assert_eq!(found().await, Some(SaidNotice { event: None }));
    let shown = event("notice");
    let event = shown.clone();
    commit(Change::NoticeShown { portal: portal.clone(), about: about.clone(), event }).await;
    commit(added()).await;
    assert_eq!(found().await, Some(SaidNotice { event: Some(shown) }));
    assert_eq!(storage.notice(&portal_key("l2", "g1"), "$failed").await.unwrap(), None);
    commit(Change::NoticeRemoved { portal: portal.clone(), about: about.clone() }).await;
    assert_eq!(found().await, None);
}

async fn prekeys_are_spent_and_their_ids_never_reused(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let id = login_id("l1");
    assert_eq!(storage.prekey_last_id(&id).await.unwrap(), 0);
    let prekeys = vec![prekey(2, 2), prekey(1, 1)];
    storage.commit(vec![Change::PreKeysAdded { login: id.clone(), prekeys }]).await.unwrap();
    let found = storage.prekey(&id, 2).await.unwrap().unwrap();
    assert_eq!(*found.to_bytes(), *prekey(2, 2).to_bytes());
    assert!(storage.prekey(&login_id("l2"), 2).await.unwrap().is_none());
    // Another key under the same id: nothing is replaced, and the next attempt draws another id.
    let again = Change::PreKeysAdded { login: id.clone(), prekeys: vec![prekey(2, 9)] };
    assert_eq!(storage.commit(vec![again]).await.unwrap_err().retry, Retry::Later);
    let found = storage.prekey(&id, 2).await.unwrap().unwrap();
    assert_eq!(*found.to_bytes(), *prekey(2, 2).to_bytes());
    for spent in [1, 2, 2] {
        storage.commit(vec![Change::PreKeySpent { login: id.clone(), id: spent }]).await.unwrap();
        assert!(storage.prekey(&id, spent).await.unwrap().is_none());
    }
    assert_eq!(storage.prekey_last_id(&id).await.unwrap(), 2);
}

async fn a_session_is_replaced_whole(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let key = session_key("l1", "g1", u16::MAX);
    assert!(storage.session(&key).await.unwrap().is_none());
    for byte in [1, 2] {
        let saved = Change::SessionSaved {
            session: key.clone(),
            record: SessionRecord::from_bytes(vec![byte; 300]),
            identity: RemoteIdentityKey::from_bytes([byte; 32]),
        };
        storage.commit(vec![saved]).await.unwrap();
        let found = storage.session(&key).await.unwrap().unwrap();
        assert_eq!(found.record.as_bytes(), [byte; 300]);
        assert_eq!(found.identity.as_bytes(), &[byte; 32]);
    }
    assert!(storage.session(&session_key("l1", "g1", 0)).await.unwrap().is_none());
}
