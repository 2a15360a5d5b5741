//! `<chatstate>`: a contact types, records, or has stopped (network facts 3.7). Nobody acknowledges
//! it.

use causeway_wire::stanza::{ChatState, ChatstateStanza};

use super::{Turn, address};
use crate::port::network::Inbound;

pub(super) fn read(stanza: &ChatstateStanza) -> Turn {
    let typing = match stanza.state {
        ChatState::Composing | ChatState::Recording => true,
        ChatState::Paused => false,
    };
    match stanza.route.from.as_ref().and_then(address) {
        Some(from) => Turn::HandOn(Inbound::Typing { user: from.user, typing }),
        None => Turn::Ignore("typing in a chat that is none of a person"),
    }
}
