//! The homeserver: it recognises its transaction ids, as the real one does. The room keys that it holds for our
//! users are in a room of their own.

mod room_keys;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use causeway::{
    domain::{
        boundary::ENCRYPTION_LEGS,
        bridged::ActAs,
        capability::ROOM_FEATURES,
        ids::GhostKey,
        item::{OutboundEvent, RawEvent},
        status::STATUS,
    },
    port::{
        Failure, Homeserver,
        homeserver::{DirectRoom, REDACTION, RoomState, Signs},
        media::{Download, MediaBytes, MediaFailure},
    },
};
use futures_util::StreamExt as _;
use ruma::{
    EventId, MxcUri, OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId, RoomOrAliasId,
    UserId,
};
use serde_json::{Value, json};

use super::{
    files::Files,
    surroundings::{Gate, Trouble},
};

pub(super) const PERSON: &str = "@alice:example.org";
pub(super) const BOT: &str = "@bot:example.org";

#[derive(Default)]
struct State {
    /// By the alias.
    rooms: BTreeMap<String, OwnedRoomId>,
    /// Rooms that lost their alias.
    unnamed: usize,
    /// The rooms that a person was invited into, oldest first.
    invites: Vec<OwnedRoomId>,
    unencrypted: BTreeSet<OwnedRoomId>,
    members: BTreeMap<(OwnedRoomId, OwnedUserId), &'static str>,
    /// By room and type.
    states: BTreeMap<(OwnedRoomId, String), Value>,
    /// Rooms that nobody of ours may join.
    closed: BTreeSet<OwnedRoomId>,
    /// Rooms whose state our users may not change.
    guarded: BTreeSet<OwnedRoomId>,
    /// Who of ours left which room, with every repetition.
    left: Vec<(OwnedUserId, OwnedRoomId)>,
    /// Whose keys were let go of.
    forgotten: BTreeSet<ActAs>,
    /// Every send, with every repetition.
    sends: Vec<OutboundEvent>,
    archive: BTreeMap<OwnedEventId, Value>,
    /// Every event, oldest first, and who of ours sent it.
    timeline: Vec<(OwnedEventId, Option<ActAs>)>,
    /// The read receipts of our users.
    reads: Vec<OwnedEventId>,
    /// Whether a ghost was said to be typing.
    typings: Vec<bool>,
    person_name: Option<String>,
    /// The names that ghosts were given, oldest first.
    ghost_names: Vec<String>,
    /// The state of rooms that hold policies.
    policies: Vec<Value>,
    trouble: Option<Trouble>,
    /// The same for sending alone.
    sending_trouble: Option<Trouble>,
    /// Room keys that our users' machines have.
    keys: BTreeSet<String>,
    /// Room keys that only a fetch brings.
    missed: BTreeSet<String>,
    fetches: usize,
    encryptions: u64,
    receive_trouble: Option<Trouble>,
    /// What reached the machines, in order: keys and events.
    seen: Vec<String>,
    /// Every file that was taken, oldest first.
    uploads: Vec<Vec<u8>>,
    media_limit: Option<u64>,
}

#[derive(Default)]
pub(super) struct FakeHomeserver {
    state: Mutex<State>,
    pub(super) receiving: Gate,
    /// Holds every decryption of a text that says so.
    pub(super) decrypting: Gate,
    /// By URI.
    pub(super) files: Files,
    /// Bytes of the current upload that came.
    pub(super) taken: Arc<AtomicU64>,
}

impl FakeHomeserver {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    pub(super) fn sending_trouble(&self, trouble: Option<Trouble>) {
        self.state().sending_trouble = trouble;
    }

    pub(super) fn receive_trouble(&self, trouble: Option<Trouble>) {
        self.state().receive_trouble = trouble;
    }

    /// A key that waits where only a fetch finds it.
    pub(super) fn hold_key_back(&self, key: &str) {
        self.state().missed.insert(key.to_owned());
    }

    pub(super) fn fetches(&self) -> usize {
        self.state().fetches
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.state().seen.clone()
    }

    pub(super) fn sends(&self) -> Vec<OutboundEvent> {
        self.state().sends.clone()
    }

    /// What our users sent, oldest first, each transaction id once.
    fn sent(&self) -> Vec<OutboundEvent> {
        let mut ids = BTreeSet::new();
        let mut sends = self.sends();
        sends.retain(|sent| ids.insert(sent.transaction_id.clone()));
        sends
    }

    /// What the rooms show, oldest first.
    pub(super) fn shown(&self) -> Vec<String> {
        self.sent().iter().filter(|sent| is_message(sent)).map(|sent| body(&sent.content)).collect()
    }

