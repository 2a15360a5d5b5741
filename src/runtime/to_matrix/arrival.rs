//! A message that arrived, and what every kind of it needs to be shown.

use ruma::RoomId;

use super::ToMatrix;
use crate::{
    domain::{
        bridged::{ActAs, Direction, Login},
        ids::{Lane, PortalKey, RemoteMessageId},
        item::{InboundMessage, OutboundRedaction, OutboxItem, Shown},
    },
    port::storage::Change,
};

/// A message of a contact on its way into the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) login: &'a Login,
    pub(super) key: &'a PortalKey,
    pub(super) message: &'a InboundMessage,
}

impl Arrival<'_> {
    pub(super) fn sender(&self) -> ActAs {
        ActAs::Ghost(self.key.ghost.clone())
    }

    /// What the contact's app is told once it is shown.
    pub(super) fn shown(&self) -> Shown {
        Shown {
            login: self.login.id.clone(),
            from: self.message.from.clone(),
            id: self.message.id.clone(),
            part: None,
        }
    }

    pub(super) fn add(&self, item: OutboxItem) -> Change {
        Change::OutboxAdded { lane: Lane::Portal(self.key.clone()), item }
    }

    pub(super) fn redaction(
        &self,
        room: &RoomId,
        redacts: RemoteMessageId,
        transaction_id: String,
        shows: Option<Shown>,
    ) -> Change {
        self.add(OutboxItem::Redaction(OutboundRedaction {
            sender: self.sender(),
            room: room.to_owned(),
            transaction_id,
            portal: self.key.clone(),
            redacts,
            direction: Direction::ToMatrix,
            part: None,
            shows,
        }))
    }
}

impl ToMatrix {
    /// A redaction of one event of a message that became several.
    pub(super) fn part_redaction(
        &self,
        arrival: &Arrival<'_>,
        room: &RoomId,
        redacts: &RemoteMessageId,
        part: u32,
    ) -> Change {
        let Arrival { key, .. } = arrival;
        let number = part.to_string();
        let about = ["surplus", &key.login.0, &key.ghost.0, &redacts.0, &number];
        arrival.add(OutboxItem::Redaction(OutboundRedaction {
            sender: arrival.sender(),
            room: room.to_owned(),
            transaction_id: self.ports.namer.transaction_id(&about),
            portal: (*key).clone(),
            redacts: redacts.clone(),
            direction: Direction::ToMatrix,
            part: Some(part),
            shows: None,
        }))
    }

    /// The same for the same thing, whenever it is done.
    pub(super) fn transaction_id(
        &self,
        what: &str,
        key: &PortalKey,
        about: &RemoteMessageId,
    ) -> String {
        self.ports.namer.transaction_id(&[what, &key.login.0, &key.ghost.0, &about.0])
    }
}
