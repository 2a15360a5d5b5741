//! Stanzas: what nodes mean, for both ends.
//!
//! [`Stanza::parse`] is total. A stanza that we do not know is kept as its node; one that we know but
//! that is not well formed keeps what is needed to refuse it politely. Every family has its own
//! file, with `parse` for arrivals and `into_node` for departures. Nothing here decides anything.

mod ack;
mod ephemeral;
mod field;
pub mod interop;
mod iq;
pub mod keys;
mod message;
mod notification;
pub mod prekeys;
mod query;
mod receipt;
mod session;
#[cfg(test)]
mod tests;
pub mod usync;

use std::fmt;

pub use ack::{AckClass, AckStanza, nack};
pub use ephemeral::{ChatState, ChatstateStanza, PresenceStanza};
pub use iq::{IqBody, IqError, IqStanza};
pub use message::{Enc, EncKind, MessageStanza, Participant};
pub use notification::{NotificationBody, NotificationStanza};
pub use query::Query;
pub use receipt::{ReceiptKind, ReceiptStanza, Retry};
pub use session::{FailureStanza, IbItem, IbStanza, OfflinePreview, StreamError, SuccessStanza};

use crate::{
    jid::Jid,
    node::{Content, Node, Value},
};

/// One stanza, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stanza {
    /// An encrypted message.
    Message(MessageStanza),
    /// The transport's acknowledgement of a stanza.
    Ack(AckStanza),
    /// What became of a message at the other side.
    Receipt(ReceiptStanza),
    /// A query or its answer.
    Iq(IqStanza),
    /// The login succeeded.
    Success(SuccessStanza),
    /// The login was refused.
    Failure(FailureStanza),
    /// The server ends the connection and says why.
    StreamError(StreamError),
    /// The other side has closed its stream.
    StreamEnd,
    /// News of the server about the connection itself.
    Ib(IbStanza),
    /// News of the server about the account or a peer.
    Notification(NotificationStanza),
    /// Typing.
    Chatstate(ChatstateStanza),
    /// Availability.
    Presence(PresenceStanza),
    /// Of a known family, but not well formed.
    Malformed(Malformed),
    /// Of no family known here.
    Unknown(Node),
}

/// What a stanza lacks to be understood. It names the place, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed stanza: {what}")]
pub struct StanzaError {
    /// What was looked for.
    pub what: &'static str,
}

/// A stanza that could not be understood, with what it takes to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its tag, which is also the class of its acknowledgement.
    pub tag: String,
    /// Its id, if it had one.
    pub id: Option<String>,
    /// Its type, if it had one.
    pub kind: Option<String>,
    /// Between whom it was, as far as that could be read.
    pub route: Route,
    /// What it lacks.
    pub error: StanzaError,
}

/// Between whom a stanza is. What a client receives has `from`, what it sends has `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The sender.
    pub from: Option<Jid>,
    /// The addressee.
    pub to: Option<Jid>,
    /// Whose device or message it is about, within `from` or `to`.
    pub participant: Option<Jid>,
}

/// A text that names or identifies a person, so that `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Personal(pub String);

impl Stanza {
    /// Gives a node its meaning.
    pub fn parse(node: Node) -> Self {
        let parsed = match node.tag.as_str() {
            "message" => MessageStanza::parse(&node).map(Self::Message),
            "ack" => AckStanza::parse(&node).map(Self::Ack),
            "receipt" => ReceiptStanza::parse(&node).map(Self::Receipt),
            "iq" => IqStanza::parse(&node).map(Self::Iq),
            "success" => Ok(Self::Success(SuccessStanza::parse(&node))),
            "failure" => FailureStanza::parse(&node).map(Self::Failure),
            "stream:error" => Ok(Self::StreamError(StreamError::parse(&node))),
            "xmlstreamend" => Ok(Self::StreamEnd),
            "ib" => IbStanza::parse(&node).map(Self::Ib),
            "notification" => NotificationStanza::parse(&node).map(Self::Notification),
            "chatstate" => ChatstateStanza::parse(&node).map(Self::Chatstate),
            "presence" => PresenceStanza::parse(&node).map(Self::Presence),
            _ => return Self::Unknown(node),
        };
        parsed.unwrap_or_else(|error| Self::Malformed(Malformed::new(&node, error)))
    }
}

impl Malformed {
    fn new(node: &Node, error: StanzaError) -> Self {
        let jid = |name| node.attr_jid(name).ok().flatten();
        Self {
            tag: node.tag.clone(),
            id: node.attr_text("id").map(str::to_owned),
            kind: node.attr_text("type").map(str::to_owned),
            route: Route { from: jid("from"), to: jid("to"), participant: jid("participant") },
            error,
        }
    }

    /// The refusal that the sender expects: an ack with one of the codes of [`nack`], or for a query
    /// the answer 400. `None` where none is expected or can be addressed.
    pub fn refuse(&self, error: u16) -> Option<Node> {
        let (id, route) = (self.id.clone()?, self.route.clone());
        match (self.tag.as_str(), self.kind.as_deref()) {
            ("message" | "receipt" | "notification", kind) => {
                route.peer()?;
                let ack = AckStanza {
                    kind: kind.map(str::to_owned),
                    error: Some(error),
                    ..AckStanza::new(AckClass::parse(&self.tag), id, route.reply())
                };
                Some(ack.into_node())
            }
            ("iq", Some("get" | "set")) => {
                let query = IqStanza { id, route, body: IqBody::Result(Content::Empty) };
                Some(query.refuse(400, "bad-request").into_node())
            }
            _ => None,
        }
    }
}

impl Route {
    /// Towards `to`.
    pub fn to(to: Jid) -> Self {
        Self { to: Some(to), ..Self::default() }
    }

    /// Coming from `from`.
    pub fn from(from: Jid) -> Self {
        Self { from: Some(from), ..Self::default() }
    }

    /// The other side: who sent this, or else to whom it goes.
    pub fn peer(&self) -> Option<&Jid> {
        self.from.as_ref().or(self.to.as_ref())
    }

    /// The way back: what came from someone goes to them.
    #[must_use]
    pub fn reply(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone(), participant: self.participant.clone() }
    }

    fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            from: field::optional_jid(node, "from", "sender")?,
            to: field::optional_jid(node, "to", "addressee")?,
            participant: field::optional_jid(node, "participant", "participant")?,
        })
    }

    /// As [`Route::parse`], for stanzas that are between someone.
    fn parse_addressed(node: &Node) -> Result<Self, StanzaError> {
        let route = Self::parse(node)?;
        match route.peer() {
            Some(_) => Ok(route),
            None => Err(StanzaError { what: "sender or addressee" }),
        }
    }

    fn write(self, node: Node) -> Node {
        node.attr_opt("from", self.from)
            .attr_opt("to", self.to)
            .attr_opt("participant", self.participant)
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<Personal> for Value {
    fn from(text: Personal) -> Self {
        Self::Text(text.0)
    }
}
