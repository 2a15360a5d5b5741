//! The homeserver: rooms, events and room keys. It recognises its transaction ids and keeps everything, as the
//! real one does.

mod cipher;
mod port;
pub(crate) mod pushing;

use std::collections::{BTreeMap, BTreeSet};

use causeway::domain::{bridged::ActAs, item::OutboundEvent, status::STATUS};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value, json};

use self::pushing::Pushing;
use super::{agenda::Happening, people::Written, world::State};

pub(crate) const BOT: &str = "@bot:example.org";
/// How many of a person's texts answer one of the contact's.
const ANSWERS: f64 = 0.2;

#[derive(Default)]
pub(crate) struct HomeserverState {
    /// By alias.
    rooms: BTreeMap<String, OwnedRoomId>,
    members: BTreeMap<(OwnedRoomId, OwnedUserId), &'static str>,
    /// What every transaction id of a sender became.
    sent: BTreeMap<(ActAs, String), OwnedEventId>,
    archive: BTreeMap<OwnedEventId, Value>,
    /// The events of our users, oldest first.
    pub(crate) said: Vec<OutboundEvent>,
    pub(crate) pushing: Pushing,
    events: u64,
    /// Room keys that reached the homeserver for our users' devices.
    device_inbox: BTreeSet<String>,
    /// Room keys that the machines of our users have; they save themselves.
    machines: BTreeSet<String>,
    encryptions: u64,
}

impl HomeserverState {
    fn next_event(&mut self) -> OwnedEventId {
        self.events += 1;
        format!("$event{}", self.events).try_into().unwrap()
    }

    /// The texts and the notices that a room shows of its ghost, oldest first.
    pub(crate) fn shown(&self, room: &RoomId, kind: &str) -> Vec<&Value> {
        let plain = self.said.iter().filter(|it| it.room == room && it.event_type != STATUS);
        plain.map(|it| &it.content["plain"]).filter(|it| it["msgtype"] == kind).collect()
    }
}

impl State {
    /// An event that the bridge hears of.
    fn happens(
        &mut self,
        room: &RoomId,
        sender: &str,
        kind: &str,
        content: &Value,
        state_key: Option<&str>,
    ) -> OwnedEventId {
        let id = self.homeserver.next_event();
        let mut event = json!({"type": kind, "room_id": room, "sender": sender, "event_id": id,
            "content": content});
        if let Some(state_key) = state_key {
            event["state_key"] = json!(state_key);
        }
        self.homeserver.archive.insert(id.clone(), event.clone());
        self.homeserver.pushing.add(event);
        self.agenda.after(1, Happening::Push);
        id
    }

    /// A person writes the next text of a chat.
    pub(crate) fn person_writes(&mut self, chat: usize) {
        let it = &mut self.people.chats[chat];
        let (Some(room), true) = (it.room.clone(), it.is_joined) else {
            return self.agenda.after(3_000, Happening::PersonWrites { chat });
        };
        let text = format!("out {chat} {}", it.from_person.len());
        let sender = self.people.persons[it.person].clone();
        let (key, is_unreadable) = self.room_key(chat);
        let mut plain = json!({"msgtype": "m.text", "body": text});
        let answered = self.last_shown(&room).filter(|_| self.dice.chance(ANSWERS));
        if let Some((event, _)) = &answered {
            plain["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
        }
        let content = json!({"session_id": key, "plain": plain});
        let event = self.happens(&room, sender.as_str(), "m.room.encrypted", &content, None);
        self.note(&format!("{text} is written under {key}, {event}"));
        let answers = answered.map(|(_, text)| text);
        self.people.chats[chat].from_person.push(Written { event, text, answers, is_unreadable });
    }

    /// The last text of the contact in a room.
    fn last_shown(&self, room: &RoomId) -> Option<(OwnedEventId, String)> {
        let said = self.homeserver.said.iter().rev();
        let last = said
            .filter(|it| it.room == room)
            .find(|it| it.content["plain"]["msgtype"] == "m.text")?;
        let event = &self.homeserver.sent[&(last.sender.clone(), last.transaction_id.clone())];
        Some((event.clone(), last.content["plain"]["body"].as_str()?.to_owned()))
    }

    /// The key that the person's client uses now, and whether the bridge never gets it.
    fn room_key(&mut self, chat: usize) -> (String, bool) {
        let faults = self.faults.clone();
        let it = &mut self.people.chats[chat];
        if let Some(key) = it.key.clone().filter(|_| !self.dice.chance(faults.key_changes)) {
            return (key, false);
        }
        it.keys += 1;
        let key = format!("key-{chat}-{}", it.keys);
        if self.dice.chance(faults.key_never) {
            it.key = None;
            return (key, true);
        }
        it.key = Some(key.clone());
        if self.dice.chance(faults.key_late) {
            let late = self.dice.between(100..15_000);
            self.agenda.after(late, Happening::RoomKeyComes { key: key.clone() });
        } else {
            self.room_key_comes(key.clone());
        }
        (key, false)
    }

    pub(crate) fn room_key_comes(&mut self, key: String) {
        self.homeserver.device_inbox.insert(key.clone());
        if !self.dice.chance(self.faults.key_not_pushed) {
            self.homeserver.pushing.add_key(key);
            self.agenda.after(1, Happening::Push);
        }
    }

    pub(crate) fn person_joins(&mut self, chat: usize) {
        let it = &mut self.people.chats[chat];
        let Some(room) = it.room.clone().filter(|_| !it.is_joined) else { return };
        it.is_joined = true;
        let person = self.people.persons[it.person].clone();
        self.homeserver.members.insert((room.clone(), person.clone()), "join");
        let content = json!({"membership": "join"});
        self.note(&format!("chat {chat} is joined"));
        self.happens(&room, person.as_str(), "m.room.member", &content, Some(person.as_str()));
    }
}
