//! What comes of a stanza. It must not know any stanza.

use causeway_wire::node::Node;

/// How a stanza ends its connection.
#[derive(Debug)]
pub(crate) enum End {
    /// Without a word.
    Closing,
    /// With this last stanza.
    Saying(Node),
}

/// What comes of a stanza.
#[derive(Debug, Default)]
pub(crate) struct Reaction {
    /// To be sent back, in this order.
    pub(crate) replies: Vec<Node>,
    /// The client wants deliveries from now on, or no more.
    pub(crate) activate: Option<bool>,
    /// The connection is to end.
    pub(crate) end: Option<End>,
}

impl Reaction {
    pub(crate) fn reply(node: Node) -> Self {
        Self { replies: vec![node], ..Self::default() }
    }
}
