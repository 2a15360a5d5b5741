//! What the server says about the connection itself: `<success>`, `<failure>`, `<stream:error>` and
//! `<ib>` (network facts 3.5).

use super::{StanzaError, field};
use crate::{
    jid::Jid,
    node::{Node, Value},
};

/// `<success …/>`: logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuccessStanza {
    /// The server's time, in seconds of Unix time.
    pub timestamp_s: Option<u64>,
    /// Our own LID, for ordinary people.
    pub lid: Option<Jid>,
    /// The other attributes.
    pub more: Vec<(String, Value)>,
}

/// `<failure reason/>`: not logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureStanza {
    /// 401 logged out, 402 banned for a time, 403 gone, 405 outdated, 413 and 414 a bad token, 500 and
    /// 503 trouble on their side.
    pub reason: u16,
}

/// `<stream:error …>`: the server ends the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// With a code: 515 reconnect, 401 logged out, 503 trouble on their side.
    Code(u16),
    /// Someone else took our place (`replaced`) or removed us.
    Conflict {
        /// Which of these.
        kind: String,
    },
    /// For a reason not known here.
    Other(Node),
}

/// `<ib>` with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IbStanza {
    /// In order.
    pub items: Vec<IbItem>,
}

/// One child of an `<ib>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IbItem {
    /// What waits for us.
    OfflinePreview(OfflinePreview),
    /// All that waited has been sent.
    Offline {
        /// How many stanzas those were.
        count: u32,
    },
    /// The client is ready for so many of the stanzas that wait.
    OfflineBatch {
        /// How many.
        count: u32,
    },
    /// What to put before the header of the next connection.
    EdgeRouting {
        /// The bytes of the routing prefix.
        routing: Vec<u8>,
    },
    /// Anything else.
    Other(Node),
}

/// How many stanzas of each kind wait for us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfflinePreview {
    /// In all.
    pub count: u32,
    /// Messages.
    pub message: u32,
    /// Receipts.
    pub receipt: u32,
    /// Notifications.
    pub notification: u32,
    /// Application state.
    pub appdata: u32,
}

impl SuccessStanza {
    /// Odd attributes do not make a login fail: what is not understood stays in `more`.
    pub(super) fn parse(node: &Node) -> Self {
        let mut success = Self::default();
        for (name, value) in &node.attrs {
            match name.as_str() {
                "t" if node.attr_number("t").is_some() => {
                    success.timestamp_s = node.attr_number("t");
                }
                "lid" if value.to_jid().is_ok() => success.lid = value.to_jid().ok(),
                _ => success.more.push((name.clone(), value.clone())),
            }
        }
        success
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let node = Node::new("success").attr_opt("t", self.timestamp_s).attr_opt("lid", self.lid);
        self.more.into_iter().fold(node, |node, (name, value)| node.attr(&name, value))
    }
}

impl FailureStanza {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self { reason: field::number(node, "reason", "reason of a failure")? })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        Node::new("failure").attr("reason", self.reason)
    }
}

impl StreamError {
    pub(super) fn parse(node: &Node) -> Self {
        let code = node.attr_number("code").and_then(|code| code.try_into().ok());
        let conflict = node.get("conflict").and_then(|conflict| conflict.attr_text("type"));
        match (code, conflict) {
            (_, Some(kind)) => Self::Conflict { kind: kind.to_owned() },
            (Some(code), None) => Self::Code(code),
            (None, None) => Self::Other(node.clone()),
        }
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        match self {
            Self::Code(code) => Node::new("stream:error").attr("code", code),
            Self::Conflict { kind } => {
                Node::new("stream:error").child(Node::new("conflict").attr("type", kind))
            }
            Self::Other(node) => node,
        }
    }
}

impl IbStanza {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        let items = node.children().iter().map(IbItem::parse).collect::<Result<_, _>>()?;
        Ok(Self { items })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        Node::new("ib").with_children(self.items.into_iter().map(IbItem::into_node))
    }
}

impl IbItem {
    fn parse(node: &Node) -> Result<Self, StanzaError> {
        let count = |name| field::optional_number(node, name, "offline count");
        Ok(match node.tag.as_str() {
            "offline_preview" => Self::OfflinePreview(OfflinePreview {
                count: count("count")?.unwrap_or_default(),
                message: count("message")?.unwrap_or_default(),
                receipt: count("receipt")?.unwrap_or_default(),
                notification: count("notification")?.unwrap_or_default(),
                appdata: count("appdata")?.unwrap_or_default(),
            }),
            "offline" => Self::Offline { count: count("count")?.unwrap_or_default() },
            "offline_batch" => Self::OfflineBatch { count: count("count")?.unwrap_or_default() },
            "edge_routing" => match node.get("routing_info").and_then(Node::content_bytes) {
                Some(routing) => Self::EdgeRouting { routing: routing.to_vec() },
                None => Self::Other(node.clone()),
            },
            _ => Self::Other(node.clone()),
        })
    }

    fn into_node(self) -> Node {
        match self {
            Self::OfflinePreview(preview) => Node::new("offline_preview")
                .attr("count", preview.count)
                .attr("message", preview.message)
                .attr("receipt", preview.receipt)
                .attr("notification", preview.notification)
                .attr("appdata", preview.appdata),
            Self::Offline { count } => Node::new("offline").attr("count", count),
            Self::OfflineBatch { count } => Node::new("offline_batch").attr("count", count),
            Self::EdgeRouting { routing } => {
                Node::new("edge_routing").child(Node::new("routing_info").bytes(routing))
            }
            Self::Other(node) => node,
        }
    }
}
