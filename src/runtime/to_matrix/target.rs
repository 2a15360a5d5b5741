//! What earlier message something is about, and whether that is an event yet.

use ruma::{EventId, OwnedEventId};

use super::ToMatrix;
use crate::{
    domain::{
        bridged::{Direction, Message},
        ids::{Lane, PortalKey, RemoteMessageId},
        item::Destination,
    },
    port::{Failure, storage::MessagePart},
};

/// An earlier message, as it is known now.
#[derive(Debug)]
pub(super) enum Target {
    Event {
        event: OwnedEventId,
        /// Whose message it is.
        direction: Direction,
        /// The events before that one, if it took several.
        before: Vec<MessagePart>,
    },
    /// Its event is on its way to the homeserver.
    Coming,
    /// It is no event and will not be one.
    Unknown,
}

impl Target {
    pub(super) fn event(&self) -> Option<&EventId> {
        match self {
            Self::Event { event, .. } => Some(event),
            Self::Coming | Self::Unknown => None,
        }
    }

    /// The event if the contact made it, who may change nothing else.
    pub(super) fn theirs(&self) -> Option<&EventId> {
        match self {
            Self::Event { event, direction: Direction::ToMatrix, .. } => Some(event),
            _ => None,
        }
    }

    /// All events of a message of the contact, in their order.
    pub(super) fn all_of_theirs(&self) -> Vec<&EventId> {
        let before = match self {
            Self::Event { before, .. } => before.as_slice(),
            Self::Coming | Self::Unknown => &[],
        };
        let theirs = self.theirs();
        let before = before.iter().filter(|_| theirs.is_some()).map(|part| &*part.event);
        before.chain(theirs).collect()
    }

    /// The number of an event before the one that stands for the message.
    pub(super) fn number(&self, event: &EventId) -> Option<u32> {
        let Self::Event { before, .. } = self else { return None };
        before.iter().find(|part| part.event == event).map(|part| part.number)
    }
}

impl ToMatrix {
    /// Whoever was away gets a message and what is about it at once: then the message's event still
    /// waits in the outbox of the same lane, which is empty once it has been sent or set aside.
    pub(super) async fn target(
        &self,
        key: &PortalKey,
        id: &RemoteMessageId,
    ) -> Result<Target, Failure> {
        let storage = &self.ports.storage;
        let Some(mut message) = storage.message_by_remote(key, id).await? else {
            return Ok(Target::Unknown);
        };
        if message.event.is_none() {
            let lane = Lane::Portal(key.clone());
            if storage.outbox_next(&lane, &Destination::Homeserver).await?.is_some() {
                return Ok(Target::Coming);
            }
            // It may have been sent between the two questions.
            message = storage.message_by_remote(key, id).await?.unwrap_or(message);
        }
        let Message { event, direction, .. } = message;
        let Some(event) = event else { return Ok(Target::Unknown) };
        let before = match direction {
            Direction::ToMatrix => storage.message_parts(key, id).await?,
            Direction::ToNetwork => Vec::new(),
        };
        Ok(Target::Event { event, direction, before })
    }
}
