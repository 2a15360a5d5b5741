//! What the person of a portal read: the contact is told of it, once.

use super::{commit::commit, hints::Hints, outcome::Outcome, ports::Ports};
use crate::{
    domain::{
        bridged::{ActAs, Direction, Message, Portal},
        ids::{Lane, PortalKey, RemoteAddress, RemoteMessageId},
        item::{Destination, OutboundReceipt, OutboundReceiptKind, OutboxItem, ReadUpTo},
        limits::{self, READ_LOOK_BACK, READ_RECEIPT_MESSAGES_MAX},
    },
    port::{Failure, storage::Change},
};

#[derive(Debug)]
pub(crate) struct Reading {
    ports: Ports,
    hints: Hints,
}

impl Reading {
    pub(crate) fn new(ports: Ports, hints: Hints) -> Self {
        Self { ports, hints }
    }

    /// The person read the room up to some events.
    pub(crate) async fn read(&self, key: &PortalKey, read: &ReadUpTo) -> Result<Outcome, Failure> {
        let portal = self.ports.storage.portal(key).await?;
        // The room of a portal that has moved shows messages that the new one does not.
        let Some(portal) = portal.filter(|portal| portal.room.as_ref() == Some(&read.room)) else {
            return Ok(Outcome::nothing());
        };
        if self.outruns(key, read).await? {
            let until = self.ports.clock.now() + limits::millis(limits::EVENT_WAIT);
            return Ok(Outcome::wait(until));
        }
        let aloud = self.ports.storage.contact(key).await?.may_send()
            && !self.ports.storage.contact_keys(key).await?.are_pending()
            && self.ports.storage.choices(&key.login).await?.read_receipts;
        for event in &read.events {
            if let Some(message) = self.last_message(&portal, read, event).await? {
                self.tell(key, &message.remote_id, aloud).await?;
            }
        }
        Ok(Outcome::nothing())
    }

    /// Whether the person was faster than we: the homeserver had shown them an event before we wrote down
    /// that it is the message. Then its row still waits in the outbox of the same lane.
    async fn outruns(&self, key: &PortalKey, read: &ReadUpTo) -> Result<bool, Failure> {
        let (storage, lane) = (&self.ports.storage, Lane::Portal(key.clone()));
        for event in &read.events {
            if storage.message_by_event(&read.room, event).await?.is_none() {
                return Ok(storage.outbox_next(&lane, &Destination::Homeserver).await?.is_some());
            }
        }
        Ok(false)
    }

    /// The last message of the contact up to an event, whatever that event is: people read notices,
    /// reactions and their own messages as well.
    async fn last_message(
        &self,
        portal: &Portal,
        read: &ReadUpTo,
        event: &ruma::EventId,
    ) -> Result<Option<Message>, Failure> {
        let (storage, room) = (&self.ports.storage, &read.room);
        let theirs = |message: &Message| message.direction == Direction::ToMatrix;
        // Of several events, the last one must be read.
        let whole = |message: &Message| message.event.as_deref() == Some(event);
        let known = storage.message_by_event(room, event).await?;
        if let Some(known) = known.filter(theirs).filter(whole) {
            return Ok(Some(known));
        }
        let ghost = ActAs::Ghost(portal.key.ghost.clone());
        let homeserver = &self.ports.homeserver;
        for before in homeserver.messages_before(&ghost, room, event, READ_LOOK_BACK).await? {
            let known = storage.message_by_event(room, &before).await?;
            let whole = |message: &Message| message.event.as_ref() == Some(&before);
            if let Some(known) = known.filter(theirs).filter(whole) {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// Receipts for everything up to a message that was not told yet. Each is committed with the
    /// memory of it; a crash between two leaves the rest to the repetition. What is read while the
    /// person tells nobody is remembered as well: it must not be told when they change their mind.
    async fn tell(
        &self,
        key: &PortalKey,
        last: &RemoteMessageId,
        aloud: bool,
    ) -> Result<(), Failure> {
        let Some(ghost) = self.ports.storage.ghost(&key.ghost).await? else { return Ok(()) };
        loop {
            let limit = READ_RECEIPT_MESSAGES_MAX;
            let messages = self.ports.storage.unread_up_to(key, last, limit).await?;
            if messages.is_empty() {
                return Ok(());
            }
            let receipt = OutboundReceipt {
                login: key.login.clone(),
                to: RemoteAddress { user: ghost.remote.clone(), device: 0 },
                messages: messages.clone(),
                kind: OutboundReceiptKind::Read,
            };
            let mut changes = vec![Change::MessagesRead { portal: key.clone(), messages }];
            if aloud {
                let (lane, item) = (Lane::Portal(key.clone()), OutboxItem::Receipt(receipt));
                changes.push(Change::OutboxAdded { lane, item });
            }
            commit(&self.ports, &self.hints, changes).await?;
        }
    }
}
