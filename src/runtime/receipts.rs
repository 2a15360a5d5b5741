//! Receipts of the network: how far our messages came, and which must be encrypted again.

use super::{
    outcome::Outcome,
    ports::Ports,
    speech::Speech,
    to_network::{Again, ToNetwork},
};
use crate::{
    domain::{
        bridged::{ActAs, Delivery, Direction, Message},
        ids::{Lane, PortalKey, RemoteMessageId},
        item::{InboundReceipt, InboundReceiptKind, OutboundRead, OutboxItem},
        limits,
        notice::Notice,
    },
    port::{
        Failure,
        storage::{Change, InboxRow},
    },
};

#[derive(Debug)]
pub(crate) struct Receipts {
    ports: Ports,
    to_network: ToNetwork,
    speech: Speech,
}

impl Receipts {
    pub(crate) fn new(ports: Ports, to_network: ToNetwork, speech: Speech) -> Self {
        Self { ports, to_network, speech }
    }

    /// One receipt stanza.
    pub(crate) async fn receipt(
        &self,
        row: &InboxRow,
        key: &PortalKey,
        receipt: &InboundReceipt,
    ) -> Result<Outcome, Failure> {
        let delivery = match receipt.kind {
            InboundReceiptKind::Delivered => Delivery::Delivered,
            InboundReceiptKind::Read => {
                let choices = self.ports.storage.choices(&key.login).await?;
                if choices.read_receipts { Delivery::Read } else { Delivery::Delivered }
            }
            InboundReceiptKind::Retry { count } => {
                return self.retry(row, key, receipt, count).await;
            }
        };
        let moved = |remote_id: &RemoteMessageId| Change::MessageDelivery {
            portal: key.clone(),
            remote_id: remote_id.clone(),
            delivery,
        };
        let mut changes: Vec<Change> = receipt.messages.iter().map(moved).collect();
        for id in &receipt.messages {
            let message = self.ports.storage.message_by_remote(key, id).await?;
            let ours = |message: &Message| message.direction == Direction::ToNetwork;
            if let Some(message) = message.filter(ours) {
                changes.extend(self.speech.delivered(key, &message).await?);
            }
        }
        if delivery == Delivery::Read {
            changes.extend(self.seen(key, receipt).await?);
        }
        Ok(Outcome::Done(changes))
    }

    /// The ghost's own receipt, at the newest of what its contact read.
    async fn seen(
        &self,
        key: &PortalKey,
        receipt: &InboundReceipt,
    ) -> Result<Option<Change>, Failure> {
        let portal = self.ports.storage.portal(key).await?;
        let room = portal.and_then(|portal| portal.room);
        let newest = self.ports.storage.newest_of(key, &receipt.messages).await?;
        let event = newest.and_then(|message| message.event);
        Ok(room.zip(event).map(|(room, event)| {
            let read = OutboundRead { reader: ActAs::Ghost(key.ghost.clone()), room, event };
            let lane = Lane::Portal(key.clone());
            Change::OutboxAdded { lane, item: OutboxItem::Read(read) }
        }))
    }

    async fn retry(
        &self,
        row: &InboxRow,
        key: &PortalKey,
        receipt: &InboundReceipt,
        count: u32,
    ) -> Result<Outcome, Failure> {
        let Some(portal) = self.ports.storage.portal(key).await? else {
            return Ok(Outcome::nothing());
        };
        // A retry receipt names one message (network facts 3.7).
        let Some(id) = receipt.messages.first() else { return Ok(Outcome::nothing()) };
        let message = self.ports.storage.message_by_remote(key, id).await?;
        let Some(message) = message.filter(|m| m.direction == Direction::ToNetwork) else {
            return Ok(Outcome::nothing());
        };
        let mut changes = Vec::new();
        if count <= limits::MESSAGE_RETRIES_MAX {
            let device = receipt.from.device;
            let again = self.to_network.again(&portal, &message, device, row.waiting()).await?;
            changes = match again {
                Again::Done(changes) => changes,
                Again::Stopped(outcome) => return Ok(outcome),
            };
        }
        if changes.is_empty() {
            tracing::warn!(row = row.id.0, count, "a contact cannot read a message of ours");
            let reason = "the contact's app could not decrypt it".to_owned();
            let notice = Notice::RefusedByNetwork { reason };
            changes.extend(self.speech.failed(key, &message, &notice).await?);
        }
        Ok(Outcome::Done(changes))
    }
}