    /// The event ids of what the rooms show, in the same order.
    pub(super) fn shown_ids(&self) -> Vec<OwnedEventId> {
        self.sent().iter().filter(|sent| is_message(sent)).map(event_id).collect()
    }

    /// The contents of what the rooms show, before their encryption, oldest first.
    pub(super) fn contents(&self) -> Vec<Value> {
        let plain = |content: &Value| match &content["plain"] {
            Value::Null => content.clone(),
            plain => plain.clone(),
        };
        self.sent().iter().filter(|sent| is_message(sent)).map(|it| plain(&it.content)).collect()
    }

    /// What became of messages, as clients are told, oldest first.
    pub(super) fn statuses(&self) -> Vec<Value> {
        let is_status = |sent: &&OutboundEvent| sent.event_type == STATUS;
        self.sent().iter().filter(is_status).map(|sent| sent.content.clone()).collect()
    }

    /// What our users redacted, oldest first.
    pub(super) fn redacted(&self) -> Vec<String> {
        let redacts = |sent: &OutboundEvent| Some(sent.content["redacts"].as_str()?.to_owned());
        self.sent().iter().filter_map(redacts).collect()
    }

    /// The reactions of our users that stand: the event that each is for, and what it is.
    pub(super) fn reactions(&self) -> Vec<(String, String)> {
        let redacted = self.redacted();
        self.sent()
            .iter()
            .filter(|sent| sent.event_type == "m.reaction")
            .filter(|sent| !redacted.contains(&event_id(sent).to_string()))
            .map(|sent| {
                let relation = &sent.content["m.relates_to"];
                let text = |key: &str| relation[key].as_str().unwrap().to_owned();
                (text("event_id"), text("key"))
            })
            .collect()
    }

    /// Keeps an event, so that it can be fetched again.
    pub(super) fn archive(&self, event: &Value) {
        let id = OwnedEventId::try_from(event["event_id"].as_str().unwrap()).unwrap();
        let mut state = self.state();
        state.timeline.push((id.clone(), None));
        state.archive.insert(id, event.clone());
    }

    pub(super) fn invites(&self) -> Vec<OwnedRoomId> {
        self.state().invites.clone()
    }

    pub(super) fn left(&self, who: &str, room: &OwnedRoomId) -> bool {
        self.state().left.iter().any(|(user, left)| user == who && left == room)
    }

    /// Whether a room has an alias, by which the homeserver would bring its events to us.
    pub(super) fn is_named(&self, room: &OwnedRoomId) -> bool {
        self.state().rooms.values().any(|named| named == room)
    }

    pub(super) fn forgotten(&self) -> BTreeSet<ActAs> {
        self.state().forgotten.clone()
    }

    pub(super) fn reads(&self) -> Vec<OwnedEventId> {
        self.state().reads.clone()
    }

    pub(super) fn ghost_names(&self) -> Vec<String> {
        self.state().ghost_names.clone()
    }

    pub(super) fn rename_person(&self, name: &str) {
        self.state().person_name = Some(name.to_owned());
    }

    pub(super) fn typings(&self) -> Vec<bool> {
        self.state().typings.clone()
    }

    pub(super) fn uploads(&self) -> Vec<Vec<u8>> {
        self.state().uploads.clone()
    }

    /// The bytes of the largest file that it takes; without this, any.
    pub(super) fn limit_media(&self, bytes: u64) {
        self.state().media_limit = Some(bytes);
    }

    /// A state event that is there when somebody asks.
    pub(super) fn add_policy(&self, event: Value) {
        self.state().policies.push(event);
    }

    /// The membership of somebody.
    pub(super) fn set_member(&self, room: &OwnedRoomId, user: &str, membership: &'static str) {
        let user = OwnedUserId::try_from(user).unwrap();
        self.state().members.insert((room.clone(), user), membership);
    }

    /// The memberships of those in a room whose ids begin so.
    pub(super) fn memberships(&self, room: &OwnedRoomId, prefix: &str) -> Vec<&'static str> {
        let state = self.state();
        let all = state.members.iter();
        all.filter(|((at, user), _)| at == room && user.as_str().starts_with(prefix))
            .map(|(_, membership)| *membership)
            .collect()
    }

    pub(super) fn set_state(&self, room: &OwnedRoomId, event_type: &str, content: Value) {
        self.state().states.insert((room.clone(), event_type.to_owned()), content);
    }

    pub(super) fn features_in(&self, room: &OwnedRoomId) -> Option<Value> {
        self.state().states.get(&(room.clone(), ROOM_FEATURES.to_owned())).cloned()
    }

    pub(super) fn signs_in(&self, room: &OwnedRoomId) -> Option<Value> {
        self.state().states.get(&(room.clone(), ENCRYPTION_LEGS.to_owned())).cloned()
    }

    /// Whether our users are kept out of a room.
    pub(super) fn close(&self, room: &OwnedRoomId, closed: bool) {
        let mut state = self.state();
        if closed {
            state.closed.insert(room.clone());
        } else {
            state.closed.remove(room);
        }
    }

    pub(super) fn guard(&self, room: &OwnedRoomId) {
        self.state().guarded.insert(room.clone());
    }

    pub(super) fn make_unencrypted(&self, room: &OwnedRoomId) {
        self.state().unencrypted.insert(room.clone());
    }
}

