//! What the bridge's users do on the homeserver.

use std::time::Duration;

use async_trait::async_trait;
use causeway::{
    domain::{
        bridged::ActAs,
        ids::GhostKey,
        item::{OutboundEvent, RawEvent},
    },
    port::{
        Failure, Homeserver,
        homeserver::{DirectRoom, RoomState, Signs},
        media::{Download, MediaBytes, MediaFailure},
    },
};
use ruma::{
    EventId, MxcUri, OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId, RoomOrAliasId,
    UserId,
};
use serde_json::{Value, json};

use super::BOT;
use crate::{
    agenda::Happening,
    faults::{Faults, Road},
    trace::digest,
    world::{Outside, State, namer},
};

fn road(faults: &Faults) -> Road {
    faults.to_homeserver
}

fn user_id(who: &ActAs) -> OwnedUserId {
    match who {
        ActAs::Bot => BOT.to_owned(),
        ActAs::Ghost(GhostKey(key)) => format!("@wa_{key}:example.org"),
    }
    .try_into()
    .unwrap()
}

impl State {
    fn direct_room(&mut self, asked: &DirectRoom) -> OwnedRoomId {
        let rooms = &mut self.homeserver.rooms;
        let made = format!("!room{}:example.org", rooms.len());
        let room = rooms
            .entry(asked.alias_localpart.clone())
            .or_insert_with(|| made.try_into().unwrap())
            .clone();
        let people = &mut self.people;
        let person = people.persons.iter().position(|it| *it == asked.person).unwrap();
        let is_theirs = |contact: &usize| {
            asked.creator == ActAs::Ghost(namer().ghost_key(&people.contacts[*contact]))
        };
        let contact = (0..people.contacts.len()).find(is_theirs).unwrap();
        let contact = people.contacts[contact].clone();
        let chat = people.chat_of(person, &contact);
        people.chats[chat].room = Some(room.clone());
        self.homeserver.members.insert((room.clone(), user_id(&asked.creator)), "join");
        self.invite(&room, &asked.person);
        room
    }

    fn invite(&mut self, room: &RoomId, person: &UserId) {
        let member = (room.to_owned(), person.to_owned());
        if self.homeserver.members.contains_key(&member) {
            return;
        }
        self.homeserver.members.insert(member, "invite");
        if let Some(chat) = self.people.chat_in(room) {
            let later = self.dice.between(50..8_000);
            self.agenda.after(later, Happening::PersonJoins { chat });
        }
    }

    /// The same transaction id is the same event.
    fn send(&mut self, event: &OutboundEvent) -> OwnedEventId {
        let key = (event.sender.clone(), event.transaction_id.clone());
        if let Some(known) = self.homeserver.sent.get(&key) {
            return known.clone();
        }
        let OutboundEvent { sender, room, event_type, content, .. } = event.clone();
        let sender = user_id(&sender);
        let id = self.happens(&room, sender.as_str(), &event_type, &content, None);
        self.homeserver.sent.insert(key, id.clone());
        self.homeserver.said.push(event.clone());
        id
    }
}

#[async_trait]
impl Homeserver for Outside {
    fn user_id(&self, who: &ActAs) -> OwnedUserId {
        user_id(who)
    }

    fn our_user(&self, user: &UserId) -> Option<ActAs> {
        if user == BOT {
            return Some(ActAs::Bot);
        }
        let key = user.localpart().strip_prefix("wa_")?;
        Some(ActAs::Ghost(GhostKey(key.to_owned())))
    }

    async fn ensure_user(&self, _who: &ActAs, _name: Option<&str>) -> Result<(), Failure> {
        self.call(road, "ensure_user", |_| Ok(())).await
    }

    async fn display_name(&self, _person: &UserId) -> Result<Option<String>, Failure> {
        self.call(road, "display_name", |_| Ok(Some("Person".to_owned()))).await
    }

    async fn direct_room(&self, room: &DirectRoom) -> Result<OwnedRoomId, Failure> {
        self.call(road, "direct_room", |state| Ok(state.direct_room(room))).await
    }

    async fn put_signs(&self, _: &ActAs, _: &RoomId, _: &Signs) -> Result<(), Failure> {
        self.call(road, "put_signs", |_| Ok(())).await
    }

