//! Whoever wants nothing kept is forgotten by everybody, whatever is away at the moment and whenever the process dies.

use std::{ops::Range, time::Duration};

use causeway::{
    domain::bridged::ActAs,
    port::{Clock as _, Storage as _},
    runtime::Answer,
};
use ruma::{OwnedRoomId, UserId};
use serde_json::{Value, json};

use super::{
    cleaning::{host, name},
    contact::Contact,
    cut::{Cut, at_every_write},
    homeserver::{BOT, PERSON},
    stage::{MANAGEMENT_ROOM, Stage},
    surroundings::Trouble,
};

fn person() -> &'static UserId {
    PERSON.try_into().unwrap()
}

fn management() -> OwnedRoomId {
    MANAGEMENT_ROOM.try_into().unwrap()
}

/// A connected person with a chat, words both ways and a file that waits to be fetched.
pub(super) async fn lived() -> (Stage, OwnedRoomId) {
    let (mut stage, room) = Stage::connected().await;
    stage.has_management_room().await;
    let event = stage.text(&room, "hello");
    stage.push(vec![event], &[]).await;
    stage.network.contact_writes("hello to you");
    stage
        .until("the talk", || stage.screen().len() == 1 && stage.homeserver.shown().len() == 1)
        .await;
    host(&stage, &name(1), vec![1; 10], stage.clock.now() + 1_000_000_000).await;
    assert!(stage.homeserver.is_named(&room));
    (stage, room)
}

/// A line of the person in the management room, as the homeserver pushes it.
fn line(stage: &mut Stage, text: &str) -> Value {
    stage.event(&management(), "m.room.message", &json!({"msgtype": "m.text", "body": text}))
}

async fn is_pending(stage: &Stage) -> bool {
    stage.storage().erasure_of(person()).await.unwrap().is_some()
}

pub(super) async fn until_fulfilled(stage: &Stage) {
    for _ in 0..600 {
        stage.pass(Duration::from_millis(100)).await;
        if stage.is_dead() || !is_pending(stage).await {
            return;
        }
    }
    panic!("the person is still there");
}

