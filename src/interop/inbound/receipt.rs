//! `<receipt>`: what became of messages that we sent (network facts 3.7).

use causeway_wire::stanza::{AckStanza, ReceiptKind, ReceiptStanza, nack};

use super::{Context, Turn, address, message_id, reference};
use crate::{
    domain::{
        item::{InboundReceipt, InboundReceiptKind},
        limits::RECEIPT_MESSAGES_MAX,
    },
    port::network::Inbound,
};

pub(super) fn read(stanza: &ReceiptStanza, context: &Context<'_>) -> Turn {
    let ack = stanza.ack();
    let kind = match &stanza.kind {
        ReceiptKind::Delivered => InboundReceiptKind::Delivered,
        // Whoever played a voice message has read it: Matrix has no word for more.
        ReceiptKind::Read | ReceiptKind::Played => InboundReceiptKind::Read,
        ReceiptKind::Retry(retry) => InboundReceiptKind::Retry { count: retry.count },
        ReceiptKind::Other(_) => {
            tracing::debug!(kind = ?stanza.kind, "a receipt of no interest");
            return Turn::Answer(ack.into_node());
        }
    };
    let from = stanza.route.from.as_ref().and_then(address);
    // The stanza's own id is one more.
    let few = stanza.more_ids.len() < RECEIPT_MESSAGES_MAX;
    let messages = stanza.ids().map(message_id).collect::<Option<Vec<_>>>().filter(|_| few);
    match (from, messages, reference(ack.clone(), context)) {
        (Some(from), Some(messages), Some(reference)) => Turn::HandOn(Inbound::Receipt {
            stanza: reference,
            receipt: InboundReceipt { from, messages, kind },
        }),
        _ => Turn::Answer(AckStanza { error: Some(nack::PARSING_ERROR), ..ack }.into_node()),
    }
}
