//! `<message>`: a Signal ciphertext from a person (network facts 2.4, 3.7).

use causeway_wire::stanza::{AckStanza, Enc, EncKind, MessageStanza, nack};

use super::{Context, Turn, address, message_id, milliseconds, reference};
use crate::{
    domain::{item::InboundMessage, limits::DISPLAY_NAME_CHARS_MAX},
    port::network::Inbound,
    signal::{Ciphertext, CiphertextKind, MAX_CIPHERTEXT_BYTES},
};

pub(super) fn read(stanza: MessageStanza, context: &Context<'_>) -> Turn {
    let ack = stanza.ack();
    let from = stanza.route.from.as_ref().and_then(address);
    let (Some(from), Some(id)) = (from, message_id(&stanza.id)) else {
        // Of a group, a broadcast, or nameless: nothing that this interface carries.
        return refuse(ack, nack::UNRECOGNIZED_STANZA);
    };
    let Some(reference) = reference(ack.clone(), context) else {
        return refuse(ack, nack::PARSING_ERROR);
    };
    let message = InboundMessage {
        id,
        from,
        sent_at: stanza.timestamp_s.map_or(context.now, milliseconds),
        display_name: stanza
            .display_name
            .as_ref()
            .map(|name| name.0.chars().take(DISPLAY_NAME_CHARS_MAX).collect::<String>())
            .filter(|name| !name.trim().is_empty()),
        ciphertext: ciphertext(stanza, context),
    };
    Turn::HandOn(Inbound::Message { stanza: reference, message })
}

fn refuse(ack: AckStanza, code: u16) -> Turn {
    Turn::Answer(AckStanza { error: Some(code), ..ack }.into_node())
}

/// The first ciphertext that is for us and that two parties can exchange.
fn ciphertext(stanza: MessageStanza, context: &Context<'_>) -> Option<Ciphertext> {
    let ours = stanza
        .participants
        .into_iter()
        .filter(|participant| participant.to.without_device() == *context.me)
        .flat_map(|participant| participant.encs);
    stanza.encs.into_iter().chain(ours).find_map(readable)
}

fn readable(enc: Enc) -> Option<Ciphertext> {
    let kind = match enc.kind {
        EncKind::PreKeyMessage => CiphertextKind::PreKey,
        EncKind::Message => CiphertextKind::Message,
        EncKind::SenderKeyMessage | EncKind::Other(_) => return None,
    };
    (enc.ciphertext.len() <= MAX_CIPHERTEXT_BYTES)
        .then_some(Ciphertext { kind, bytes: enc.ciphertext })
}
