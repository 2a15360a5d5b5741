//! Messages and receipts from a client, brought to the router. It must not know connections.

use bytes::Bytes;
use causeway_wire::{
    jid::Jid,
    stanza::{Enc, EncKind, MessageStanza, ReceiptKind, ReceiptStanza},
};

use super::{keys, reaction::Reaction};
use crate::{
    clock,
    network::Network,
    router::{MessageDraft, ReceiptDraft, Refusal},
    world::{AccountId, DeviceKey, World, mailbox::Envelope, mailbox::RetryRequest},
};

/// Routes a message and acknowledges it once it is stored, or refuses it.
pub(crate) fn message(
    network: &Network,
    from: DeviceKey,
    stanza: MessageStanza,
    category: Option<String>,
) -> Reaction {
    let mut ack = stanza.ack();
    let draft = network.with(|world| draft_of(world, from, stanza, category));
    let result = draft.and_then(|draft| network.send_message(from, draft));
    match result {
        Ok(()) => ack.timestamp_s = Some(clock::now_s()),
        Err(refusal) => {
            tracing::info!(%refusal, "a message was refused");
            ack.error = Some(refusal.code());
        }
    }
    Reaction::reply(ack.into_node())
}

fn draft_of(
    world: &World,
    from: DeviceKey,
    stanza: MessageStanza,
    category: Option<String>,
) -> Result<MessageDraft, Refusal> {
    let to = stanza.route.to.as_ref().ok_or(Refusal::Malformed)?;
    let account = world.account_named(to).ok_or(Refusal::Unknown)?;
    let mut envelopes = Vec::new();
    for enc in stanza.encs {
        let key = world.resolve(from, to).ok_or(Refusal::Unknown)?;
        envelopes.push((key, envelope(enc)));
    }
    for participant in stanza.participants {
        // A device that was unlinked meanwhile is no reason to refuse the others.
        let Some(key) = world.resolve(from, &participant.to) else { continue };
        envelopes.extend(participant.encs.into_iter().map(|enc| (key, envelope(enc))));
    }
    Ok(MessageDraft {
        id: stanza.id,
        to: account,
        kind: stanza.kind,
        edit: stanza.edit.map(|edit| edit.to_string()),
        category,
        envelopes,
        device_identity: stanza.device_identity.map(Bytes::from),
    })
}

fn envelope(enc: Enc) -> Envelope {
    let kind = match &enc.kind {
        EncKind::PreKeyMessage => "pkmsg".to_owned(),
        EncKind::Message => "msg".to_owned(),
        other => other.as_str().to_owned(),
    };
    Envelope {
        kind,
        body: enc.ciphertext.into(),
        count: enc.count,
        media_type: enc.media_type,
        decrypt_fail: enc.hide_failure.then(|| "hide".to_owned()),
    }
}

/// Routes a receipt and acknowledges it. One for nobody is acknowledged too, or the client would repeat it for ever.
pub(crate) fn receipt(network: &Network, from: DeviceKey, stanza: ReceiptStanza) -> Reaction {
    let ack = stanza.ack();
    let to = network.with(|world| {
        let to = stanza.route.to.as_ref()?;
        world.resolve(from, to).or_else(|| whole_account(world, to))
    });
    let kind = stanza.kind.as_str().map(str::to_owned);
    let retry = match stanza.kind {
        ReceiptKind::Retry(retry) => Some(RetryRequest {
            count: retry.count,
            message_id: stanza.id.clone(),
            message_t: retry.message_timestamp_s,
            registration_id: retry.registration_id,
            keys: retry.keys.map(keys::from_wire),
        }),
        ReceiptKind::Delivered
        | ReceiptKind::Read
        | ReceiptKind::Played
        | ReceiptKind::Other(_) => None,
    };
    // Without an addressee it still says that the messages arrived here.
    let to = to.unwrap_or(from);
    network.send_receipt(
        from,
        ReceiptDraft { id: stanza.id, to, kind, more_ids: stanza.more_ids, retry },
    );
    Reaction::reply(ack.into_node())
}

fn whole_account(world: &World, jid: &Jid) -> Option<DeviceKey> {
    let account: AccountId = world.account_named(jid)?;
    Some(DeviceKey::primary(account))
}
