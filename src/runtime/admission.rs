//! What the person's consent says of what a contact sends: shown, held, or let go.
//!
//! It is asked before anything is decrypted: of what is held or let go the contact hears nothing, not
//! even that it arrived.

use super::{consents::Consents, outcome::Outcome, ports::Ports, rooms::Rooms, speech::Speech};
use crate::{
    domain::{
        bridged::Login,
        consent::{Admission, ContactEvent, ContactState},
        ids::{Lane, PortalKey},
        item::{InboundMessage, InboxItem},
        limits,
        notice::Notice,
    },
    port::{
        Failure,
        storage::{Change, InboxRow},
    },
};

#[derive(Debug)]
pub(crate) struct Admissions {
    ports: Ports,
    rooms: Rooms,
    consents: Consents,
    speech: Speech,
}

impl Admissions {
    pub(crate) fn new(ports: Ports, rooms: Rooms, consents: Consents, speech: Speech) -> Self {
        Self { ports, rooms, consents, speech }
    }

    /// What becomes of an item of a contact that is not shown; `None` if it is.
    pub(crate) async fn instead(
        &self,
        row: &InboxRow,
        portal: &PortalKey,
    ) -> Result<Option<Outcome>, Failure> {
        let state = self.consents.of(portal).await?;
        let outcome = match (state.admits(), &row.item) {
            (Admission::Show, _) => return Ok(None),
            (Admission::LetGo, _) => Outcome::nothing(),
            (Admission::Hold, InboxItem::Message(message)) => {
                self.message(portal, state, message).await?
            }
            (Admission::Hold, _) => self.other(portal, state).await?,
        };
        Ok(Some(outcome))
    }

    /// The first message of a contact is a request: the ghost invites, and the message waits for the
    /// answer.
    async fn message(
        &self,
        portal: &PortalKey,
        state: ContactState,
        message: &InboundMessage,
    ) -> Result<Outcome, Failure> {
        let asked = self.consents.decide(portal, ContactEvent::TheyWrote, None).await?;
        if asked.from == asked.to {
            return self.hold(portal, state).await;
        }
        let storage = &self.ports.storage;
        let Some(login) = storage.login(&portal.login).await? else {
            return Ok(Outcome::nothing());
        };
        if !self.has_room_for_a_request(&login).await? {
            tracing::warn!(login = login.id.0, "too many requests are open: let one go");
            return Ok(Outcome::nothing());
        }
        let name = message.display_name.as_deref();
        let chat = self.rooms.ensure_portal(&login, &message.from.user, name).await?;
        self.rooms.invite(&login, &chat).await?;
        if asked.from == ContactState::Unknown && self.rooms.is_joined(&login, &chat).await? {
            // They followed the invite of a try that did not come to its end, and nobody could tell
            // then what they had joined.
            let joined = self.consents.decide(portal, ContactEvent::Joined, None).await?;
            let until = self.ports.clock.now();
            return Ok(Outcome::Wait { until, changes: joined.changes });
        }
        let mut changes = asked.changes;
        if asked.from == ContactState::Revoked {
            // Who unblocked a contact may be in the room all along, and sees no invite.
            let about = format!("asks/{}", message.id.0);
            changes.extend(self.speech.to_portal(portal, &Notice::AsksAgain, &about).await?);
        }
        Ok(Outcome::Move { lane: Lane::Held(portal.clone()), changes })
    }

    async fn has_room_for_a_request(&self, login: &Login) -> Result<bool, Failure> {
        let contacts = self.consents.contacts(&login.id).await?;
        let open = contacts.iter().filter(|contact| contact.state == ContactState::Requested);
        Ok(open.count() < limits::REQUESTS_OPEN_MAX)
    }

    /// A receipt, or news of keys: it goes with the messages, if there are any.
    async fn other(&self, portal: &PortalKey, state: ContactState) -> Result<Outcome, Failure> {
        match state {
            ContactState::Requested | ContactState::Paused => self.hold(portal, state).await,
            _ => Ok(Outcome::nothing()),
        }
    }

    async fn hold(&self, portal: &PortalKey, state: ContactState) -> Result<Outcome, Failure> {
        let held = self.ports.storage.held(portal).await?;
        let now = self.ports.clock.now();
        if held >= limits::HELD_MESSAGES_MAX {
            return Ok(match state {
                // Somebody whom the person wants to hear, later.
                ContactState::Paused => Outcome::wait(now + limits::millis(limits::HELD_WAIT)),
                _ => Outcome::nothing(),
            });
        }
        // Affirmed in the same commit: an approval meanwhile must not leave it behind.
        let (from, portal) = (state, portal.clone());
        let affirmed = Change::ContactMoved { portal: portal.clone(), from, to: from, at: now };
        Ok(Outcome::Move { lane: Lane::Held(portal), changes: vec![affirmed] })
    }
}
