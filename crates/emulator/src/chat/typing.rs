//! `<chatstate>`, both ways (network facts 3.7). It must not know connections.

use causeway_wire::{
    node::Node,
    stanza::{ChatState, ChatstateStanza, Route},
};

use super::{reaction::Reaction, render};
use crate::{
    network::Network,
    router::{Activity, Sign},
    world::{DeviceKey, World},
};

/// Passes it on; nobody acknowledges it.
pub(crate) fn chatstate(network: &Network, from: DeviceKey, stanza: &ChatstateStanza) -> Reaction {
    let to = stanza.route.to.as_ref();
    if let Some(to) = to.and_then(|to| network.with(|world| world.account_named(to))) {
        let activity = match stanza.state {
            ChatState::Composing => Activity::Composing,
            ChatState::Recording => Activity::Recording,
            ChatState::Paused => Activity::Paused,
        };
        network.send_typing(from, to, activity);
    }
    Reaction::default()
}

/// The stanza for one viewer.
pub(crate) fn node(world: &World, viewer: DeviceKey, sign: Sign) -> Node {
    let state = match sign.activity {
        Activity::Composing => ChatState::Composing,
        Activity::Recording => ChatState::Recording,
        Activity::Paused => ChatState::Paused,
    };
    let route = Route::from(render::account_name(world, viewer, sign.from.account));
    ChatstateStanza { route, state }.into_node()
}
