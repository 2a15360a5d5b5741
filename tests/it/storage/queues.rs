//! Inbox and outbox: order, parking, quarantine, repetition and the bound.

use causeway::{
    domain::{
        ids::Lane,
        item::{Destination, OutboxItem},
    },
    port::{
        Storage as _,
        storage::{Change, InboxId, Intake, IntakeKey, OutboxId},
    },
    storage::SqlStorage,
};

use super::{
    on_both,
    place::Place,
    samples::{
        draft, login_id, outbox_envelope, outbox_event, portal_lane, room, text_of, transaction,
        with_logins,
    },
};

on_both!(
    a_lane_is_worked_oldest_first,
    a_parked_row_holds_its_lane_back,
    a_moved_row_takes_the_place_of_its_age,
    a_quarantined_row_is_out_of_the_way,
    a_repeated_intake_changes_nothing,
    the_inbox_takes_up_to_its_bound_and_nothing_past_it,
    old_intake_keys_are_forgotten,
    the_outbox_is_in_order_for_each_lane_and_destination,
);

async fn take_in(storage: &SqlStorage, id: &str, lane: Lane, texts: &[&str]) -> Intake {
    let drafts = texts.iter().map(|text| draft(lane.clone(), text)).collect();
    storage.take_in(transaction(id), drafts, 10).await.unwrap()
}

async fn next(storage: &SqlStorage, lane: &Lane) -> Option<(InboxId, String)> {
    let row = storage.inbox_next(lane, None).await.unwrap()?;
    Some((row.id, text_of(&row.item).to_owned()))
}