pub(super) async fn check_nothing_is_left(stage: &Stage, room: &OwnedRoomId) {
    let storage = stage.storage();
    assert_eq!(storage.login_of(person()).await.unwrap(), None);
    assert!(storage.ledger_of(person()).await.unwrap().is_empty());
    assert_eq!(storage.management_room(person()).await.unwrap(), None);
    assert!(storage.meetings_with(person()).await.unwrap().is_empty());
    let ghost = stage.ports().namer.ghost_key(&Contact::user());
    assert_eq!(storage.ghost(&ghost).await.unwrap(), None);
    assert_eq!(storage.hosted_media(&name(1)).await.unwrap(), None);

    assert!(!stage.network.knows_the_person());
    assert!(!stage.media.has(&name(1)));
    let homeserver = &stage.homeserver;
    assert!(homeserver.left(BOT, &management()));
    assert!(homeserver.left(&format!("@wa_{}:example.org", ghost.0), room));
    assert!(!homeserver.is_named(room), "its events would go on coming");
    assert_eq!(homeserver.ghost_names().last().unwrap(), "WhatsApp contact");
    assert!(homeserver.forgotten().contains(&ActAs::Bot));
    assert!(homeserver.forgotten().contains(&ActAs::Ghost(ghost)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_nothing_kept_is_asked_once_more_and_then_forgotten() {
    let (stage, room) = lived().await;
    for typed in ["erase", "erase please"] {
        let answer = stage.ask(typed).await;
        assert!(answer.contains("`erase everything`") && answer.contains("`export`"), "{answer}");
    }
    stage.pass(Duration::from_secs(30)).await;
    assert!(stage.storage().login_of(person()).await.unwrap().is_some());
    let answer = stage.ask("Erase  Everything").await;
    assert!(answer.contains("last message"), "{answer}");
    until_fulfilled(&stage).await;
    check_nothing_is_left(&stage, &room).await;
    // They are a stranger now.
    assert!(stage.ask("agree").await.contains("send `login`"));
    assert!(stage.ask("consent").await.contains("agreed to nothing"));
    stage.log_in().await;
    stage.open_chat().await;
    assert_eq!(stage.storage().ledger_of(person()).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_a_login_of_before_lose_their_aliases_too() {
    let (stage, before) = lived().await;
    stage.ask("logout").await;
    stage.log_in().await;
    let now = stage.open_chat().await;
    assert!(before != now);
    assert!(stage.homeserver.is_named(&before) && stage.homeserver.is_named(&now));
    stage.ask("erase everything").await;
    until_fulfilled(&stage).await;
    assert!(!stage.homeserver.is_named(&before) && !stage.homeserver.is_named(&now));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_goes_before_it_is_done() {
    let (stage, _) = lived().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.ask("erase everything").await;
    stage.pass(Duration::from_secs(30)).await;
    for typed in ["login", "agree", "start +33 6 12 34 56 78", "erase everything"] {
        let answer = stage.ask(typed).await;
        assert!(answer.contains("deleting everything"), "{typed}: {answer}");
    }
    let logins = stage.logins();
    stage.run(async move { logins.agree(person(), None).await.unwrap_err() }).await;
    stage.network.connecting.open();
    until_fulfilled(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_away_is_waited_for_over_a_restart() {
    let (mut stage, room) = lived().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.ask("erase everything").await;
    stage.pass(Duration::from_mins(2)).await;
    assert!(is_pending(&stage).await && stage.network.knows_the_person());
    // What others must still do does not keep the files.
    assert!(!stage.media.has(&name(1)));
    assert!(!stage.homeserver.left(BOT, &management()));
    stage.begin(Cut::Never).await;
    stage.network.connecting.open();
    until_fulfilled(&stage).await;
    check_nothing_is_left(&stage, &room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_leaves_when_its_last_word_was_sent() {
    let (mut stage, room) = lived().await;
    stage.homeserver.sending_trouble(Some(Trouble::Later));
    let asked = line(&mut stage, "erase everything");
    stage.push(vec![asked], &[]).await;
    stage.pass(Duration::from_mins(2)).await;
    assert!(is_pending(&stage).await && !stage.homeserver.left(BOT, &management()));
    stage.homeserver.sending_trouble(None);
    until_fulfilled(&stage).await;
    check_nothing_is_left(&stage, &room).await;
    let shown = stage.homeserver.shown();
    assert!(shown.last().unwrap().contains("last message"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_away_is_waited_for() {
    let (stage, room) = lived().await;
    stage.ask("erase everything").await;
    stage.homeserver.trouble(Some(Trouble::Later));
    stage.pass(Duration::from_mins(1)).await;
    assert!(is_pending(&stage).await);
    stage.homeserver.trouble(None);
    until_fulfilled(&stage).await;
    check_nothing_is_left(&stage, &room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_meanwhile_begins_anew_afterwards() {
    let (mut stage, _) = lived().await;
    stage.network.connecting.close();
    stage.network.hang_up();
    stage.ask("erase everything").await;
    let new = OwnedRoomId::try_from("!new:example.org").unwrap();
    let invite = json!({"type": "m.room.member", "room_id": new, "sender": PERSON,
        "event_id": "$invite", "state_key": BOT, "content": {"membership": "invite"}});
    stage.push(vec![invite], &[]).await;
    stage.pass(Duration::from_secs(30)).await;
    let storage = stage.storage();
    assert_eq!(storage.management_room(person()).await.unwrap(), Some(management()));
    stage.network.connecting.open();
    until_fulfilled(&stage).await;
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(storage.management_room(person()).await.unwrap(), Some(new.clone()));
    assert!(!stage.homeserver.left(BOT, &new));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_leaves_nothing_behind() {
    let (mut stage, room) = lived().await;
    stage.ask("erase everything").await;
    until_fulfilled(&stage).await;
    let mut late = vec![stage.text(&room, "are you there?"), line(&mut stage, "help")];
    for room in [&room, &management()] {
        late.push(json!({"type": "m.room.member", "room_id": room, "sender": PERSON,
            "state_key": PERSON, "event_id": format!("$left-{room}"), "content": {"membership": "leave"}}));
    }
    stage.push(late, &[]).await;
    let receipt = json!({"$sent": {"m.read": {PERSON: {"ts": 1}}}});
    stage
        .push_ephemeral(vec![json!({"type": "m.receipt", "room_id": room, "content": receipt})])
        .await;
    stage.pass(Duration::from_mins(1)).await;
    check_nothing_is_left(&stage, &room).await;
    let storage = stage.storage();
    assert_eq!(storage.inbox_lanes().await.unwrap(), []);
    assert!(stage.set_aside.lock().unwrap().is_empty());
}

/// The whole wish, with the process dying at the cut and beginning again. Says whether it died.
async fn check(cut: Cut) -> bool {
    let (mut stage, room) = lived().await;
    let asked = line(&mut stage, "erase everything");
    stage.begin(cut).await;
    let mut died = false;
    while stage.offer("erase", vec![asked.clone()], &[]).await != Some(Answer::Acknowledge) {
        assert!(stage.is_dead(), "{cut:?}: a transaction was refused");
        died = true;
        stage.begin(Cut::Never).await;
    }
    // The wish is there at the latest when it is answered, and gone when it is fulfilled.
    let told = |stage: &Stage| {
        stage.homeserver.shown().iter().any(|text| text.contains("everything that I keep"))
    };
    loop {
        stage.until("an answer or the death", || stage.is_dead() || told(&stage)).await;
        if !stage.is_dead() {
            until_fulfilled(&stage).await;
        }
        if !stage.is_dead() {
            break;
        }
        died = true;
        stage.begin(Cut::Never).await;
    }
    check_nothing_is_left(&stage, &room).await;
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    died
}

/// An erasure writes about so often; more cuts than that change nothing.
const WRITES: Range<u64> = 6..40;

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_survives_a_death_before_every_write() {
    at_every_write(Cut::Before, WRITES, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_survives_a_death_after_every_write() {
    at_every_write(Cut::After, WRITES, check).await;
}