fn put(state: &mut State, room: &RoomId, signs: &Signs) {
    for (event_type, content) in [(ENCRYPTION_LEGS, &signs.legs), (ROOM_FEATURES, &signs.features)]
    {
        state.states.insert((room.to_owned(), event_type.to_owned()), content.clone());
    }
}

fn is_message(sent: &OutboundEvent) -> bool {
    !["m.reaction", REDACTION, STATUS].contains(&sent.event_type.as_str())
}

fn event_id(sent: &OutboundEvent) -> OwnedEventId {
    format!("$sent-{}", sent.transaction_id).try_into().unwrap()
}

fn body(content: &Value) -> String {
    let plain = if content["plain"].is_null() { content } else { &content["plain"] };
    plain["body"].as_str().unwrap().to_owned()
}

#[async_trait]
impl Homeserver for FakeHomeserver {
    fn user_id(&self, who: &ActAs) -> OwnedUserId {
        match who {
            ActAs::Bot => BOT.to_owned(),
            ActAs::Ghost(GhostKey(key)) => format!("@wa_{key}:example.org"),
        }
        .try_into()
        .unwrap()
    }

    fn our_user(&self, user: &UserId) -> Option<ActAs> {
        if user == BOT {
            return Some(ActAs::Bot);
        }
        let key = user.localpart().strip_prefix("wa_")?;
        Some(ActAs::Ghost(GhostKey(key.to_owned())))
    }

