//! Starting a chat by inviting a ghost, and the one room that a chat has: through second starts, leaving and
//! coming back, and room upgrades.

use std::time::Duration;

use causeway::{
    domain::{bridged::Portal, limits, phone::Phone},
    port::{Storage as _, storage::Change},
    runtime::Found,
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};

use super::{contact::Contact, homeserver::PERSON, stage::Stage};

/// How the ids of ghosts begin.
const GHOSTS: &str = "@wa_";
const NUMBER: &str = "06 12 34 56 78";

fn room(name: &str) -> OwnedRoomId {
    OwnedRoomId::try_from(format!("!{name}:example.org")).unwrap()
}

/// Somebody's membership, as the homeserver tells of it.
fn member(room: &OwnedRoomId, sender: &str, member: &str, membership: &str) -> Value {
    let id = format!("${}-{membership}-{}", room.as_str().trim_start_matches('!'), member.len());
    json!({"type": "m.room.member", "room_id": room, "sender": sender, "event_id": id,
        "state_key": member, "content": {"membership": membership}})
}

fn tombstone(old: &OwnedRoomId, new: &OwnedRoomId, sender: &str) -> Value {
    json!({"type": "m.room.tombstone", "room_id": old, "sender": sender, "state_key": "",
        "event_id": format!("$tombstone-{sender}"), "content": {"replacement_room": new}})
}

async fn look_up(stage: &Stage, number: &'static str) -> Found {
    let directory = stage.faces().0.directory;
    stage.run(async move { directory.ghost_of(number).await.unwrap() }).await
}

async fn ghost_of(stage: &Stage, number: &'static str) -> OwnedUserId {
    match look_up(stage, number).await {
        Found::Ghost { user, .. } => user,
        other => panic!("no ghost: {other:?}"),
    }
}

async fn portals(stage: &Stage) -> Vec<Portal> {
    let storage = stage.storage();
    let login = storage.login_of(PERSON.try_into().unwrap()).await.unwrap();
    let Some(login) = login else { return Vec::new() };
    storage.portals_of(&login.id).await.unwrap()
}

/// Waits until the chat is in this room.
async fn moves_to(stage: &Stage, room: &OwnedRoomId) {
    for _ in 0..100 {
        stage.pass(Duration::from_millis(100)).await;
        if portals(stage).await.iter().any(|portal| portal.room.as_ref() == Some(room)) {
            return;
        }
    }
    panic!("the chat is not in {room}: {:?}", portals(stage).await);
}

