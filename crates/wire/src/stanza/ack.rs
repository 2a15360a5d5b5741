//! `<ack class id from|to [type] [participant] [error]/>`: a stanza has been taken, or was refused
//! (network facts 3.7).

use super::{Route, StanzaError, field};
use crate::node::Node;

/// Codes with which a client refuses a stanza (network facts 3.7).
pub mod nack {
    /// The stanza could not be parsed.
    pub const PARSING_ERROR: u16 = 487;
    /// No such stanza is known.
    pub const UNRECOGNIZED_STANZA: u16 = 488;
    /// No such class is known.
    pub const UNRECOGNIZED_CLASS: u16 = 489;
    /// No such type is known.
    pub const UNRECOGNIZED_TYPE: u16 = 490;
    /// The plaintext is not the protobuf it should be.
    pub const INVALID_PROTOBUF: u16 = 491;
    /// The message was encrypted with a key already used.
    pub const OLD_COUNTER: u16 = 496;
    /// Any other failure.
    pub const UNHANDLED: u16 = 500;
}

/// What kind of stanza is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckClass {
    /// A message.
    Message,
    /// A receipt.
    Receipt,
    /// A notification.
    Notification,
    /// Anything else, by its tag.
    Other(String),
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckStanza {
    /// The id of what is acknowledged.
    pub id: String,
    /// What kind of stanza that was.
    pub class: AckClass,
    /// Between whom.
    pub route: Route,
    /// The type of what is acknowledged, repeated.
    pub kind: Option<String>,
    /// When the server took it, in seconds of Unix time.
    pub timestamp_s: Option<u64>,
    /// Why it was refused; `None` if it was not.
    pub error: Option<u16>,
}

impl AckStanza {
    /// An acknowledgement without refusal.
    pub fn new(class: AckClass, id: impl Into<String>, route: Route) -> Self {
        Self { id: id.into(), class, route, kind: None, timestamp_s: None, error: None }
    }

    /// The acknowledgement of a stanza that we do not know, so that the network stops repeating it;
    /// `None` if it has no id or no sender.
    pub fn of_unknown(node: &Node) -> Option<Self> {
        let id = node.attr_text("id")?;
        let route = Route::parse(node).ok().filter(|route| route.from.is_some())?;
        let kind = field::optional_text(node, "type");
        Some(Self { kind, ..Self::new(AckClass::parse(&node.tag), id, route.reply()) })
    }

    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            id: field::text(node, "id", "id of an ack")?,
            class: AckClass::parse(&field::text(node, "class", "class of an ack")?),
            route: Route::parse(node)?,
            kind: field::optional_text(node, "type"),
            timestamp_s: field::lenient_number(node, "t"),
            error: field::optional_number(node, "error", "error of an ack")?,
        })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let node = Node::new("ack").attr("class", self.class.as_str()).attr("id", self.id);
        self.route
            .write(node)
            .attr_opt("type", self.kind)
            .attr_opt("t", self.timestamp_s)
            .attr_opt("error", self.error)
    }
}

impl AckClass {
    pub(super) fn parse(class: &str) -> Self {
        match class {
            "message" => Self::Message,
            "receipt" => Self::Receipt,
            "notification" => Self::Notification,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The class as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::Notification => "notification",
            Self::Other(class) => class,
        }
    }
}
