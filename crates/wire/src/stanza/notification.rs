//! `<notification id from type …>`: news about the account or a peer (network facts 3.6).

use super::{AckClass, AckStanza, Route, StanzaError, field};
use crate::node::{Content, Node};

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationStanza {
    /// The server's id for it.
    pub id: String,
    /// Whom it is about: the network, or a peer.
    pub route: Route,
    /// When, in seconds of Unix time.
    pub timestamp_s: Option<u64>,
    /// Set when it waited for us: how many offline stanzas there are.
    pub offline: Option<u32>,
    /// What the news is.
    pub body: NotificationBody,
}

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationBody {
    /// The server runs out of our one-time prekeys.
    PreKeysLow {
        /// How many are left.
        count: u32,
    },
    /// The peer that it comes from has a new identity key.
    IdentityChanged,
    /// Anything else, with its type.
    Other {
        /// The type.
        kind: String,
        /// What it holds.
        content: Content,
    },
}

impl NotificationStanza {
    /// The acknowledgement of this notification.
    pub fn ack(&self) -> AckStanza {
        AckStanza {
            kind: Some(self.body.kind().to_owned()),
            ..AckStanza::new(AckClass::Notification, self.id.clone(), self.route.reply())
        }
    }

    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            id: field::text(node, "id", "id of a notification")?,
            route: Route::parse_addressed(node)?,
            timestamp_s: field::lenient_number(node, "t"),
            offline: field::offline(node),
            body: NotificationBody::parse(node)?,
        })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let node = Node::new("notification").attr("id", self.id).attr("type", self.body.kind());
        let mut node = self
            .route
            .write(node)
            .attr_opt("t", self.timestamp_s)
            .attr_opt("offline", self.offline);
        node.content = self.body.into_content();
        node
    }
}

impl NotificationBody {
    fn parse(node: &Node) -> Result<Self, StanzaError> {
        let kind = field::text(node, "type", "type of a notification")?;
        if kind == "encrypt" {
            if let Some(count) = node.get("count") {
                let count = field::number(count, "value", "count of prekeys")?;
                return Ok(Self::PreKeysLow { count });
            }
            if node.get("identity").is_some() {
                return Ok(Self::IdentityChanged);
            }
        }
        Ok(Self::Other { kind, content: node.content.clone() })
    }

    fn kind(&self) -> &str {
        match self {
            Self::PreKeysLow { .. } | Self::IdentityChanged => "encrypt",
            Self::Other { kind, .. } => kind,
        }
    }

    fn into_content(self) -> Content {
        match self {
            Self::PreKeysLow { count } => {
                Content::Nodes(vec![Node::new("count").attr("value", count)])
            }
            Self::IdentityChanged => Content::Nodes(vec![Node::new("identity")]),
            Self::Other { content, .. } => content,
        }
    }
}