/// The person invites the contact's ghost into a room of theirs, which becomes the chat.
async fn opened(stage: &mut Stage, name: &str) -> (OwnedRoomId, OwnedUserId) {
    let (room, ghost) = (room(name), ghost_of(stage, NUMBER).await);
    stage.homeserver.set_member(&room, PERSON, "join");
    stage.push(vec![member(&room, PERSON, ghost.as_str(), "invite")], &[]).await;
    moves_to(stage, &room).await;
    (room, ghost)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_looked_up_is_invited_and_the_room_is_its_chat() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let (room, _) = opened(&mut stage, "mine").await;
    let ready = || stage.homeserver.shown().iter().any(|it| it.starts_with("The chat is ready"));
    stage.until("a word of the ghost", ready).await;
    let shown = stage.homeserver.shown();
    assert!(shown[0].contains("operates the bridge"), "{shown:?}");
    assert_eq!(stage.homeserver.signs_in(&room).unwrap()["end_to_end"], false);

    let event = stage.text(&room, "hello");
    stage.push(vec![event], &[]).await;
    stage.until("the contact to read", || stage.screen() == ["hello"]).await;
    stage.network.contact_writes("hello you");
    let answered = || stage.homeserver.shown().contains(&"hello you".to_owned());
    stage.until("the answer", answered).await;
    assert!(stage.homeserver.sends().iter().all(|sent| sent.room == room));

    // A second start leads to the first.
    let answer = stage.ask("start +33 6 12 34 56 78").await;
    assert!(answer.contains("in it already") && answer.contains(room.as_str()), "{answer}");
    assert_eq!(stage.homeserver.memberships(&room, PERSON), ["join"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_may_not_be_marked_is_a_chat_all_the_same() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    stage.homeserver.guard(&room("mine"));
    let (room, _) = opened(&mut stage, "mine").await;
    assert_eq!(stage.homeserver.signs_in(&room), None);
}

/// The ghost of `number` is invited; it says these words and leaves, and nothing comes of it.
async fn check_refused(stage: &mut Stage, room: &OwnedRoomId, number: &'static str, words: &str) {
    let (ghost, before) = (ghost_of(stage, number).await, portals(stage).await);
    stage.push(vec![member(room, PERSON, ghost.as_str(), "invite")], &[]).await;
    let left = || stage.homeserver.memberships(room, GHOSTS) == ["leave"];
    stage.until(&format!("{room}: the ghost to leave"), left).await;
    let shown = stage.homeserver.shown();
    assert!(shown.last().is_some_and(|said| said.contains(words)), "{room}: {shown:?}");
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(portals(stage).await, before, "{room}");
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{room}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_ghost_says_why_not_and_leaves() {
    let mut stage = Stage::new().await;
    check_refused(&mut stage, &room("nologin"), NUMBER, "Send `login` to @bot:example.org").await;
    stage.log_in().await;
    stage.homeserver.make_unencrypted(&room("open"));
    check_refused(&mut stage, &room("open"), NUMBER, "not encrypted").await;
    stage.homeserver.set_member(&room("three"), "@carol:example.org", "invite");
    check_refused(&mut stage, &room("three"), NUMBER, "between two").await;
    check_refused(&mut stage, &room("closed"), "06 00 00 00 00", "third-party chats").await;
    check_refused(&mut stage, &room("nobody"), "06 99 99 99 99", "not on WhatsApp").await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.until("no connection", || stage.network.connecting.is_waited_at()).await;
    check_refused(&mut stage, &room("away"), NUMBER, "does not stand at the moment").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_nobody_looked_up_confirms_nothing() {
    let (mut stage, chat) = Stage::connected().await;
    let alices = stage.ports().namer.ghost_key(&Contact::user()).0;
    for (name, ghost) in [("alices", alices.as_str()), ("unknown", "aaaaaaaaaaaaaaaa")] {
        let (at, ghost) = (room(name), format!("@wa_{ghost}:example.org"));
        stage.push(vec![member(&at, "@bob:example.org", &ghost, "invite")], &[]).await;
        let left = || stage.homeserver.memberships(&at, GHOSTS) == ["leave"];
        stage.until("the ghost to leave", left).await;
    }
    assert!(stage.homeserver.shown().is_empty());
    assert_eq!(portals(&stage).await[0].room, Some(chat));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_invitation_leads_to_the_first_room_until_the_person_leaves_that() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let (first, ghost) = opened(&mut stage, "first").await;
    check_refused(&mut stage, &room("second"), NUMBER, first.as_str()).await;
    assert_eq!(stage.homeserver.memberships(&first, GHOSTS), ["join"]);

    stage.homeserver.set_member(&first, PERSON, "leave");
    stage.push(vec![member(&first, PERSON, PERSON, "leave")], &[]).await;
    let (third, _) = opened(&mut stage, "third").await;
    assert_eq!(stage.homeserver.memberships(&first, ghost.as_str()), ["leave"]);
    let event = stage.text(&third, "here now");
    stage.push(vec![event], &[]).await;
    stage.until("the contact to read", || stage.screen() == ["here now"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_room_that_the_chat_has_left_ends_nothing() {
    let mut stage = Stage::new().await;
    stage.log_in().await;
    let (first, _) = opened(&mut stage, "first").await;
    stage.read_login().close();
    stage.homeserver.set_member(&first, PERSON, "leave");
    stage.push(vec![member(&first, PERSON, PERSON, "leave")], &[]).await;
    stage.until("the leave half-way", || stage.read_login().is_waited_at()).await;
    let (third, _) = opened(&mut stage, "third").await;
    stage.read_login().open();
    stage.pass(Duration::from_secs(5)).await;
    let event = stage.text(&third, "here now");
    stage.push(vec![event], &[]).await;
    stage.until("the contact to read", || stage.screen() == ["here now"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_network_names_otherwise_leads_to_the_one_room() {
    let (mut stage, chat) = Stage::connected().await;
    check_refused(&mut stage, &room("other"), "06 22 22 22 22", chat.as_str()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_finds_the_same_room_again() {
    let (mut stage, chat) = Stage::connected().await;
    let invites = stage.homeserver.invites().len();
    let moved = |number: usize, membership: &'static str| {
        let mut event = member(&chat, PERSON, PERSON, membership);
        event["event_id"] = json!(format!("$moved{number}"));
        event
    };
    stage.homeserver.set_member(&chat, PERSON, "leave");
    stage.push(vec![moved(1, "leave")], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(portals(&stage).await[0].room.as_ref(), Some(&chat));
    // A message of the contact invites into the same room, where it waits for the person.
    stage.network.contact_writes("come back");
    stage.until("an invite", || stage.homeserver.invites().len() == invites + 1).await;
    stage.homeserver.set_member(&chat, PERSON, "join");
    stage.push(vec![moved(2, "join")], &[]).await;
    let shown = || stage.homeserver.shown().last().is_some_and(|it| it == "come back");
    stage.until("the message", shown).await;
    assert!(stage.homeserver.sends().iter().all(|sent| sent.room == chat));

    stage.homeserver.set_member(&chat, PERSON, "leave");
    stage.push(vec![moved(3, "leave")], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    let answer = stage.ask("start +33 6 12 34 56 78").await;
    assert!(answer.contains("accept the invite") && answer.contains(chat.as_str()), "{answer}");
    assert_eq!(stage.homeserver.invites().last(), Some(&chat));
    assert_eq!(stage.homeserver.memberships(&chat, PERSON), ["invite"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_contact_is_not_started_by_an_invitation() {
    let (mut stage, chat) = Stage::connected().await;
    stage.ask("block +33 6 12 34 56 78").await;
    stage.homeserver.set_member(&chat, PERSON, "leave");
    check_refused(&mut stage, &room("again"), NUMBER, "`unblock`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_whose_ghost_was_removed_gets_another_room() {
    let (mut stage, chat) = Stage::connected().await;
    let ghost = ghost_of(&stage, NUMBER).await;
    stage.push(vec![member(&chat, PERSON, ghost.as_str(), "leave")], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(portals(&stage).await[0].room, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_goes_along_when_its_person_replaces_the_room() {
    let (mut stage, chat) = Stage::connected().await;
    let (new, forged) = (room("new"), room("forged"));
    // A stranger's word, and a room that does not know of it, move nothing.
    stage.push(vec![tombstone(&chat, &forged, "@carol:example.org")], &[]).await;
    stage.push(vec![tombstone(&chat, &forged, PERSON)], &[]).await;
    let left = || stage.homeserver.memberships(&forged, GHOSTS) == ["leave"];
    stage.until("the ghost to leave the forged one", left).await;
    assert_eq!(portals(&stage).await[0].room, Some(chat.clone()));

    stage.homeserver.set_state(&new, "m.room.create", json!({"predecessor": {"room_id": chat}}));
    stage.homeserver.set_state(&chat, "m.room.tombstone", json!({"replacement_room": new}));
    stage.homeserver.set_member(&new, PERSON, "join");
    let mut event = tombstone(&chat, &new, PERSON);
    event["event_id"] = json!("$tombstone");
    stage.push(vec![event], &[]).await;
    moves_to(&stage, &new).await;
    assert_eq!(stage.homeserver.memberships(&chat, GHOSTS), ["leave"]);
    assert!(stage.homeserver.signs_in(&new).is_some());
    let event = stage.text(&new, "upgraded");
    stage.push(vec![event], &[]).await;
    stage.until("the contact to read", || stage.screen() == ["upgraded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacing_room_may_let_the_ghost_in_later() {
    let (mut stage, chat) = Stage::connected().await;
    let (new, ghost) = (room("new"), ghost_of(&stage, NUMBER).await);
    stage.homeserver.set_state(&new, "m.room.create", json!({"predecessor": {"room_id": chat}}));
    stage.homeserver.set_state(&chat, "m.room.tombstone", json!({"replacement_room": new}));
    stage.homeserver.close(&new, true);
    stage.push(vec![tombstone(&chat, &new, PERSON)], &[]).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(portals(&stage).await[0].room, Some(chat));
    stage.homeserver.close(&new, false);
    stage.push(vec![member(&new, PERSON, ghost.as_str(), "invite")], &[]).await;
    moves_to(&stage, &new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_no_oracle_and_asks_nobody() {
    let stage = Stage::new().await;
    // Nobody is logged in; one of the three is on the network.
    let numbers = [NUMBER, "06 00 00 00 00", "06 99 99 99 99"];
    let mut ghosts = Vec::new();
    for number in numbers {
        ghosts.push(ghost_of(&stage, number).await);
        assert_eq!(ghosts.last(), Some(&ghost_of(&stage, number).await));
    }
    ghosts.dedup();
    assert_eq!(ghosts.len(), numbers.len());
    assert!(stage.homeserver.ghost_names().is_empty(), "a lookup made a user");
    let directory = stage.faces().0.directory;
    for (ghost, exists) in
        [(ghosts[0].clone(), true), ("@wa_x:example.org".try_into().unwrap(), false)]
    {
        let directory = directory.clone();
        let found = stage.run(async move { directory.exists(&ghost).await.unwrap() }).await;
        assert_eq!(found, exists);
    }
    assert_eq!(stage.homeserver.ghost_names(), ["WhatsApp contact"]);
    assert!(matches!(look_up(&stage, "06 12").await, Found::Wrong(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_at_the_limit_one_past_it_and_a_day_later() {
    let stage = Stage::new().await;
    let (ports, at) = (stage.ports(), causeway::port::Clock::now(&*stage.clock));
    let lookups = |numbers: std::ops::Range<u64>| -> Vec<Change> {
        let lookup = |number| {
            let phone = Phone::from_digits(&format!("4915{number:09}")).unwrap();
            let ghost = ports.namer.ghost_key(&ports.network.user_of_phone(&phone));
            Change::LookupSaved { ghost, phone, at }
        };
        numbers.map(lookup).collect()
    };
    stage.storage().commit(lookups(1..limits::LOOKUPS_MAX)).await.unwrap();
    ghost_of(&stage, NUMBER).await;
    assert_eq!(look_up(&stage, "06 99 99 99 99").await, Found::Later);
    // What is remembered is found all the same.
    ghost_of(&stage, NUMBER).await;

    let ghost = ports.namer.ghost_key(&Contact::user());
    assert!(stage.storage().lookup(&ghost).await.unwrap().is_some());
    stage.clock.advance(limits::LOOKUP_KEPT + limits::CLEAN_EVERY);
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.storage().lookups().await.unwrap(), 0);
    ghost_of(&stage, "06 99 99 99 99").await;
}
