//! A ghost is invited: the room becomes its chat, or it says why not and leaves.

use ruma::{OwnedRoomId, RoomId, UserId};

use super::Membership;
use crate::{
    domain::{
        bridged::{ActAs, Login, LoginState, Portal},
        event::Event,
        ids::{GhostKey, Lane, PortalKey, RemoteUser},
        item::OutboxItem,
        limits,
        notice::{Notice, Opening},
        opening,
        phone::Phone,
    },
    port::{
        Failure,
        network::Resolved,
        storage::{Change, InboxRow},
    },
    runtime::{chats::allowed, outcome::Outcome},
};

/// Whom an invited ghost stands for.
enum Contact {
    /// Of the person who invites, for some time already.
    Known(Box<Portal>, RemoteUser),
    /// A number that somebody looked up; who has it is not known yet.
    LookedUp(Phone),
}

impl Membership {
    pub(super) async fn ghost_invited(
        &self,
        row: &InboxRow,
        event: &Event,
        ghost: &GhostKey,
    ) -> Result<Outcome, Failure> {
        let who = ActAs::Ghost(ghost.clone());
        let login = self.ports.storage.login_of(&event.sender).await?;
        let login = login.filter(|login| self.ports.rules.may_use(&login.person));
        let Some(contact) = self.contact(login.as_ref(), ghost).await? else {
            // Somebody else's contact, or nobody's: that it exists is not to be confirmed by a word.
            self.ports.homeserver.leave(&who, &event.room).await?;
            return Ok(Outcome::nothing());
        };
        self.rooms.prepare_ghost(ghost).await?;
        if allowed(self.ports.homeserver.join(&who, &event.room).await)?.is_none() {
            // Nobody waits for it there any more.
            return Ok(Outcome::nothing());
        }
        if let Some(notice) = self.unfit(&who, &event.room, &event.sender).await? {
            return self.leave_with(&who, event, &notice).await;
        }
        let may_ask =
            |login: &Login| matches!(login.state, LoginState::Enlisting | LoginState::Active);
        let Some(login) = login.filter(may_ask) else {
            let notice = Opening::NoLogin { bot: self.chats.bot() };
            return self.leave_with(&who, event, &Notice::Opening(notice)).await;
        };
        match contact {
            Contact::Known(portal, user) => {
                self.known_invited(event, &who, &login, *portal, &user).await
            }
            Contact::LookedUp(phone) => self.number_invited(row, event, &who, &login, &phone).await,
        }
    }

    async fn contact(
        &self,
        login: Option<&Login>,
        ghost: &GhostKey,
    ) -> Result<Option<Contact>, Failure> {
        if let Some(login) = login {
            let key = PortalKey { login: login.id.clone(), ghost: ghost.clone() };
            let portal = self.ports.storage.portal(&key).await?;
            let known = self.ports.storage.ghost(ghost).await?;
            if let Some((portal, ghost)) = portal.zip(known) {
                return Ok(Some(Contact::Known(Box::new(portal), ghost.remote)));
            }
        }
        Ok(self.ports.storage.lookup(ghost).await?.map(Contact::LookedUp))
    }

    /// Why a room cannot be that of a chat, if it cannot.
    pub(super) async fn unfit(
        &self,
        who: &ActAs,
        room: &RoomId,
        person: &UserId,
    ) -> Result<Option<Notice>, Failure> {
        let state = self.ports.homeserver.room_state(who, room).await?;
        let ghost = self.ports.homeserver.user_id(who);
        Ok(opening::unfit(state.encrypted, &state.members, person, &ghost))
    }

    /// One room a contact: another one only if it replaces the first, or the person left that.
    async fn known_invited(
        &self,
        event: &Event,
        who: &ActAs,
        login: &Login,
        portal: Portal,
        user: &RemoteUser,
    ) -> Result<Outcome, Failure> {
        if let Some(room) = portal.room.filter(|room| *room != event.room) {
            if self.replaces(who, &event.room, &room).await? {
                return Ok(Outcome::Done(self.chats.move_to(login, user, &event.room).await?));
            }
            if self.holds(who, &room, &login.person).await? {
                return self.leave_for(who, event, room).await;
            }
        }
        self.open(event, who, login, user).await
    }

