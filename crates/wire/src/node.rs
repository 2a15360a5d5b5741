//! Nodes: the trees that the network sends, and their packing into bytes.
//!
//! The packing is a tagged binary form of XML over a shared token dictionary (network facts 3.4);
//! the dictionary is `wacore-binary`'s, the codec is ours because that one can neither read what an
//! interop client writes nor write what a server does (network facts B1). A node knows nothing of
//! what its tag means.

mod decode;
mod encode;
mod size;
#[cfg(test)]
mod tests;

use std::fmt;

pub use decode::decode;
pub use encode::encode;

use crate::jid::{Jid, JidError};

/// The deepest nesting, the root being level 1.
pub const MAX_DEPTH: usize = 32;
/// The most attributes of one node.
pub const MAX_ATTRS: usize = 64;
/// The most attributes of one tree.
pub const MAX_ATTRS_IN_ALL: usize = 64 * 1024;
/// The most children of one node; a client uploads 812 prekeys at once (network facts 3.6).
pub const MAX_CHILDREN: usize = 8 * 1024;
/// The most nodes of one tree.
pub const MAX_NODES: usize = 32 * 1024;
/// The most bytes that a compressed tree may inflate to.
pub const MAX_INFLATED: usize = 4 * 1024 * 1024;

/// Why bytes are no node, or a node cannot be written. It never repeats what the node held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The bytes end inside a node.
    #[error("the node is cut short")]
    CutShort,
    /// Bytes follow the tree.
    #[error("{count} bytes follow the node")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A byte that cannot stand where it stands.
    #[error("tag {tag} cannot stand here")]
    UnexpectedTag {
        /// The byte.
        tag: u8,
    },
    /// A name or text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// The compressed form is damaged or inflates to more than [`MAX_INFLATED`] bytes.
    #[error("the compressed node is damaged or larger than {MAX_INFLATED} bytes")]
    Inflate,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More than [`MAX_ATTRS`] attributes on one node.
    #[error("a node of {count} attributes, the limit is {MAX_ATTRS}")]
    TooManyAttrs {
        /// How many.
        count: usize,
    },
    /// More than [`MAX_ATTRS_IN_ALL`] attributes in all.
    #[error("a tree of more than {MAX_ATTRS_IN_ALL} attributes")]
    TooManyAttrsInAll,
    /// More than [`MAX_CHILDREN`] children of one node.
    #[error("a node of {count} children, the limit is {MAX_CHILDREN}")]
    TooManyChildren {
        /// How many.
        count: usize,
    },
    /// More than [`MAX_NODES`] nodes in all.
    #[error("a tree of more than {MAX_NODES} nodes")]
    TooManyNodes,
    /// A text or content too long for its length field.
    #[error("a value of {length} bytes cannot be written")]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
}

/// An attribute's value. On arrival a packed JID that our own type refuses becomes its text, so that
/// one odd address does not cost the whole stanza.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Any text.
    Text(String),
    /// An address, written in the emitter's [`crate::jid::JidForm`].
    Jid(Jid),
}

/// What a node holds. `Text` is written through the dictionary; text that is not in it arrives as
/// `Bytes`, so read either with [`Node::content_bytes`] or [`Node::content_text`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// Nothing.
    #[default]
    Empty,
    /// Child nodes.
    Nodes(Vec<Node>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
}

/// One node. Attributes keep their order. `Debug` shows the shape and hides what may be personal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it is.
    pub tag: String,
    /// Its attributes, in order.
    pub attrs: Vec<(String, Value)>,
    /// What it holds.
    pub content: Content,
}

impl Node {
    /// A node without attributes and content.
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), attrs: Vec::new(), content: Content::Empty }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attrs.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an attribute if there is a value for it.
    #[must_use]
    pub fn attr_opt(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Adds a child; replaces content that is not children.
    #[must_use]
    pub fn child(mut self, child: Node) -> Self {
        match &mut self.content {
            Content::Nodes(children) => children.push(child),
            Content::Empty | Content::Bytes(_) | Content::Text(_) => {
                self.content = Content::Nodes(vec![child]);
            }
        }
        self
    }

    /// Adds children; with none of them the content stays as it is.
    #[must_use]
    pub fn with_children(self, children: impl IntoIterator<Item = Node>) -> Self {
        children.into_iter().fold(self, Self::child)
    }

    /// Replaces the content with bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Bytes(bytes.into());
        self
    }

    /// Replaces the content with text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.content = Content::Text(text.into());
        self
    }

    /// The value of an attribute; the first one if the name stands twice.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.attrs.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// An attribute's text; `None` if it is absent or a packed JID.
    pub fn attr_text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::Jid(_) => None,
        }
    }

    /// An attribute's JID, packed or as text: `None` if it is absent.
    pub fn attr_jid(&self, name: &str) -> Result<Option<Jid>, JidError> {
        self.value(name).map(Value::to_jid).transpose()
    }

    /// An attribute's number, without sign; `None` if it is absent or none.
    pub fn attr_number(&self, name: &str) -> Option<u64> {
        self.attr_text(name)?.parse().ok()
    }

    /// The first child of this tag.
    pub fn get(&self, tag: &str) -> Option<&Node> {
        self.children().iter().find(|child| child.tag == tag)
    }

    /// All children.
    pub fn children(&self) -> &[Node] {
        self.content.children()
    }

    /// All children of this tag.
    pub fn children_of(&self, tag: &str) -> impl Iterator<Item = &Node> {
        self.children().iter().filter(move |child| child.tag == tag)
    }

    /// Content that is not children, as bytes.
    pub fn content_bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Text(text) => Some(text.as_bytes()),
            Content::Empty | Content::Nodes(_) => None,
        }
    }

    /// Content that is not children, as text.
    pub fn content_text(&self) -> Option<&str> {
        self.content_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

impl Content {
    /// The child nodes, none for other content.
    pub fn children(&self) -> &[Node] {
        match self {
            Self::Nodes(children) => children,
            Self::Empty | Self::Bytes(_) | Self::Text(_) => &[],
        }
    }
}

impl Value {
    /// The address that this is.
    pub fn to_jid(&self) -> Result<Jid, JidError> {
        match self {
            Self::Jid(jid) => Ok(jid.clone()),
            Self::Text(text) => text.parse(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Jid> for Value {
    fn from(jid: Jid) -> Self {
        Self::Jid(jid)
    }
}

impl From<&Jid> for Value {
    fn from(jid: &Jid) -> Self {
        Self::Jid(jid.clone())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Text(number.to_string())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        u64::from(number).into()
    }
}

/// The attributes whose values name no person and help who reads a log.
const SHOWN: [&str; 10] =
    ["id", "type", "xmlns", "class", "error", "code", "count", "reason", "t", "v"];

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, attrs, content } = self;
        write!(f, "<{tag}")?;
        for (name, value) in attrs {
            match value {
                Value::Text(text) if SHOWN.contains(&name.as_str()) => {
                    write!(f, " {name}={text:?}")?;
                }
                _ => write!(f, " {name}={value:?}")?,
            }
        }
        write!(f, " {content:?}>")
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("…"),
            Self::Jid(jid) => jid.fmt(f),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("/"),
            Self::Nodes(children) => f.debug_list().entries(children).finish(),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Text(text) => write!(f, "{} bytes of text", text.len()),
        }
    }
}
