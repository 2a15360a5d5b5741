//! `<chatstate>` and `<presence>`: signs of life that may be lost (network facts 3.7).

use super::{Personal, Route, StanzaError, field};
use crate::node::Node;

/// What a person does in a chat right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatState {
    /// Typing.
    Composing,
    /// Recording a voice message.
    Recording,
    /// Neither, any more.
    Paused,
}

/// `<chatstate from|to><composing/>|<paused/></chatstate>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatstateStanza {
    /// Between whom.
    pub route: Route,
    /// What the sender does.
    pub state: ChatState,
}

/// `<presence [type] [name] [from|to]/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceStanza {
    /// About whom; empty for our own.
    pub route: Route,
    /// `available`, `unavailable`, `subscribe` …; absent means available.
    pub kind: Option<String>,
    /// The name that the sender shows.
    pub name: Option<Personal>,
    /// When the person was last seen, where that is a time: seconds of Unix time.
    pub last_s: Option<u64>,
}

impl ChatstateStanza {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        let route = Route::parse_addressed(node)?;
        let state = node.children().iter().find_map(|child| match child.tag.as_str() {
            "composing" if child.attr_text("media") == Some("audio") => Some(ChatState::Recording),
            "composing" => Some(ChatState::Composing),
            "paused" => Some(ChatState::Paused),
            _ => None,
        });
        Ok(Self { route, state: state.ok_or(StanzaError { what: "state of a chatstate" })? })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let state = match self.state {
            ChatState::Composing => Node::new("composing"),
            ChatState::Recording => Node::new("composing").attr("media", "audio"),
            ChatState::Paused => Node::new("paused"),
        };
        self.route.write(Node::new("chatstate")).child(state)
    }
}

impl PresenceStanza {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            route: Route::parse(node)?,
            kind: field::optional_text(node, "type"),
            name: field::optional_text(node, "name").map(Personal),
            last_s: node.attr_number("last"),
        })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        self.route
            .write(Node::new("presence"))
            .attr_opt("type", self.kind)
            .attr_opt("name", self.name)
            .attr_opt("last", self.last_s)
    }
}