    async fn open(
        &self,
        event: &Event,
        who: &ActAs,
        login: &Login,
        user: &RemoteUser,
    ) -> Result<Outcome, Failure> {
        match self.chats.open_in(login, user, &event.room, &event.id).await? {
            Ok(changes) => Ok(Outcome::Done(changes)),
            Err(why_not) => self.leave_with(who, event, &Notice::Opening(why_not)).await,
        }
    }

    async fn number_invited(
        &self,
        row: &InboxRow,
        event: &Event,
        who: &ActAs,
        login: &Login,
        phone: &Phone,
    ) -> Result<Outcome, Failure> {
        let Some(link) = self.links.link(&login.id) else {
            let now = self.ports.clock.now();
            if !row.waiting().is_over(limits::LOOKUP_LINK_WAIT, now) {
                return Ok(Outcome::wait(now + limits::millis(limits::LINK_WAIT)));
            }
            return self.leave_with(who, event, &Notice::Opening(Opening::NoConnection)).await;
        };
        let refusal = match link.resolve(phone.digits()).await? {
            Resolved::NotOnNetwork => Opening::NotOnNetwork,
            Resolved::NotOptedIn => Opening::NotOptedIn,
            Resolved::Reachable { user } => {
                // The network may name a person otherwise than by the number that was typed.
                if ActAs::Ghost(self.ports.namer.ghost_key(&user)) == *who {
                    return self.open(event, who, login, &user).await;
                }
                let opened = self.chats.open(login, &user, Some(&event.id)).await?;
                self.chats.why_not(&opened)
            }
        };
        self.leave_with(who, event, &Notice::Opening(refusal)).await
    }

    async fn leave_for(
        &self,
        who: &ActAs,
        event: &Event,
        room: OwnedRoomId,
    ) -> Result<Outcome, Failure> {
        self.leave_with(who, event, &Notice::Opening(Opening::Elsewhere { room })).await
    }

    /// Whether the person is in the room, or invited.
    async fn holds(&self, who: &ActAs, room: &RoomId, person: &UserId) -> Result<bool, Failure> {
        let state = allowed(self.ports.homeserver.room_state(who, room).await)?;
        Ok(state.is_some_and(|state| state.members.iter().any(|member| member == person)))
    }

    /// Whether a room was made to replace another.
    pub(super) async fn replaces(
        &self,
        who: &ActAs,
        new: &RoomId,
        old: &RoomId,
    ) -> Result<bool, Failure> {
        let homeserver = &self.ports.homeserver;
        let creation = allowed(homeserver.state(who, new, "m.room.create", "").await)?.flatten();
        let tombstone =
            allowed(homeserver.state(who, old, "m.room.tombstone", "").await)?.flatten();
        Ok(opening::replaces((new, creation.as_ref()), (old, tombstone.as_ref())))
    }

    /// A last word in a room that cannot be a portal. Said at once: after leaving it is too late.
    pub(super) async fn leave_with(
        &self,
        who: &ActAs,
        event: &Event,
        notice: &Notice,
    ) -> Result<Outcome, Failure> {
        self.leave_room_with(who, &event.room, event, notice).await
    }

    pub(super) async fn leave_room_with(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &Event,
        notice: &Notice,
    ) -> Result<Outcome, Failure> {
        let lane = Lane::Room(room.to_owned());
        let (person, about) = (event.sender.clone(), event.id.as_str());
        let said = self.speech.say(lane, who.clone(), room, person, &notice.text(), about).await?;
        if let Change::OutboxAdded { item: OutboxItem::Event(said), .. } = &said {
            self.ports.homeserver.send(said).await?;
        }
        self.ports.homeserver.leave(who, room).await?;
        Ok(Outcome::nothing())
    }
}
