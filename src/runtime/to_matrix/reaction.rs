//! A contact's reaction: an event of its own, and the redaction of the one before it.

use ruma::{EventId, RoomId};

use super::{Arrival, Effect, ToMatrix};
use crate::{
    domain::{
        bridged::{Direction, Reaction},
        ids::RemoteMessageId,
        item::{OutboundEvent, OutboxItem},
        text,
    },
    port::{Failure, storage::Change},
};

impl ToMatrix {
    /// Matrix clients neither send nor expect encrypted reactions: the relation, which holds the
    /// emoji, would be in the clear anyway.
    pub(super) async fn reaction(
        &self,
        arrival: &Arrival<'_>,
        room: &RoomId,
        target: RemoteMessageId,
        event: Option<&EventId>,
        emoji: Option<&str>,
    ) -> Result<Effect, Failure> {
        let (portal, direction) = (arrival.key.clone(), Direction::ToMatrix);
        let transaction_id = self.transaction_id("reaction", arrival.key, &arrival.message.id);
        let earlier = self.ports.storage.reaction_on(&portal, direction, &target).await?;
        let Some(emoji) = emoji else {
            let Some(redacts) = earlier else { return Ok(Effect::Changes(Vec::new())) };
            let shown = Some(arrival.shown());
            return Ok(Effect::Changes(vec![
                arrival.redaction(room, redacts, transaction_id, shown),
                Change::ReactionRemoved { portal, direction, target },
            ]));
        };
        let Some(event) = event else {
            return Ok(Effect::messages(vec![text::reaction_to_unknown(emoji)]));
        };
        let mut changes = Vec::new();
        if let Some(redacts) = earlier {
            let transaction_id = self.transaction_id("replaced", arrival.key, &redacts);
            changes.push(arrival.redaction(room, redacts, transaction_id, None));
        }
        changes.push(arrival.add(OutboxItem::Event(OutboundEvent {
            sender: arrival.sender(),
            room: room.to_owned(),
            transaction_id,
            event_type: "m.reaction".to_owned(),
            content: text::reaction(event, emoji),
            shows: Some(arrival.shown()),
        })));
        let remote_id = arrival.message.id.clone();
        changes.push(Change::ReactionSaved(Reaction { portal, direction, target, remote_id }));
        Ok(Effect::Changes(changes))
    }
}
