//! Consent: a contact moves once at a time, what is held goes where the answer sends it, and the ledger keeps it.

use causeway::{
    domain::{
        bridged::Contact,
        consent::{Act, ContactState, Entry},
        ids::{Lane, PortalKey},
    },
    port::{
        Retry, Storage as _,
        storage::{Change, InboxId, IntakeKey},
    },
    storage::SqlStorage,
};

use super::{
    on_both,
    place::Place,
    samples::{draft, event, ghost_key, login_id, person, portal_key, with_logins},
};

on_both!(
    a_contact_moves_from_where_it_is,
    affirming_a_state_changes_nothing,
    contacts_go_with_their_login_and_the_ledger_stays,
    what_is_held_is_nobodys_work_until_it_is_released,
    what_is_held_does_not_fill_the_inbox,
    what_is_held_can_be_deleted,
    old_requests_are_found_oldest_first,
    the_ledger_is_in_order_and_a_persons_own,
);

fn moved(portal: &PortalKey, from: ContactState, to: ContactState, at: i64) -> Change {
    Change::ContactMoved { portal: portal.clone(), from, to, at }
}

async fn a_contact_moves_from_where_it_is(place: Place) {
    use ContactState::{Approved, Blocked, Requested, Unknown};
    let storage = place.open().await;
    with_logins(&storage).await;
    let portal = portal_key("l1", "g1");
    assert_eq!(storage.contact(&portal).await.unwrap(), Unknown);
    storage.commit(vec![moved(&portal, Unknown, Requested, 5)]).await.unwrap();
    assert_eq!(storage.contact(&portal).await.unwrap(), Requested);
    // Whoever decided on an older state decides anew, and nothing else of the commit happens.
    for from in [Unknown, Approved, Blocked] {
        let other = Change::SettingSaved { key: "bot", value: vec![1] };
        let late = vec![other, moved(&portal, from, Approved, 6)];
        assert_eq!(storage.commit(late).await.unwrap_err().retry, Retry::Later);
        assert_eq!(storage.setting("bot").await.unwrap(), None);
    }
    storage.commit(vec![moved(&portal, Requested, Approved, 7)]).await.unwrap();
    let contact = Contact { ghost: ghost_key("g1"), state: Approved, since: 7 };
    assert_eq!(storage.contacts_of(&login_id("l1")).await.unwrap(), [contact]);
    assert_eq!(storage.contact(&portal_key("l2", "g1")).await.unwrap(), Unknown);
}

async fn affirming_a_state_changes_nothing(place: Place) {
    use ContactState::{Paused, Unknown};
    let storage = place.open().await;
    with_logins(&storage).await;
    let portal = portal_key("l1", "g1");
    storage.commit(vec![moved(&portal, Unknown, Paused, 5)]).await.unwrap();
    storage.commit(vec![moved(&portal, Paused, Paused, 9)]).await.unwrap();
    assert_eq!(storage.contacts_of(&login_id("l1")).await.unwrap()[0].since, 5);
}

async fn contacts_go_with_their_login_and_the_ledger_stays(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let portal = portal_key("l1", "g1");
    let changes = vec![
        moved(&portal, ContactState::Unknown, ContactState::Blocked, 5),
        Change::LedgerAdded(entry("alice", Act::Blocked, 5)),
    ];
    storage.commit(changes).await.unwrap();
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    assert_eq!(storage.contacts_of(&login_id("l1")).await.unwrap(), []);
    assert_eq!(storage.contact(&portal).await.unwrap(), ContactState::Unknown);
    assert_eq!(storage.ledger_of(&person("alice")).await.unwrap().len(), 1);
}

/// Takes in messages of a contact and holds them; the rows in their order.
async fn hold(storage: &SqlStorage, portal: &PortalKey, count: u8) -> Vec<InboxId> {
    let mut held = Vec::new();
    for number in 0..count {
        let key = IntakeKey::Stanza {
            login: portal.login.clone(),
            about: format!("{}/{number}", portal.ghost.0),
        };
        let lane = Lane::Portal(portal.clone());
        storage.take_in(key, vec![draft(lane.clone(), &number.to_string())], 1).await.unwrap();
        let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
        let lane = Lane::Held(portal.clone());
        storage.commit(vec![Change::InboxMoved { id: row.id, lane }]).await.unwrap();
        held.push(row.id);
    }
    held
}

