//! Invites and departures of people in rooms with our users.

use ruma::UserId;

use super::{consents::Consents, outcome::Outcome, ports::Ports, rooms::Rooms, speech::Speech};
use crate::{
    domain::{
        bridged::{ActAs, Portal},
        consent::{ContactEvent, ContactState},
        event::Event,
        ids::{GhostKey, Lane, PortalKey},
        item::OutboxItem,
        notice::Notice,
    },
    port::{Failure, storage::Change},
};

#[derive(Debug)]
pub(crate) struct Membership {
    ports: Ports,
    rooms: Rooms,
    speech: Speech,
    consents: Consents,
}

impl Membership {
    pub(crate) fn new(ports: Ports, rooms: Rooms, speech: Speech, consents: Consents) -> Self {
        Self { ports, rooms, speech, consents }
    }

    /// A person's membership event: `member` got `membership`.
    pub(crate) async fn changed(
        &self,
        event: &Event,
        member: &str,
        membership: &str,
    ) -> Result<Outcome, Failure> {
        let Ok(member) = UserId::parse(member) else { return Ok(Outcome::nothing()) };
        match (membership, self.ports.homeserver.our_user(&member)) {
            ("invite", Some(ActAs::Bot)) => self.bot_invited(event).await,
            ("invite", Some(ActAs::Ghost(ghost))) => self.ghost_invited(event, &ghost).await,
            ("join", None) => self.person_moved(event, &member, ContactEvent::Joined).await,
            ("leave" | "ban", None) => self.person_moved(event, &member, ContactEvent::Left).await,
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
        self.rooms.ensure_bot().await?;
        self.ports.homeserver.join(&ActAs::Bot, &event.room).await?;
        Ok(Outcome::Done(vec![Change::ManagementRoomSaved {
            person: event.sender.clone(),
            room: event.room.clone(),
        }]))
    }

    /// A ghost follows the invite of somebody who has its contact; the room becomes the portal.
    async fn ghost_invited(&self, event: &Event, ghost: &GhostKey) -> Result<Outcome, Failure> {
        let who = ActAs::Ghost(ghost.clone());
        let login = self.ports.storage.login_of(&event.sender).await?;
        let known = self.ports.storage.ghost(ghost).await?;
        let login = login.filter(|login| self.ports.rules.may_use(&login.person));
        let Some((login, _)) = login.zip(known) else {
            self.ports.homeserver.leave(&who, &event.room).await?;
            return Ok(Outcome::nothing());
        };
        let key = PortalKey { login: login.id, ghost: ghost.clone() };
        let Some(portal) = self.ports.storage.portal(&key).await? else {
            // Somebody else's contact: the ghost's existence is not to be confirmed by a chat.
            self.ports.homeserver.leave(&who, &event.room).await?;
            return Ok(Outcome::nothing());
        };
        // Inviting the ghost is starting the chat, except where only `unblock` ends a block.
        let started = self.consents.decide(&key, ContactEvent::Started, Some(&event.id)).await?;
        if started.to == ContactState::Blocked {
            self.ports.homeserver.leave(&who, &event.room).await?;
            return Ok(Outcome::nothing());
        }
        self.ports.homeserver.join(&who, &event.room).await?;
        if !self.ports.homeserver.room_state(&who, &event.room).await?.encrypted {
            return self.leave_with(&who, event, &Notice::UnencryptedRoom).await;
        }
        if let Some(old) = portal.room.filter(|old| *old != event.room) {
            self.ports.homeserver.leave(&who, &old).await?;
        }
        let portal = Portal { key, room: Some(event.room.clone()) };
        let mut changes = started.changes;
        changes.push(Change::PortalSaved(portal));
        Ok(Outcome::Done(changes))
    }

    /// A last word in a room that cannot be a portal. Said at once: after leaving it is too late.
    async fn leave_with(
        &self,
        who: &ActAs,
        event: &Event,
        notice: &Notice,
    ) -> Result<Outcome, Failure> {
        let (room, person) = (&event.room, event.sender.clone());
        let lane = Lane::Room(room.clone());
        let about = event.id.as_str();
        let said = self.speech.say(lane, who.clone(), room, person, &notice.text(), about).await?;
        if let Change::OutboxAdded { item: OutboxItem::Event(said), .. } = &said {
            self.ports.homeserver.send(said).await?;
        }
        self.ports.homeserver.leave(who, room).await?;
        Ok(Outcome::nothing())
    }

    /// The person answers a request, comes back, or leaves. The room stays the chat's: whoever comes
    /// back finds it again.
    async fn person_moved(
        &self,
        event: &Event,
        member: &UserId,
        moved: ContactEvent,
    ) -> Result<Outcome, Failure> {
        let Some(portal) = self.ports.storage.portal_of_room(&event.room).await? else {
            return Ok(Outcome::nothing());
        };
        let login = self.ports.storage.login(&portal.key.login).await?;
        if login.is_none_or(|login| login.person != member) {
            return Ok(Outcome::nothing());
        }
        let decided = self.consents.decide(&portal.key, moved, Some(&event.id)).await?;
        Ok(Outcome::Done(decided.changes))
    }
}
