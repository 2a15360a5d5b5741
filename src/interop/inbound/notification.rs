//! `<notification>`: news of the server about our prekeys or a peer's identity (network facts 3.6).

use causeway_wire::stanza::{NotificationBody, NotificationStanza};

use super::{Context, Turn, address, reference};
use crate::port::network::Inbound;

pub(super) fn read(stanza: &NotificationStanza, context: &Context<'_>) -> Turn {
    let ack = stanza.ack();
    match &stanza.body {
        // Nothing is lost with it: the count is asked again on every connection.
        NotificationBody::PreKeysLow { count } => {
            Turn::HandOnAnswered(Inbound::PreKeysLow { left: *count }, ack.into_node())
        }
        NotificationBody::IdentityChanged => {
            let from = stanza.route.from.as_ref().and_then(address);
            match (from, reference(ack.clone(), context)) {
                (Some(from), Some(stanza)) => {
                    Turn::HandOn(Inbound::IdentityChanged { stanza, user: from.user })
                }
                _ => Turn::Answer(ack.into_node()),
            }
        }
        NotificationBody::Other { kind: _, content: _ } => {
            tracing::debug!("a notification of no interest");
            Turn::Answer(ack.into_node())
        }
    }
}
