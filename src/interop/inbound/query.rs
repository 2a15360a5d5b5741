//! `<iq type="get|set">`: what the network asks of us. It may ask whether we are alive; we serve
//! nothing else, and say so as the network itself would.

use causeway_wire::{
    node::Content,
    stanza::{IqBody, IqStanza},
};

use super::Turn;

const PING: &str = "urn:xmpp:ping";
const NOT_IMPLEMENTED: (u16, &str) = (501, "feature-not-implemented");

pub(super) fn read(iq: &IqStanza) -> Turn {
    match &iq.body {
        IqBody::Get { xmlns, .. } if xmlns == PING => {
            Turn::Answer(iq.answer(Content::Empty).into_node())
        }
        IqBody::Get { .. } | IqBody::Set { .. } => {
            let (code, text) = NOT_IMPLEMENTED;
            Turn::Answer(iq.refuse(code, text).into_node())
        }
        IqBody::Result(_) | IqBody::Error(_) => Turn::Ignore("an answer that nobody waits for"),
    }
}
