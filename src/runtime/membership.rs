//! Who comes to rooms with our users, who goes, and where a room moves to.

mod invited;

use ruma::{OwnedRoomId, RoomId, UserId};

use super::{
    chats::{Chats, allowed},
    connection::Links,
    consents::Consents,
    outcome::Outcome,
    ports::Ports,
    rooms::Rooms,
    speech::Speech,
};
use crate::{
    domain::{
        bridged::{ActAs, Login, Portal},
        consent::ContactEvent,
        event::Event,
        ids::{GhostKey, Lane},
        limits,
    },
    port::{
        Failure,
        storage::{Change, InboxRow},
    },
};

/// The type of the state event that says where a room has moved to.
pub(crate) const TOMBSTONE: &str = "m.room.tombstone";

#[derive(Debug)]
pub(crate) struct Membership {
    ports: Ports,
    links: Links,
    chats: Chats,
    rooms: Rooms,
    speech: Speech,
    consents: Consents,
}

impl Membership {
    pub(crate) fn new(
        ports: Ports,
        links: Links,
        chats: Chats,
        rooms: Rooms,
        speech: Speech,
        consents: Consents,
    ) -> Self {
        Self { ports, links, chats, rooms, speech, consents }
    }

    /// A person's membership event: `member` got `membership`.
    pub(crate) async fn changed(
        &self,
        row: &InboxRow,
        event: &Event,
        member: &str,
        membership: &str,
    ) -> Result<Outcome, Failure> {
        let Ok(member) = UserId::parse(member) else { return Ok(Outcome::nothing()) };
        match (membership, self.ports.homeserver.our_user(&member)) {
            ("invite", Some(ActAs::Bot)) => self.bot_invited(event).await,
            ("invite", Some(ActAs::Ghost(ghost))) => self.ghost_invited(row, event, &ghost).await,
            ("leave" | "ban", Some(ActAs::Ghost(ghost))) => {
                self.ghost_removed(&event.room, &ghost).await
            }
            ("join", None) => self.person_moved(row, event, &member, ContactEvent::Joined).await,
            ("leave" | "ban", None) => {
                self.person_moved(row, event, &member, ContactEvent::Left).await
            }
            _ => Ok(Outcome::nothing()),
        }
    }

    /// The room in which a person talks to the bot is their management room from now on.
    async fn bot_invited(&self, event: &Event) -> Result<Outcome, Failure> {
        let rules = &self.ports.rules;
        if !rules.may_use(&event.sender) && rules.was_refused(&event.sender) {
            self.ports.homeserver.leave(&ActAs::Bot, &event.room).await?;
            return Ok(Outcome::nothing());
        }
        if self.ports.storage.erasure_of(&event.sender).await?.is_some() {
            // Whoever is being erased begins anew when nothing of before is left.
            let pause = limits::millis(limits::ERASURE_LOOK);
            return Ok(Outcome::wait(self.ports.clock.now() + pause));
        }
        self.rooms.ensure_bot().await?;
        let readers = std::slice::from_ref(&event.sender);
        self.ports.cipher.acquaint(&ActAs::Bot, &event.room, readers).await?;
        self.ports.homeserver.join(&ActAs::Bot, &event.room).await?;
        Ok(Outcome::Done(vec![Change::ManagementRoomSaved {
            person: event.sender.clone(),
            room: event.room.clone(),
        }]))
    }

    /// The person answers a request, comes back, or leaves. The room stays the chat's: whoever comes
    /// back finds it again.
    async fn person_moved(
        &self,
        row: &InboxRow,
        event: &Event,
        member: &UserId,
        moved: ContactEvent,
    ) -> Result<Outcome, Failure> {
        if self.ports.storage.portal_of_room(&event.room).await?.is_none() {
            return self.await_portal(row, &event.room).await;
        }
        let Some((portal, _)) = self.portal_of(&event.room, member).await? else {
            return Ok(Outcome::nothing());
        };
        let lane = Lane::Portal(portal.key.clone());
        if row.lane != lane {
            // Behind the request that it may be the answer to.
            return Ok(Outcome::Move { lane, changes: Vec::new() });
        }
        let mut changes = self.consents.decide(&portal.key, moved, Some(&event.id)).await?.changes;
        // An invitation elsewhere, which has a lane of its own, may take the chat along meanwhile.
        changes.push(Change::PortalAffirmed { portal: portal.key, room: event.room.clone() });
        Ok(Outcome::Done(changes))
    }

    /// People may answer an invite before the room that they were invited into is written down.
    async fn await_portal(&self, row: &InboxRow, room: &RoomId) -> Result<Outcome, Failure> {
        let now = self.ports.clock.now();
        let is_late = row.waiting().is_over(limits::PORTAL_WAIT, now);
        if is_late || self.ports.storage.management_person(room).await?.is_some() {
            return Ok(Outcome::nothing());
        }
        Ok(Outcome::wait(now + limits::millis(limits::EVENT_WAIT)))
    }

    /// Without its ghost a room cannot carry the chat: the next message makes another.
    async fn ghost_removed(&self, room: &RoomId, ghost: &GhostKey) -> Result<Outcome, Failure> {
        let portal = self.ports.storage.portal_of_room(room).await?;
        let Some(portal) = portal.filter(|portal| portal.key.ghost == *ghost) else {
            return Ok(Outcome::nothing());
        };
        let portal = Portal { room: None, ..portal };
        Ok(Outcome::Done(vec![Change::PortalSaved(portal)]))
    }

    /// The person replaced the room of a chat by another (a room upgrade): the chat goes along.
    ///
    /// The ghost need not be invited there yet. When it will be, the invitation leads here again.
    pub(crate) async fn replaced(
        &self,
        event: &Event,
        portal: &Portal,
    ) -> Result<Outcome, Failure> {
        let Some((_, login)) = self.portal_of(&event.room, &event.sender).await? else {
            return Ok(Outcome::nothing());
        };
        let room = event.content["replacement_room"].as_str();
        let Some(room) = room.and_then(|room| OwnedRoomId::try_from(room).ok()) else {
            return Ok(Outcome::nothing());
        };
        let who = ActAs::Ghost(portal.key.ghost.clone());
        if allowed(self.ports.homeserver.join(&who, &room).await)?.is_none() {
            return Ok(Outcome::nothing());
        }
        if !self.replaces(&who, &room, &event.room).await? {
            self.ports.homeserver.leave(&who, &room).await?;
            return Ok(Outcome::nothing());
        }
        if let Some(notice) = self.unfit(&who, &room, &event.sender).await? {
            return self.leave_room_with(&who, &room, event, &notice).await;
        }
        let Some(ghost) = self.ports.storage.ghost(&portal.key.ghost).await? else {
            return Ok(Outcome::nothing());
        };
        Ok(Outcome::Done(self.chats.move_to(&login, &ghost.remote, &room).await?))
    }

    /// The chat in a room, if it is `person`'s.
    async fn portal_of(
        &self,
        room: &RoomId,
        person: &UserId,
    ) -> Result<Option<(Portal, Login)>, Failure> {
        let Some(portal) = self.ports.storage.portal_of_room(room).await? else { return Ok(None) };
        let login = self.ports.storage.login(&portal.key.login).await?;
        Ok(login.filter(|login| login.person == person).map(|login| (portal, login)))
    }
}