    async fn ensure_user(&self, who: &ActAs, display_name: Option<&str>) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        if let (ActAs::Ghost(_), Some(name)) = (who, display_name) {
            state.ghost_names.push(name.to_owned());
        }
        Ok(())
    }

    async fn display_name(&self, person: &UserId) -> Result<Option<String>, Failure> {
        let state = self.state();
        let name = state.person_name.clone().unwrap_or_else(|| " Alice\n".to_owned());
        Trouble::befall(state.trouble, (person == PERSON).then_some(name))
    }

    async fn direct_room(&self, room: &DirectRoom) -> Result<OwnedRoomId, Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        let count = state.rooms.len() + state.unnamed;
        let made = || OwnedRoomId::try_from(format!("!room{count}:example.org")).unwrap();
        let id = state.rooms.entry(room.alias_localpart.clone()).or_insert_with(made).clone();
        state.members.insert((id.clone(), self.user_id(&room.creator)), "join");
        state.members.entry((id.clone(), room.person.clone())).or_insert("invite");
        put(&mut state, &id, &room.signs);
        Ok(id)
    }

    async fn put_signs(&self, _who: &ActAs, room: &RoomId, signs: &Signs) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        if state.guarded.contains(room) {
            return Err(Failure::never("the fake room is guarded"));
        }
        put(&mut state, room, signs);
        Ok(())
    }

    async fn state(
        &self,
        _who: &ActAs,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Value>, Failure> {
        let state = self.state();
        Trouble::befall(state.trouble, ())?;
        if event_type == "m.room.member" {
            let member = (room.to_owned(), OwnedUserId::try_from(state_key).unwrap());
            return Ok(state.members.get(&member).map(|it| json!({"membership": it})));
        }
        Ok(state.states.get(&(room.to_owned(), event_type.to_owned())).cloned())
    }

    async fn invite(&self, _who: &ActAs, room: &RoomId, person: &UserId) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.invites.push(room.to_owned());
        let member = (room.to_owned(), person.to_owned());
        let membership = state.members.entry(member).or_insert("invite");
        if *membership == "leave" {
            *membership = "invite";
        }
        Ok(())
    }

    async fn join(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        if state.closed.contains(room) {
            return Err(Failure::never("the fake room is closed"));
        }
        state.members.insert((room.to_owned(), self.user_id(who)), "join");
        Ok(())
    }

    async fn leave(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.members.insert((room.to_owned(), self.user_id(who)), "leave");
        state.left.push((self.user_id(who), room.to_owned()));
        Ok(())
    }

    async fn join_named(&self, _who: &ActAs, room: &RoomOrAliasId) -> Result<OwnedRoomId, Failure> {
        let room = OwnedRoomId::try_from(room.as_str()).unwrap();
        Trouble::befall(self.state().trouble, room)
    }

    async fn free_alias(&self, _who: &ActAs, localpart: &str) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        if state.rooms.remove(localpart).is_some() {
            state.unnamed += 1;
        }
        Ok(())
    }

    async fn room_state(&self, _who: &ActAs, room: &RoomId) -> Result<RoomState, Failure> {
        let state = self.state();
        let encrypted = !state.unencrypted.contains(room);
        let members = state.members.iter().filter(|((at, _), it)| at == room && **it != "leave");
        let members = members.map(|((_, user), _)| user.clone()).collect();
        Trouble::befall(state.trouble, RoomState { encrypted, members })
    }

    async fn all_state(&self, _who: &ActAs, room: &RoomId) -> Result<Vec<RawEvent>, Failure> {
        let state = self.state();
        let events = state.policies.iter().filter(|event| event["room_id"] == room.as_str());
        Trouble::befall(state.trouble, events.cloned().map(RawEvent).collect())
    }

    async fn send(&self, event: &OutboundEvent) -> Result<OwnedEventId, Failure> {
        let mut state = self.state();
        let trouble = state.trouble.or(state.sending_trouble);
        if trouble != Some(Trouble::LostAnswer) {
            Trouble::befall(trouble, ())?;
        }
        state.sends.push(event.clone());
        let id = event_id(event);
        if !state.timeline.iter().any(|(known, _)| *known == id) {
            let by = is_message(event).then(|| event.sender.clone());
            state.timeline.push((id.clone(), by));
            let (sender, content) = (self.user_id(&event.sender), &event.content);
            let kept = json!({"type": event.event_type, "room_id": event.room, "sender": sender,
                "event_id": id, "content": content});
            state.archive.insert(id.clone(), kept);
        }
        Trouble::befall(trouble, id)
    }

    async fn event(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        event: &EventId,
    ) -> Result<Option<RawEvent>, Failure> {
        let state = self.state();
        Trouble::befall(state.trouble, state.archive.get(event).cloned().map(RawEvent))
    }

    async fn messages_before(
        &self,
        sender: &ActAs,
        _room: &RoomId,
        event: &EventId,
        limit: u32,
    ) -> Result<Vec<OwnedEventId>, Failure> {
        let state = self.state();
        Trouble::befall(state.trouble, ())?;
        let place = state.timeline.iter().position(|(known, _)| known == event);
        let before = state.timeline[..place.unwrap_or(0)].iter().rev();
        let theirs = before.filter(|(_, by)| by.as_ref() == Some(sender));
        Ok(theirs.map(|(id, _)| id.clone()).take(limit as usize).collect())
    }

    async fn read(&self, _who: &ActAs, _room: &RoomId, event: &EventId) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.reads.push(event.to_owned());
        Ok(())
    }

    async fn typing(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        lasts: Option<Duration>,
    ) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.typings.push(lasts.is_some());
        Ok(())
    }

    async fn ping(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn sound(&self, _id: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn media_limit(&self) -> Result<u64, Failure> {
        let state = self.state();
        Trouble::befall(state.trouble, state.media_limit.unwrap_or(u64::MAX))
    }

    async fn download_media(&self, _who: &ActAs, uri: &MxcUri) -> Result<Download, MediaFailure> {
        Trouble::befall(self.state().trouble, ())?;
        self.files.fetch(uri.as_str())
    }

    /// Whole or nothing, and a stream that fails is a connection that breaks. As the real one's
    /// client, it asks for no more than the length that was said.
    async fn upload_media(
        &self,
        _who: &ActAs,
        length: u64,
        mut bytes: MediaBytes,
    ) -> Result<OwnedMxcUri, MediaFailure> {
        Trouble::befall(self.state().trouble, ())?;
        let broken = || Failure::later("the fake homeserver got no whole file");
        let mut file = Vec::new();
        while (file.len() as u64) < length {
            let piece = bytes.next().await.ok_or_else(broken)?;
            file.extend_from_slice(&piece.map_err(|_| broken())?);
            self.taken.store(file.len() as u64, Ordering::SeqCst);
        }
        if u64::try_from(file.len()).ok() != Some(length) {
            return Err(broken().into());
        }
        let mut state = self.state();
        let uri = format!("mxc://example.org/upload{}", state.uploads.len());
        self.files.put(&uri, file.clone());
        state.uploads.push(file);
        Ok(uri.into())
    }
}
