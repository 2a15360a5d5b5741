//! Reading the parts of a node that must be there, and the numbers that the network writes as bytes.

use super::StanzaError;
use crate::{jid::Jid, node::Node};

pub(super) fn text(node: &Node, name: &str, what: &'static str) -> Result<String, StanzaError> {
    node.attr_text(name).map(str::to_owned).ok_or(StanzaError { what })
}

pub(super) fn optional_text(node: &Node, name: &str) -> Option<String> {
    node.attr_text(name).map(str::to_owned)
}

pub(super) fn jid(node: &Node, name: &str, what: &'static str) -> Result<Jid, StanzaError> {
    optional_jid(node, name, what)?.ok_or(StanzaError { what })
}

pub(super) fn optional_jid(
    node: &Node,
    name: &str,
    what: &'static str,
) -> Result<Option<Jid>, StanzaError> {
    node.attr_jid(name).map_err(|_| StanzaError { what })
}

/// An attribute that, where it stands, must be a number that fits.
pub(super) fn optional_number<T: TryFrom<u64>>(
    node: &Node,
    name: &str,
    what: &'static str,
) -> Result<Option<T>, StanzaError> {
    match node.value(name) {
        None => Ok(None),
        Some(_) => number(node, name, what).map(Some),
    }
}

/// A number that only informs: an odd one must not cost the stanza.
pub(super) fn lenient_number<T: TryFrom<u64>>(node: &Node, name: &str) -> Option<T> {
    node.attr_number(name)?.try_into().ok()
}

/// The mark of a stanza that waited for us. Its number informs, its presence counts.
pub(super) fn offline(node: &Node) -> Option<u32> {
    node.value("offline").map(|_| lenient_number(node, "offline").unwrap_or_default())
}

pub(super) fn number<T: TryFrom<u64>>(
    node: &Node,
    name: &str,
    what: &'static str,
) -> Result<T, StanzaError> {
    let number = node.attr_number(name).and_then(|number| number.try_into().ok());
    number.ok_or(StanzaError { what })
}

pub(super) fn child<'a>(
    node: &'a Node,
    tag: &str,
    what: &'static str,
) -> Result<&'a Node, StanzaError> {
    node.get(tag).ok_or(StanzaError { what })
}

/// The bytes of a node, of exactly this length.
pub(super) fn array<const N: usize>(
    node: &Node,
    what: &'static str,
) -> Result<[u8; N], StanzaError> {
    let bytes = node.content_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(StanzaError { what })
}