async fn what_is_held_is_nobodys_work_until_it_is_released(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (portal, other) = (portal_key("l1", "g1"), portal_key("l1", "g2"));
    let held = hold(&storage, &portal, 3).await;
    hold(&storage, &other, 1).await;
    assert_eq!(storage.held(&portal).await.unwrap(), 3);
    assert_eq!(storage.inbox_lanes().await.unwrap(), []);
    let parked = Change::InboxParked { id: held[0], until: 1 << 40, attempts: 4 };
    storage.commit(vec![parked, Change::HeldReleased(portal.clone())]).await.unwrap();
    let lane = Lane::Portal(portal.clone());
    assert_eq!(storage.inbox_lanes().await.unwrap(), std::slice::from_ref(&lane));
    for id in held {
        let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
        assert_eq!((row.id, row.attempts, row.not_before), (id, 0, 0));
        storage.commit(vec![Change::InboxDone(id)]).await.unwrap();
    }
    assert_eq!(storage.held(&portal).await.unwrap(), 0);
    assert_eq!(storage.held(&other).await.unwrap(), 1);
}

async fn what_is_held_does_not_fill_the_inbox(place: Place) {
    let storage = place.open().await.with_inbox_rows_max(1);
    with_logins(&storage).await;
    hold(&storage, &portal_key("l1", "g1"), 2).await;
    let stranger = portal_key("l1", "g2");
    hold(&storage, &stranger, 1).await;
    assert_eq!(storage.held(&stranger).await.unwrap(), 1);
}

async fn what_is_held_can_be_deleted(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (portal, other) = (portal_key("l1", "g1"), portal_key("l1", "g2"));
    hold(&storage, &portal, 2).await;
    hold(&storage, &other, 1).await;
    for _ in 0..2 {
        storage.commit(vec![Change::HeldDropped(portal.clone())]).await.unwrap();
        assert_eq!(storage.held(&portal).await.unwrap(), 0);
    }
    assert_eq!(storage.held(&other).await.unwrap(), 1);
}

async fn old_requests_are_found_oldest_first(place: Place) {
    use ContactState::{Approved, Requested, Unknown};
    let storage = place.open().await;
    with_logins(&storage).await;
    let portals = ["g1", "g2", "g3", "g4"].map(|ghost| portal_key("l1", ghost));
    let asked = [30, 10, 20, 10].into_iter().zip(&portals);
    let mut changes: Vec<_> =
        asked.map(|(at, portal)| moved(portal, Unknown, Requested, at)).collect();
    changes.push(moved(&portals[3], Requested, Approved, 11));
    storage.commit(changes).await.unwrap();
    let [latest, first, second, _] = portals;
    assert_eq!(storage.requests_before(30, 9).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(storage.requests_before(30, 1).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(storage.requests_before(31, 9).await.unwrap(), [first, second, latest]);
    assert_eq!(storage.requests_before(10, 9).await.unwrap(), []);
}

fn entry(name: &str, act: Act, at: i64) -> Entry {
    Entry {
        person: person(name),
        login: Some(login_id("l1")),
        ghost: Some(ghost_key("g1")),
        act,
        text_version: None,
        cause: Some(event("cause")),
        at,
    }
}

async fn the_ledger_is_in_order_and_a_persons_own(place: Place) {
    let storage = place.open().await;
    let opted_in = Entry {
        login: None,
        ghost: None,
        text_version: Some(u32::MAX),
        cause: None,
        ..entry("alice", Act::OptedIn, 9)
    };
    // In the order of the commits, not of the clock.
    let lines = [opted_in, entry("alice", Act::Approved, 5), entry("alice", Act::Blocked, 5)];
    let added = lines.clone().map(Change::LedgerAdded);
    storage.commit(added.into()).await.unwrap();
    storage.commit(vec![Change::LedgerAdded(entry("bob", Act::Paused, 1))]).await.unwrap();
    assert_eq!(storage.ledger_of(&person("alice")).await.unwrap(), lines);
    assert_eq!(storage.ledger_of(&person("bob")).await.unwrap().len(), 1);
    assert_eq!(storage.ledger_of(&person("carol")).await.unwrap(), []);
}
