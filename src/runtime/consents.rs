//! Moves contacts from one state of consent to another: one commit of the new state, a line in the
//! ledger, and what becomes of what was held.

use ruma::{EventId, OwnedUserId, UserId};

use super::{commit::commit, hints::Hints, ports::Ports};
use crate::{
    domain::{
        bridged::{ActAs, Contact, Timestamp},
        consent::{Act, Admission, CONSENT_TEXT_VERSION, ContactEvent, ContactState, Entry},
        ids::{GhostKey, LoginId, PortalKey},
        limits,
    },
    port::{Failure, storage::Change},
};

/// Performs what the machine of `domain::consent` decides. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Consents {
    ports: Ports,
    hints: Hints,
}

/// A move of a contact that is not committed yet.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) from: ContactState,
    pub(crate) to: ContactState,
    pub(crate) changes: Vec<Change>,
}

impl Consents {
    pub fn new(ports: Ports, hints: Hints) -> Self {
        Self { ports, hints }
    }

    pub async fn of(&self, portal: &PortalKey) -> Result<ContactState, Failure> {
        self.ports.storage.contact(portal).await
    }

    pub async fn contacts(&self, login: &LoginId) -> Result<Vec<Contact>, Failure> {
        self.ports.storage.contacts_of(login).await
    }

    /// The Matrix user who stands for a contact.
    pub fn matrix_user(&self, ghost: &GhostKey) -> OwnedUserId {
        self.ports.homeserver.user_id(&ActAs::Ghost(ghost.clone()))
    }

    /// Everything that the person agreed to, asked and took back, oldest first.
    pub async fn ledger(&self, person: &UserId) -> Result<Vec<Entry>, Failure> {
        self.ports.storage.ledger_of(person).await
    }

    /// Whether the text that the person agreed to last is the one of now.
    pub(crate) async fn has_agreed(&self, person: &UserId) -> Result<bool, Failure> {
        let ledger = self.ledger(person).await?;
        let agreed = ledger.iter().rev().find(|entry| entry.act == Act::OptedIn);
        Ok(agreed.is_some_and(|entry| entry.text_version == Some(CONSENT_TEXT_VERSION)))
    }

    /// Something happened between the person and a contact; `cause` is the person's event if it was
    /// one. Returns the state afterwards.
    pub async fn act(
        &self,
        portal: &PortalKey,
        event: ContactEvent,
        cause: Option<&EventId>,
    ) -> Result<ContactState, Failure> {
        self.act_with(portal, event, cause, |_| None).await
    }

    /// The same with a change that belongs into the commit of the move, by the state before it.
    pub(crate) async fn act_with(
        &self,
        portal: &PortalKey,
        event: ContactEvent,
        cause: Option<&EventId>,
        with: impl Fn(ContactState) -> Option<Change> + Send,
    ) -> Result<ContactState, Failure> {
        loop {
            let Move { from, to, mut changes } = self.decide(portal, event, cause).await?;
            if changes.is_empty() {
                return Ok(to);
            }
            changes.extend(with(from));
            match commit(&self.ports, &self.hints, changes).await {
                Ok(()) => {
                    self.hints.inbox().notify_one();
                    return Ok(to);
                }
                // Somebody else moved the contact meanwhile: decide anew.
                Err(failure) if self.of(portal).await? == from => return Err(failure),
                Err(_) => {}
            }
        }
    }

    /// The same, for whoever commits it together with something else.
    pub(crate) async fn decide(
        &self,
        portal: &PortalKey,
        event: ContactEvent,
        cause: Option<&EventId>,
    ) -> Result<Move, Failure> {
        let from = self.of(portal).await?;
        let to = from.after(event);
        let mut changes = Vec::new();
        if from == to {
            return Ok(Move { from, to, changes });
        }
        let Some(login) = self.ports.storage.login(&portal.login).await? else {
            return Ok(Move { from, to: from, changes });
        };
        let at = self.ports.clock.now();
        changes.push(Change::ContactMoved { portal: portal.clone(), from, to, at });
        changes.push(Change::LedgerAdded(Entry {
            person: login.person,
            login: Some(login.id),
            ghost: Some(portal.ghost.clone()),
            act: event.act(to),
            text_version: None,
            cause: cause.map(EventId::to_owned),
            at,
        }));
        match to.of_held() {
            Admission::Show => changes.push(Change::HeldReleased(portal.clone())),
            Admission::Hold => {}
            Admission::LetGo => changes.push(Change::HeldDropped(portal.clone())),
        }
        Ok(Move { from, to, changes })
    }

    /// Requests that nobody answered in time end.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<(), Failure> {
        let before = now - limits::millis(limits::REQUEST_KEPT);
        loop {
            let limit = limits::EXPIRED_AT_ONCE_MAX;
            let expired = self.ports.storage.requests_before(before, limit).await?;
            if expired.is_empty() {
                return Ok(());
            }
            for portal in expired {
                self.act(&portal, ContactEvent::TimePassed, None).await?;
            }
        }
    }
}
