//! `<receipt id from|to [type] …>`: what became of messages at the other side, and requests to send
//! one again (network facts 3.7).

use super::{
    AckClass, AckStanza, Route, StanzaError, field,
    keys::{self, Bundle},
};
use crate::{jid::Jid, node::Node};

/// The version of the `<retry>` element.
const RETRY_VERSION: u16 = 1;

/// A receipt for one or more messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptStanza {
    /// The id of the stanza, which is also that of the first message.
    pub id: String,
    /// The ids of further messages that it is for.
    pub more_ids: Vec<String>,
    /// Between whom.
    pub route: Route,
    /// For receipts of our own other devices: with whom the chat is.
    pub recipient: Option<Jid>,
    /// What became of the messages.
    pub kind: ReceiptKind,
    /// When, in seconds of Unix time.
    pub timestamp_s: Option<u64>,
    /// Set when it waited for us: how many offline stanzas there are.
    pub offline: Option<u32>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptKind {
    /// It has arrived.
    Delivered,
    /// It has been read.
    Read,
    /// Its voice or video has been played.
    Played,
    /// It could not be decrypted; send it again.
    Retry(Retry),
    /// Anything else: `inactive`, `sender`, `read-self` …
    Other(String),
}

/// A request to send a message again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which attempt failed, from 1.
    pub count: u32,
    /// When the message was sent, in seconds of Unix time.
    pub message_timestamp_s: Option<u64>,
    /// The registration id of the device that asks.
    pub registration_id: u32,
    /// New keys, for a new session.
    pub keys: Option<Bundle>,
}

impl ReceiptStanza {
    /// A receipt for one message.
    pub fn new(id: impl Into<String>, route: Route, kind: ReceiptKind) -> Self {
        Self {
            id: id.into(),
            more_ids: Vec::new(),
            route,
            recipient: None,
            kind,
            timestamp_s: None,
            offline: None,
        }
    }

    /// The ids of all messages that it is for.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.more_ids).map(String::as_str)
    }

    /// The acknowledgement of this receipt.
    pub fn ack(&self) -> AckStanza {
        AckStanza {
            kind: self.kind.as_str().map(str::to_owned),
            ..AckStanza::new(AckClass::Receipt, self.id.clone(), self.route.reply())
        }
    }

    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        let id = field::text(node, "id", "id of a receipt")?;
        let items = node.get("list").map_or(&[][..], Node::children);
        let more_ids = items
            .iter()
            .filter(|item| item.tag == "item")
            .map(|item| field::text(item, "id", "id of a receipt's item"))
            .filter(|item| item.as_ref() != Ok(&id))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            more_ids,
            route: Route::parse_addressed(node)?,
            recipient: field::optional_jid(node, "recipient", "recipient")?,
            kind: ReceiptKind::parse(node)?,
            timestamp_s: field::lenient_number(node, "t"),
            offline: field::offline(node),
            id,
        })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let node = Node::new("receipt").attr("id", self.id.as_str());
        let node = self
            .route
            .write(node)
            .attr_opt("recipient", self.recipient)
            .attr_opt("type", self.kind.as_str())
            .attr_opt("t", self.timestamp_s)
            .attr_opt("offline", self.offline);
        let items = (!self.more_ids.is_empty()).then(|| {
            let items = self.more_ids.into_iter().map(|id| Node::new("item").attr("id", id));
            Node::new("list").with_children(items)
        });
        let node = node.with_children(items);
        match self.kind {
            ReceiptKind::Retry(retry) => retry.write(node, &self.id),
            ReceiptKind::Delivered
            | ReceiptKind::Read
            | ReceiptKind::Played
            | ReceiptKind::Other(_) => node,
        }
    }
}

impl ReceiptKind {
    fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(match node.attr_text("type") {
            None => Self::Delivered,
            Some("read") => Self::Read,
            Some("played") => Self::Played,
            Some("retry") => Self::Retry(Retry::parse(node)?),
            Some(other) => Self::Other(other.to_owned()),
        })
    }

    /// The type as it is written; `None` for delivered, which has none.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Read => Some("read"),
            Self::Played => Some("played"),
            Self::Retry(_) => Some("retry"),
            Self::Other(kind) => Some(kind),
        }
    }
}

impl Retry {
    fn parse(receipt: &Node) -> Result<Self, StanzaError> {
        let retry = field::child(receipt, "retry", "retry of a receipt")?;
        let registration_id = keys::registration_of(receipt)?;
        let bundle = receipt.get("keys").map(|node| Bundle::parse(node, registration_id));
        Ok(Self {
            count: field::number(retry, "count", "count of a retry")?,
            message_timestamp_s: field::lenient_number(retry, "t"),
            registration_id,
            keys: bundle.transpose()?,
        })
    }

    fn write(self, receipt: Node, id: &str) -> Node {
        let retry = Node::new("retry")
            .attr("count", self.count)
            .attr("id", id)
            .attr_opt("t", self.message_timestamp_s)
            .attr("v", RETRY_VERSION);
        receipt
            .child(retry)
            .child(keys::registration_node(self.registration_id))
            .with_children(self.keys.map(|bundle| bundle.write(Node::new("keys"))))
    }
}
