//! What a stanza of a logged-in client brings about: which family it is of, and what is answered. It must not know
//! connections.

use causeway_wire::{
    node::Node,
    stanza::{AckClass, AckStanza, Malformed, Stanza, nack},
};

use super::{
    messages, query,
    reaction::{End, Reaction},
    typing,
};
use crate::{
    network::Network,
    world::{DeviceKey, mailbox::Class},
};

/// Reacts.
pub(crate) fn react(network: &Network, key: DeviceKey, node: Node) -> Reaction {
    // Baileys marks its own devices' extra data with attributes that the typed stanza does not keep.
    let category = node.attr_text("category").map(str::to_owned);
    match Stanza::parse(node) {
        Stanza::Message(message) => messages::message(network, key, message, category),
        Stanza::Receipt(receipt) => messages::receipt(network, key, receipt),
        Stanza::Ack(ack) => acknowledge(network, key, &ack),
        Stanza::Iq(iq) => query::answer(network, key, &iq),
        Stanza::StreamEnd => Reaction { end: Some(End::Closing), ..Reaction::default() },
        Stanza::Malformed(malformed) => refuse(&malformed),
        Stanza::Chatstate(chatstate) => typing::chatstate(network, key, &chatstate),
        // Presence reaches nobody here; the others are a server's to send.
        Stanza::Presence(_)
        | Stanza::Ib(_)
        | Stanza::Success(_)
        | Stanza::Failure(_)
        | Stanza::StreamError(_)
        | Stanza::Notification(_) => Reaction::default(),
        Stanza::Unknown(node) => {
            tracing::debug!(?node, "an unknown stanza");
            Reaction::default()
        }
    }
}

fn acknowledge(network: &Network, key: DeviceKey, ack: &AckStanza) -> Reaction {
    let class = match ack.class {
        AckClass::Message => Class::Message,
        AckClass::Receipt => Class::Receipt,
        AckClass::Notification => Class::Notification,
        AckClass::Other(_) => return Reaction::default(),
    };
    if let Some(error) = ack.error {
        tracing::info!(error, "a client could not do anything with a stanza");
    }
    network.with(|world| world.acknowledge(key, class, &ack.id));
    Reaction::default()
}

fn refuse(malformed: &Malformed) -> Reaction {
    tracing::info!(error = %malformed.error, tag = malformed.tag, "a malformed stanza");
    Reaction {
        replies: malformed.refuse(nack::PARSING_ERROR).into_iter().collect(),
        ..Reaction::default()
    }
}