    async fn state(
        &self,
        _who: &ActAs,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Value>, Failure> {
        assert_eq!(event_type, "m.room.member", "no other state is asked for here");
        let member = (room.to_owned(), OwnedUserId::try_from(state_key).unwrap());
        let found = |state: &mut State| {
            Ok(state.homeserver.members.get(&member).map(|it| json!({"membership": it})))
        };
        self.call(road, "state", found).await
    }

    async fn invite(&self, _who: &ActAs, room: &RoomId, person: &UserId) -> Result<(), Failure> {
        let invited = |state: &mut State| {
            state.invite(room, person);
            Ok(())
        };
        self.call(road, "invite", invited).await
    }

    async fn free_alias(&self, _who: &ActAs, _localpart: &str) -> Result<(), Failure> {
        self.call(road, "free_alias", |_| Ok(())).await
    }

    async fn join(&self, _who: &ActAs, _room: &RoomId) -> Result<(), Failure> {
        self.call(road, "join", |_| Ok(())).await
    }

    async fn join_named(&self, _: &ActAs, _: &RoomOrAliasId) -> Result<OwnedRoomId, Failure> {
        Err(Failure::never("no policy rooms are simulated"))
    }

    async fn leave(&self, _who: &ActAs, _room: &RoomId) -> Result<(), Failure> {
        self.call(road, "leave", |_| Ok(())).await
    }

    async fn room_state(&self, _who: &ActAs, _room: &RoomId) -> Result<RoomState, Failure> {
        let state = RoomState { encrypted: true, members: Vec::new() };
        self.call(road, "room_state", |_| Ok(state)).await
    }

    async fn all_state(&self, _who: &ActAs, _room: &RoomId) -> Result<Vec<RawEvent>, Failure> {
        self.call(road, "all_state", |_| Ok(Vec::new())).await
    }

    async fn send(&self, event: &OutboundEvent) -> Result<OwnedEventId, Failure> {
        self.life.goes_on().await;
        self.world.lock().journal.speaks(event);
        let content = digest(event.content.to_string().as_bytes());
        let what = format!("send {} {} {content:x}", event.event_type, event.transaction_id);
        self.call(road, &what, |state| Ok(state.send(event))).await
    }

    async fn event(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        event: &EventId,
    ) -> Result<Option<RawEvent>, Failure> {
        let found =
            |state: &mut State| Ok(state.homeserver.archive.get(event).cloned().map(RawEvent));
        self.call(road, "event", found).await
    }

    async fn messages_before(
        &self,
        _sender: &ActAs,
        _room: &RoomId,
        _event: &EventId,
        _limit: u32,
    ) -> Result<Vec<OwnedEventId>, Failure> {
        self.call(road, "messages_before", |_| Ok(Vec::new())).await
    }

    async fn read(&self, _: &ActAs, _: &RoomId, _: &EventId) -> Result<(), Failure> {
        self.call(road, "read", |_| Ok(())).await
    }

    async fn typing(&self, _: &ActAs, _: &RoomId, _: Option<Duration>) -> Result<(), Failure> {
        self.call(road, "typing", |_| Ok(())).await
    }

    async fn ping(&self) -> Result<(), Failure> {
        self.call(road, "ping", |_| Ok(())).await
    }

    async fn sound(&self, id: &str) -> Result<(), Failure> {
        let sounded = |state: &mut State| {
            state.homeserver.pushing.add_key(format!("sounding {id}"));
            state.agenda.after(1, Happening::Push);
            Ok(())
        };
        self.call(road, "sound", sounded).await
    }

    async fn media_limit(&self) -> Result<u64, Failure> {
        Ok(u64::MAX)
    }

    async fn download_media(&self, _: &ActAs, _: &MxcUri) -> Result<Download, MediaFailure> {
        Err(Failure::never("no files are simulated").into())
    }

    async fn upload_media(
        &self,
        _who: &ActAs,
        _length: u64,
        _bytes: MediaBytes,
    ) -> Result<OwnedMxcUri, MediaFailure> {
        Err(Failure::never("no files are simulated").into())
    }
}
