//! Queries of the namespace `encrypt`: publishing our keys and fetching those of others (network
//! facts 3.5, 3.6).

use super::{
    IqError, StanzaError, field,
    keys::{
        Bundle, PreKey, SignedPreKey, identity_node, identity_of, registration_node,
        registration_of, type_node,
    },
};
use crate::{
    jid::Jid,
    node::{Content, Node},
};

/// The namespace of these queries.
pub const XMLNS: &str = "encrypt";

/// Our keys, to be handed out by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Our registration id.
    pub registration_id: u32,
    /// Our identity key.
    pub identity: [u8; 32],
    /// One-time prekeys that the server does not have yet.
    pub prekeys: Vec<PreKey>,
    /// The current signed prekey.
    pub signed_prekey: SignedPreKey,
}

/// Whose keys are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The device.
    pub jid: Jid,
    /// Whether that is because its identity has changed.
    pub identity_changed: bool,
}

/// The keys of one device, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReply {
    /// The device.
    pub jid: Jid,
    /// Its keys.
    pub keys: Result<Bundle, IqError>,
}

impl Upload {
    pub(super) fn parse(query: &Node) -> Result<Self, StanzaError> {
        let list = field::child(query, "list", "list of prekeys")?;
        let signed_prekey = field::child(query, "skey", "signed prekey")?;
        Ok(Self {
            registration_id: registration_of(query)?,
            identity: identity_of(query)?,
            prekeys: list.children_of("key").map(PreKey::parse).collect::<Result<_, _>>()?,
            signed_prekey: SignedPreKey::parse(signed_prekey)?,
        })
    }

    pub(super) fn into_content(self) -> Content {
        let list = self.prekeys.into_iter().map(PreKey::into_node);
        Content::Nodes(vec![
            registration_node(self.registration_id),
            type_node(),
            identity_node(self.identity),
            Node::new("list").with_children(list),
            self.signed_prekey.into_node(),
        ])
    }
}

impl KeyRequest {
    /// An ordinary request.
    pub fn new(jid: Jid) -> Self {
        Self { jid, identity_changed: false }
    }

    pub(super) fn parse(user: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            jid: field::jid(user, "jid", "device of a key request")?,
            identity_changed: user.attr_text("reason") == Some("identity"),
        })
    }

    pub(super) fn into_node(self) -> Node {
        Node::new("user")
            .attr("jid", self.jid)
            .attr_opt("reason", self.identity_changed.then_some("identity"))
    }
}

impl KeyReply {
    /// Reads the answer to a key request. The keys of one device that cannot be read are that
    /// device's error (500), so that they do not cost the others'.
    pub fn parse(content: &Content) -> Result<Vec<Self>, StanzaError> {
        let list = child_of(content, "list", "list of keys")?;
        list.children_of("user").map(Self::parse_user).collect()
    }

    /// The answer to a key request.
    pub fn into_content(replies: impl IntoIterator<Item = Self>) -> Content {
        let users = replies.into_iter().map(Self::into_node);
        Content::Nodes(vec![Node::new("list").with_children(users)])
    }

    fn parse_user(user: &Node) -> Result<Self, StanzaError> {
        let jid = field::jid(user, "jid", "device of a key reply")?;
        let keys = match user.get("error") {
            Some(error) => Err(IqError::parse(error)?),
            None => registration_of(user)
                .and_then(|registration_id| Bundle::parse(user, registration_id))
                .map_err(|error| IqError { code: 500, text: error.what.to_owned() }),
        };
        Ok(Self { jid, keys })
    }

    fn into_node(self) -> Node {
        let node = Node::new("user").attr("jid", self.jid);
        match self.keys {
            Ok(bundle) => {
                let registration = registration_node(bundle.registration_id);
                bundle.write(node.child(registration))
            }
            Err(error) => node.child(error.into_node()),
        }
    }
}

/// Reads how many one-time prekeys the server still has.
pub fn parse_count(content: &Content) -> Result<u32, StanzaError> {
    let count = child_of(content, "count", "count of prekeys")?;
    field::number(count, "value", "count of prekeys")
}

/// Says how many one-time prekeys the server still has.
pub fn count_content(count: u32) -> Content {
    Content::Nodes(vec![Node::new("count").attr("value", count)])
}

fn child_of<'a>(
    content: &'a Content,
    tag: &str,
    what: &'static str,
) -> Result<&'a Node, StanzaError> {
    content.children().iter().find(|node| node.tag == tag).ok_or(StanzaError { what })
}
