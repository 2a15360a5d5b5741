//! Starting chats. Whatever starts one goes through here, so that there is one place to rule it: the
//! bot's command, the invitation of a ghost, a room that replaces another.
//!
//! A contact of a login has one room. It stays the chat's while its person is away.

use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId};

use super::{consents::Consents, ports::Ports, rooms::Rooms, speech::Speech};
use crate::{
    domain::{
        allowance::{Counted, Day, UsedToday, until_in_words},
        bridged::{ActAs, Login, Portal, Timestamp},
        consent::{ContactEvent, ContactState},
        ids::{Lane, PortalKey, RemoteUser},
        notice::{Notice, Opening},
    },
    port::{Failure, Retry, storage::Change},
};

/// What became of opening a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Ready(Portal),
    /// The person blocked the contact.
    Blocked,
    /// The person started chats with `limit` new contacts today, and may start no more.
    UsedUp {
        limit: u64,
        now: Timestamp,
        again_at: Timestamp,
    },
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Chats {
    ports: Ports,
    rooms: Rooms,
    speech: Speech,
    consents: Consents,
}

impl Chats {
    pub fn new(ports: &Ports, rooms: &Rooms, consents: &Consents) -> Self {
        Self {
            ports: ports.clone(),
            rooms: rooms.clone(),
            speech: Speech::new(ports.clone()),
            consents: consents.clone(),
        }
    }

    /// The person starts a chat: its room, made when it does not exist, with the person invited if
    /// they are not in it. A contact who is new counts against the person's day, in the commit that
    /// approves them.
    pub async fn open(
        &self,
        login: &Login,
        user: &RemoteUser,
        cause: Option<&EventId>,
    ) -> Result<Opened, Failure> {
        let key = self.key(login, user);
        if let Some(used_up) = self.used_up(login, &key).await? {
            return Ok(used_up);
        }
        let counted = |from| self.counted(login, from);
        let state = self.consents.act_with(&key, ContactEvent::Started, cause, counted).await?;
        if state == ContactState::Blocked {
            return Ok(Opened::Blocked);
        }
        let portal = self.rooms.ensure_portal(login, user, None).await?;
        self.rooms.invite(login, &portal).await?;
        Ok(Opened::Ready(portal))
    }

    /// The person starts a chat in a room of theirs. The ghost has joined it, and it fits
    /// ([`domain::opening`](crate::domain::opening)). Otherwise, why it says no.
    pub(crate) async fn open_in(
        &self,
        login: &Login,
        user: &RemoteUser,
        room: &RoomId,
        cause: &EventId,
    ) -> Result<Result<Vec<Change>, Opening>, Failure> {
        let key = self.key(login, user);
        if let Some(used_up) = self.used_up(login, &key).await? {
            return Ok(Err(self.why_not(&used_up)));
        }
        let started = self.consents.decide(&key, ContactEvent::Started, Some(cause)).await?;
        if started.to == ContactState::Blocked {
            return Ok(Err(self.why_not(&Opened::Blocked)));
        }
        let mut changes = started.changes;
        if changes.is_empty() {
            // Somebody may leave the room of before meanwhile.
            let (from, to, at) = (started.from, started.to, self.ports.clock.now());
            changes.push(Change::ContactMoved { portal: key.clone(), from, to, at });
        }
        changes.extend(self.counted(login, started.from));
        changes.extend(self.move_to(login, user, room).await?);
        Ok(Ok(changes))
    }

    /// What a ghost says that was invited for nothing.
    pub(crate) fn why_not(&self, opened: &Opened) -> Opening {
        match opened {
            Opened::Ready(Portal { room: Some(room), .. }) => {
                Opening::Elsewhere { room: room.clone() }
            }
            Opened::Ready(Portal { room: None, .. }) => Opening::NoConnection,
            Opened::Blocked => Opening::Blocked { bot: self.bot() },
            Opened::UsedUp { limit, now, again_at } => {
                Opening::UsedUp { limit: *limit, wait: until_in_words(*now, *again_at) }
            }
        }
    }

    async fn used_up(&self, login: &Login, key: &PortalKey) -> Result<Option<Opened>, Failure> {
        if self.consents.of(key).await? != ContactState::Unknown {
            return Ok(None);
        }
        let now = self.ports.clock.now();
        let (person, day) = (&login.person, Day::of(now));
        let used = self.ports.storage.day_usage(person, day).await?;
        let admitted = used.admit_contact(self.ports.rules.limits(person));
        Ok(admitted.err().map(|limit| Opened::UsedUp { limit, now, again_at: day.ends_at() }))
    }

    fn counted(&self, login: &Login, from: ContactState) -> Option<Change> {
        let (person, what) = (login.person.clone(), Counted::Contacts);
        let used = UsedToday { person, day: Day::of(self.ports.clock.now()), what, amount: 1 };
        (from == ContactState::Unknown).then_some(Change::DayUsageAdded(used))
    }

    fn key(&self, login: &Login, user: &RemoteUser) -> PortalKey {
        PortalKey { login: login.id.clone(), ghost: self.ports.namer.ghost_key(user) }
    }

    /// Makes another room the one of a chat; the ghost has joined it and leaves the room of before.
    /// That changes nothing of what the person approved.
    pub(crate) async fn move_to(
        &self,
        login: &Login,
        user: &RemoteUser,
        room: &RoomId,
    ) -> Result<Vec<Change>, Failure> {
        let ghost = self.rooms.ensure_ghost(user, None).await?;
        let key = PortalKey { login: login.id.clone(), ghost };
        let before = self.ports.storage.portal(&key).await?.and_then(|portal| portal.room);
        if before.as_deref() == Some(room) {
            return Ok(Vec::new());
        }
        let who = ActAs::Ghost(key.ghost.clone());
        self.rooms.put_signs(login, &key, room).await?;
        let said = self.say_adopted(login, &key, room).await?;
        if let Some(before) = before {
            self.ports.homeserver.leave(&who, &before).await?;
        }
        Ok(vec![Change::PortalSaved(Portal { key, room: Some(room.to_owned()) }), said])
    }

    /// Whose room it is decides what its topic says: the ghost tells it instead.
    async fn say_adopted(
        &self,
        login: &Login,
        key: &PortalKey,
        room: &RoomId,
    ) -> Result<Change, Failure> {
        let server = self.bot().server_name().to_owned();
        let text = Notice::Opening(Opening::Adopted { server }).text();
        let (who, lane) = (ActAs::Ghost(key.ghost.clone()), Lane::Portal(key.clone()));
        self.speech.say(lane, who, room, login.person.clone(), &text, "adopted").await
    }

    /// The room of a chat that the person is in already.
    pub async fn joined(
        &self,
        login: &Login,
        user: &RemoteUser,
    ) -> Result<Option<OwnedRoomId>, Failure> {
        let key = self.key(login, user);
        let Some(Portal { room: Some(room), .. }) = self.ports.storage.portal(&key).await? else {
            return Ok(None);
        };
        let who = ActAs::Ghost(key.ghost);
        let person = login.person.as_str();
        let member = self.ports.homeserver.state(&who, &room, "m.room.member", person).await;
        Ok(match allowed(member)?.flatten() {
            Some(member) if member["membership"] == "join" => Some(room),
            _ => None,
        })
    }

    pub(crate) fn bot(&self) -> OwnedUserId {
        self.ports.homeserver.user_id(&ActAs::Bot)
    }
}

/// What the homeserver refuses for good is no answer, and no failure.
pub(crate) fn allowed<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.retry == Retry::Never => Ok(None),
        Err(failure) => Err(failure),
    }
}
