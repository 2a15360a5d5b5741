//! What must be true when there was peace for long enough. What must be true at every moment is in `journal`.

use std::collections::BTreeSet;

use causeway::{
    domain::{ids::Lane, item::Destination},
    port::Storage,
};
use serde_json::Value;

use super::{
    people::{Chat, Written},
    world::{State, World},
};

/// The reason of the one row that may be set aside: the person was told.
const KEY_NEVER_CAME: &str = "no room key came in time";

type Check = Result<(), String>;

/// What the two sides still have for the bridge, in words.
pub(crate) fn what_waits_outside(state: &State) -> String {
    let mut waiting = Vec::new();
    if !state.homeserver.pushing.is_empty() {
        waiting.push("transactions of the homeserver".to_owned());
    }
    let unacknowledged = state.network.unacknowledged();
    if unacknowledged > 0 {
        waiting.push(format!("{unacknowledged} stanzas of the network"));
    }
    if state.people.chats.iter().any(|chat| chat.from_contact.is_empty() || !chat.is_joined) {
        waiting.push("chats that have not begun".to_owned());
    }
    waiting.join(", ")
}

/// What the bridge still has for the two sides.
pub(crate) async fn what_waits_inside(world: &World, storage: &impl Storage) -> String {
    let mut waiting = Vec::new();
    let asked = "the storage answers";
    for lane in storage.inbox_lanes().await.expect(asked) {
        waiting.push(format!("inbox {lane:?}"));
    }
    if storage.inbox_next(&Lane::Keys, None).await.expect(asked).is_some() {
        waiting.push("keys".to_owned());
    }
    let logins: Vec<_> = world.lock().network.lines.keys().cloned().collect();
    let mut destinations = vec![Destination::Homeserver];
    destinations.extend(logins.iter().cloned().map(Destination::Network));
    for to in destinations {
        for lane in storage.outbox_lanes(&to).await.expect(asked) {
            waiting.push(format!("outbox {lane:?} to {to:?}"));
        }
    }
    for login in &logins {
        for portal in storage.portals_of(login).await.expect(asked) {
            let held = storage.held(&portal.key).await.expect(asked);
            if held > 0 {
                waiting.push(format!("{held} held"));
            }
        }
    }
    waiting.join(", ")
}

/// Everything arrived, once and in order, and whoever wrote what did not was told.
pub(crate) fn everything_came_right(state: &State) -> Check {
    for (number, chat) in state.people.chats.iter().enumerate() {
        let fails = |what: String| format!("chat {number}: {what}");
        to_network(state, chat).map_err(fails)?;
        to_matrix(state, chat).map_err(fails)?;
        notices(state, chat).map_err(fails)?;
    }
    let unreadable = state.people.chats.iter().flat_map(|chat| &chat.from_person);
    let unreadable = unreadable.filter(|written| written.is_unreadable).count();
    let set_aside: Vec<&String> =
        state.journal.set_aside.iter().filter(|reason| *reason != KEY_NEVER_CAME).collect();
    if !set_aside.is_empty() {
        return Err(format!("rows were set aside: {set_aside:?}"));
    }
    if state.journal.set_aside.len() != unreadable {
        return Err(format!("{unreadable} messages cannot be read, not all were set aside"));
    }
    Ok(())
}

/// Whether the network refused a message of the person.
fn is_refused(state: &State, chat: &Chat, written: &Written) -> bool {
    let login = state.network.login_of(chat.person).expect("a login");
    let id = super::world::namer().remote_message_id(&written.event);
    state.network.verdicts.get(&(login, id)).copied().unwrap_or_default()
}

fn to_network(state: &State, chat: &Chat) -> Check {
    let login = state.network.login_of(chat.person).expect("a login");
    let contact = &state.network.contacts[chat.contact];
    let shown: Vec<&str> =
        contact.screen.get(&login).into_iter().flatten().map(String::as_str).collect();
    let due = chat.from_person.iter();
    let due = due.filter(|it| !it.is_unreadable && !is_refused(state, chat, it));
    let due: Vec<&Written> = due.collect();
    if let Some(wrong) = due.iter().find(|it| contact.answers.get(&it.text) != it.answers.as_ref())
    {
        let (text, answers) = (&wrong.text, contact.answers.get(&wrong.text));
        return Err(format!(
            "`{text}` answers {:?}, and came as an answer to {answers:?}",
            wrong.answers
        ));
    }
    let due: Vec<&str> = due.iter().map(|written| written.text.as_str()).collect();
    arrived("the contact", &due, &shown, &contact.came_late)
}

fn to_matrix(state: &State, chat: &Chat) -> Check {
    let contact = &state.network.contacts[chat.contact];
    let room = chat.room.as_ref().ok_or("there is no room")?;
    let shown = state.homeserver.shown(room, "m.text");
    let shown: Vec<&str> = shown.iter().map(|plain| plain["body"].as_str().unwrap()).collect();
    let due: Vec<&str> = chat.from_contact.iter().map(String::as_str).collect();
    arrived("the person", &due, &shown, &contact.sent_again)
}

/// What had to be sent again comes when it comes; everything else keeps its order.
fn arrived(who: &str, due: &[&str], shown: &[&str], late: &BTreeSet<String>) -> Check {
    if let Some(lost) = due.iter().find(|text| !shown.contains(text)) {
        return Err(format!("{who} never got `{lost}`: {shown:?}"));
    }
    if let Some(strange) = shown.iter().find(|text| !due.contains(text)) {
        return Err(format!("{who} got `{strange}`, which was not to come"));
    }
    if shown.len() != due.len() {
        return Err(format!("{who} got something twice: {shown:?}"));
    }
    let in_time = |texts: &[&str]| -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).filter(|text| !late.contains(text)).collect()
    };
    if in_time(shown) != in_time(due) {
        return Err(format!("{who} got it in another order: {shown:?}"));
    }
    Ok(())
}

/// One notice for each message that did not arrive, and none for another.
fn notices(state: &State, chat: &Chat) -> Check {
    let room = chat.room.as_ref().ok_or("there is no room")?;
    let notices = state.homeserver.shown(room, "m.notice");
    for written in &chat.from_person {
        let answers = |notice: &&&Value| {
            notice["m.relates_to"]["m.in_reply_to"]["event_id"] == written.event.as_str()
        };
        let found: Vec<_> = notices.iter().filter(answers).map(|notice| &notice["body"]).collect();
        let due = usize::from(written.is_unreadable || is_refused(state, chat, written));
        if found.len() != due {
            return Err(format!("{due} notices are due for `{}`: {found:?}", written.text));
        }
    }
    Ok(())
}