async fn a_lane_is_worked_oldest_first(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (one, two) = (portal_lane("l1", "g1"), Lane::Room(room("a")));
    assert_eq!(storage.inbox_bound().await.unwrap(), None);
    assert_eq!(take_in(&storage, "t1", two.clone(), &["a"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t2", one.clone(), &["b", "c"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t3", Lane::Keys, &["k"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t4", Lane::Unplaced, &["u"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t5", two.clone(), &["d"]).await, Intake::Stored);
    let lanes = storage.inbox_lanes().await.unwrap();
    assert_eq!(lanes, [two.clone(), one.clone(), Lane::Unplaced]);
    let bound = storage.inbox_bound().await.unwrap().unwrap();
    let mut seen = Vec::new();
    while let Some((id, text)) = next(&storage, &one).await {
        seen.push((id, text));
        storage.commit(vec![Change::InboxDone(id)]).await.unwrap();
    }
    let texts: Vec<&str> = seen.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["b", "c"]);
    assert!(seen.is_sorted_by(|(a, _), (b, _)| a < b));
    // A row past the bound is not there yet; the row at the bound is.
    assert_eq!(take_in(&storage, "t6", one.clone(), &["e"]).await, Intake::Stored);
    assert!(storage.inbox_next(&one, Some(bound)).await.unwrap().is_none());
    let (id, text) = next(&storage, &one).await.unwrap();
    assert_eq!(text, "e");
    assert!(id > bound);
    assert!(storage.inbox_next(&one, Some(id)).await.unwrap().is_some());
    assert_eq!(next(&storage, &Lane::Keys).await.unwrap().1, "k");
}

async fn a_parked_row_holds_its_lane_back(place: Place) {
    let storage = place.open().await;
    let lane = Lane::Room(room("a"));
    take_in(&storage, "t1", lane.clone(), &["a", "b"]).await;
    let (id, _) = next(&storage, &lane).await.unwrap();
    storage.commit(vec![Change::InboxParked { id, until: 99, attempts: 3 }]).await.unwrap();
    let row = storage.inbox_next(&lane, None).await.unwrap().unwrap();
    assert_eq!((row.id, row.not_before, row.attempts), (id, 99, 3));
    assert_eq!((row.lane, row.received_at), (lane.clone(), 10));
    assert_eq!(storage.inbox_lanes().await.unwrap(), [lane]);
}

async fn a_moved_row_takes_the_place_of_its_age(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (from, to) = (Lane::Room(room("a")), portal_lane("l1", "g1"));
    take_in(&storage, "t1", from.clone(), &["old"]).await;
    take_in(&storage, "t2", to.clone(), &["young"]).await;
    let (id, _) = next(&storage, &from).await.unwrap();
    storage.commit(vec![Change::InboxMoved { id, lane: to.clone() }]).await.unwrap();
    assert_eq!(next(&storage, &from).await, None);
    assert_eq!(next(&storage, &to).await.unwrap(), (id, "old".to_owned()));
    // It went over to the login with its lane.
    storage.commit(vec![Change::LoginRemoved(login_id("l1"))]).await.unwrap();
    assert_eq!(storage.inbox_bound().await.unwrap(), None);
}

async fn a_quarantined_row_is_out_of_the_way(place: Place) {
    let storage = place.open().await.with_inbox_rows_max(1);
    let lane = Lane::Room(room("a"));
    take_in(&storage, "t1", lane.clone(), &["bad"]).await;
    let (id, _) = next(&storage, &lane).await.unwrap();
    let reason = "malformed".to_owned();
    storage.commit(vec![Change::InboxQuarantined { id, reason }]).await.unwrap();
    assert_eq!(next(&storage, &lane).await, None);
    assert!(storage.inbox_lanes().await.unwrap().is_empty());
    // It does not wait, so it takes no place either.
    assert_eq!(take_in(&storage, "t2", lane.clone(), &["good"]).await, Intake::Stored);
    assert_eq!(next(&storage, &lane).await.unwrap().1, "good");
}

async fn a_repeated_intake_changes_nothing(place: Place) {
    let storage = place.open().await.with_inbox_rows_max(2);
    with_logins(&storage).await;
    let lane = Lane::Room(room("a"));
    let stanza =
        |login, about: &str| IntakeKey::Stanza { login: login_id(login), about: about.to_owned() };
    assert_eq!(take_in(&storage, "t1", lane.clone(), &["a"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t1", lane.clone(), &["a", "b"]).await, Intake::Repeated);
    for (key, expected) in [
        (stanza("l1", "t1"), Intake::Stored),
        (stanza("l1", "t1"), Intake::Repeated),
        (stanza("l2", "t1"), Intake::Stored),
    ] {
        assert_eq!(storage.take_in(key, Vec::new(), 10).await.unwrap(), expected);
    }
    assert_eq!(take_in(&storage, "t2", lane.clone(), &["b"]).await, Intake::Stored);
    // Full or not, what is known is known.
    assert_eq!(take_in(&storage, "t1", lane.clone(), &["a"]).await, Intake::Repeated);
    let (id, _) = next(&storage, &lane).await.unwrap();
    storage.commit(vec![Change::InboxDone(id)]).await.unwrap();
    assert_eq!(take_in(&storage, "t1", lane.clone(), &["a"]).await, Intake::Repeated);
    assert_eq!(next(&storage, &lane).await.unwrap().1, "b");
}

async fn the_inbox_takes_up_to_its_bound_and_nothing_past_it(place: Place) {
    let storage = place.open().await.with_inbox_rows_max(3);
    let lane = Lane::Room(room("a"));
    assert_eq!(take_in(&storage, "t1", lane.clone(), &["a", "b"]).await, Intake::Stored);
    let bound = storage.inbox_bound().await.unwrap();
    assert_eq!(take_in(&storage, "t2", lane.clone(), &["c", "d"]).await, Intake::Full);
    assert_eq!(storage.inbox_bound().await.unwrap(), bound);
    assert_eq!(take_in(&storage, "t3", lane.clone(), &["c"]).await, Intake::Stored);
    assert_eq!(take_in(&storage, "t4", lane.clone(), &["d"]).await, Intake::Full);
    assert_eq!(take_in(&storage, "t5", lane.clone(), &[]).await, Intake::Stored);
    // What was refused comes again and finds room: its key was not remembered.
    let (id, _) = next(&storage, &lane).await.unwrap();
    storage.commit(vec![Change::InboxDone(id)]).await.unwrap();
    assert_eq!(take_in(&storage, "t4", lane.clone(), &["d"]).await, Intake::Stored);
}

async fn old_intake_keys_are_forgotten(place: Place) {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let storage = place.open().await;
    let take = |id: &'static str, at| storage.take_in(transaction(id), Vec::new(), at);
    assert_eq!(take("t1", 0).await.unwrap(), Intake::Stored);
    assert_eq!(take("t2", 30 * DAY).await.unwrap(), Intake::Stored);
    assert_eq!(take("t1", 30 * DAY).await.unwrap(), Intake::Repeated);
    assert_eq!(take("t3", 30 * DAY + 1).await.unwrap(), Intake::Stored);
    assert_eq!(take("t1", 30 * DAY + 1).await.unwrap(), Intake::Stored);
    assert_eq!(take("t2", 30 * DAY + 1).await.unwrap(), Intake::Repeated);
}

async fn the_outbox_is_in_order_for_each_lane_and_destination(place: Place) {
    let storage = place.open().await;
    with_logins(&storage).await;
    let (lane, other) = (portal_lane("l1", "g1"), Lane::Room(room("a")));
    let network = Destination::Network(login_id("l1"));
    let add = |lane: &Lane, item| Change::OutboxAdded { lane: lane.clone(), item };
    let changes = vec![
        add(&other, outbox_event("x")),
        add(&lane, outbox_envelope("l1", "a")),
        add(&lane, outbox_event("y")),
        add(&lane, outbox_envelope("l1", "b")),
    ];
    storage.commit(changes).await.unwrap();
    let nobody = Destination::Network(login_id("l2"));
    let lanes = async |to| storage.outbox_lanes(to).await.unwrap();
    assert_eq!(lanes(&Destination::Homeserver).await, [other.clone(), lane.clone()]);
    assert_eq!(lanes(&network).await, std::slice::from_ref(&lane));
    assert!(lanes(&nobody).await.is_empty());
    let first = next_out(&storage, &lane, &network).await.unwrap();
    assert_eq!(first.1, "a");
    let id = first.0;
    storage.commit(vec![Change::OutboxParked { id, until: 9, attempts: 2 }]).await.unwrap();
    let row = storage.outbox_next(&lane, &network).await.unwrap().unwrap();
    assert_eq!((row.id, row.not_before, row.attempts), (id, 9, 2));
    storage.commit(vec![Change::OutboxDone(id)]).await.unwrap();
    let (id, text) = next_out(&storage, &lane, &network).await.unwrap();
    assert_eq!(text, "b");
    let reason = "refused".to_owned();
    storage.commit(vec![Change::OutboxQuarantined { id, reason }]).await.unwrap();
    assert_eq!(next_out(&storage, &lane, &network).await, None);
    assert!(lanes(&network).await.is_empty());
    let (_, text) = next_out(&storage, &lane, &Destination::Homeserver).await.unwrap();
    assert_eq!(text, "y");
}

async fn next_out(
    storage: &SqlStorage,
    lane: &Lane,
    to: &Destination,
) -> Option<(OutboxId, String)> {
    let row = storage.outbox_next(lane, to).await.unwrap()?;
    let text = match row.item {
        OutboxItem::Envelope(envelope) => envelope.id.0,
        OutboxItem::Event(event) => event.transaction_id,
        OutboxItem::Receipt(_) => panic!("no receipt was added"),
        OutboxItem::Redaction(_) | OutboxItem::Read(_) | OutboxItem::Notice(_) => {
            panic!("nothing such was added")
        }
    };
    Some((row.id, text))
}
