//! `<iq id type …>`: queries and their answers. What a query asks is [`super::Query`]'s business.

use super::{Route, StanzaError, field};
use crate::{
    jid::Jid,
    node::{Content, Node},
};

/// A query or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IqStanza {
    /// The asker's id, repeated in the answer.
    pub id: String,
    /// Between whom; usually with the network itself.
    pub route: Route,
    /// What it asks or answers.
    pub body: IqBody,
}

/// What an `<iq>` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IqBody {
    /// Asks for something.
    Get {
        /// The namespace that gives `content` its meaning.
        xmlns: String,
        /// What is asked for.
        content: Content,
    },
    /// Changes something.
    Set {
        /// The namespace that gives `content` its meaning.
        xmlns: String,
        /// What is to change.
        content: Content,
    },
    /// The answer.
    Result(Content),
    /// The refusal.
    Error(IqError),
}

/// Why a query, or one item of it, was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network refused: {code} {text}")]
pub struct IqError {
    /// As HTTP's: 400, 403, 404, 500 …
    pub code: u16,
    /// `bad-request`, `forbidden`, `item-not-found`, `internal-server-error` …
    pub text: String,
}

impl IqStanza {
    /// A question to the network.
    pub fn get(id: impl Into<String>, xmlns: &str, content: Content) -> Self {
        Self::to_network(id, IqBody::Get { xmlns: xmlns.to_owned(), content })
    }

    /// A change asked of the network.
    pub fn set(id: impl Into<String>, xmlns: &str, content: Content) -> Self {
        Self::to_network(id, IqBody::Set { xmlns: xmlns.to_owned(), content })
    }

    /// The answer to this query.
    #[must_use]
    pub fn answer(&self, content: Content) -> Self {
        let route = self.answer_route();
        Self { id: self.id.clone(), route, body: IqBody::Result(content) }
    }

    /// The refusal of this query.
    #[must_use]
    pub fn refuse(&self, code: u16, text: &str) -> Self {
        let error = IqError { code, text: text.to_owned() };
        Self { id: self.id.clone(), route: self.answer_route(), body: IqBody::Error(error) }
    }

    fn to_network(id: impl Into<String>, body: IqBody) -> Self {
        Self { id: id.into(), route: Route::to(Jid::network()), body }
    }

    /// Queries without an addressee are to the network.
    fn answer_route(&self) -> Route {
        let Route { from, to, participant: _ } = self.route.reply();
        Route { from: from.or_else(|| Some(Jid::network())), to, participant: None }
    }

    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        let xmlns = || field::text(node, "xmlns", "namespace of a query");
        let content = || node.content.clone();
        let body = match node.attr_text("type") {
            Some("get") => IqBody::Get { xmlns: xmlns()?, content: content() },
            Some("set") => IqBody::Set { xmlns: xmlns()?, content: content() },
            Some("result") => IqBody::Result(content()),
            Some("error") => {
                let error = field::child(node, "error", "error of a refusal")?;
                IqBody::Error(IqError::parse(error)?)
            }
            _ => return Err(StanzaError { what: "type of an iq" }),
        };
        Ok(Self { id: field::text(node, "id", "id of an iq")?, route: Route::parse(node)?, body })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let (kind, xmlns, content) = match self.body {
            IqBody::Get { xmlns, content } => ("get", Some(xmlns), content),
            IqBody::Set { xmlns, content } => ("set", Some(xmlns), content),
            IqBody::Result(content) => ("result", None, content),
            IqBody::Error(error) => ("error", None, Content::Nodes(vec![error.into_node()])),
        };
        let node = Node::new("iq").attr("id", self.id).attr("type", kind);
        let mut node = self.route.write(node).attr_opt("xmlns", xmlns);
        node.content = content;
        node
    }
}

impl IqBody {
    /// The answer, or the refusal as an error; a query is no answer.
    pub fn into_answer(self) -> Result<Result<Content, IqError>, StanzaError> {
        match self {
            Self::Result(content) => Ok(Ok(content)),
            Self::Error(error) => Ok(Err(error)),
            Self::Get { .. } | Self::Set { .. } => Err(StanzaError { what: "answer to a query" }),
        }
    }
}

impl IqError {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            code: field::number(node, "code", "code of an error")?,
            text: field::optional_text(node, "text").unwrap_or_default(),
        })
    }

    pub(super) fn into_node(self) -> Node {
        Node::new("error").attr("code", self.code).attr("text", self.text)
    }
}
