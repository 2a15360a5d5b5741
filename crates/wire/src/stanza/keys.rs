//! Public keys as stanzas carry them: in uploads, in replies to key requests, in retry receipts
//! (network facts 3.6, 3.7). Bytes only: whether a signature holds is for who uses the key.

use super::{StanzaError, field};
use crate::node::Node;

/// The type byte of every key here: Curve25519.
const KEY_TYPE: u8 = 5;

/// The highest id of a prekey, which has three bytes on the wire.
pub const MAX_PREKEY_ID: u32 = 0x00ff_ffff;

/// A one-time prekey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreKey {
    /// At most [`MAX_PREKEY_ID`]; higher bits are not written.
    pub id: u32,
    /// The public key.
    pub public: [u8; 32],
}

/// A signed prekey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPreKey {
    /// At most [`MAX_PREKEY_ID`]; higher bits are not written.
    pub id: u32,
    /// The public key.
    pub public: [u8; 32],
    /// The identity key's signature of the type byte and the public key.
    pub signature: [u8; 64],
}

/// What it takes to start a session with a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The device's registration id.
    pub registration_id: u32,
    /// Its identity key.
    pub identity: [u8; 32],
    /// Its signed prekey.
    pub signed_prekey: SignedPreKey,
    /// A one-time prekey, while there are any.
    pub prekey: Option<PreKey>,
    /// The device's signed identity, kept unread.
    pub device_identity: Option<Vec<u8>>,
}

impl PreKey {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self { id: id_of(node)?, public: public_of(node)? })
    }

    pub(super) fn into_node(self) -> Node {
        Node::new("key").child(id_node(self.id)).child(Node::new("value").bytes(self.public))
    }
}

impl SignedPreKey {
    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        const WHAT: &str = "signature of a signed prekey";
        Ok(Self {
            id: id_of(node)?,
            public: public_of(node)?,
            signature: field::array(field::child(node, "signature", WHAT)?, WHAT)?,
        })
    }

    pub(super) fn into_node(self) -> Node {
        Node::new("skey")
            .child(id_node(self.id))
            .child(Node::new("value").bytes(self.public))
            .child(Node::new("signature").bytes(self.signature))
    }
}

impl Bundle {
    /// Reads the keys that stand in `node`; the registration id may stand beside it.
    pub(super) fn parse(node: &Node, registration_id: u32) -> Result<Self, StanzaError> {
        let signed_prekey = field::child(node, "skey", "signed prekey")?;
        Ok(Self {
            registration_id,
            identity: identity_of(node)?,
            signed_prekey: SignedPreKey::parse(signed_prekey)?,
            prekey: node.get("key").map(PreKey::parse).transpose()?,
            device_identity: node
                .get("device-identity")
                .and_then(Node::content_bytes)
                .map(<[u8]>::to_vec),
        })
    }

    /// Adds the keys, but not the registration id, to `node`.
    pub(super) fn write(self, node: Node) -> Node {
        node.child(type_node())
            .child(identity_node(self.identity))
            .with_children(self.prekey.map(PreKey::into_node))
            .child(self.signed_prekey.into_node())
            .with_children(
                self.device_identity.map(|bytes| Node::new("device-identity").bytes(bytes)),
            )
    }
}

pub(super) fn registration_of(node: &Node) -> Result<u32, StanzaError> {
    const WHAT: &str = "registration id of 4 bytes";
    Ok(u32::from_be_bytes(field::array(field::child(node, "registration", WHAT)?, WHAT)?))
}

pub(super) fn registration_node(registration_id: u32) -> Node {
    Node::new("registration").bytes(registration_id.to_be_bytes())
}

pub(super) fn identity_of(node: &Node) -> Result<[u8; 32], StanzaError> {
    const WHAT: &str = "identity key of 32 bytes";
    field::array(field::child(node, "identity", WHAT)?, WHAT)
}

pub(super) fn identity_node(identity: [u8; 32]) -> Node {
    Node::new("identity").bytes(identity)
}

pub(super) fn type_node() -> Node {
    Node::new("type").bytes([KEY_TYPE])
}

pub(super) fn id_of(node: &Node) -> Result<u32, StanzaError> {
    const WHAT: &str = "prekey id of 3 bytes";
    let [a, b, c] = field::array(field::child(node, "id", WHAT)?, WHAT)?;
    Ok(u32::from_be_bytes([0, a, b, c]))
}

pub(super) fn id_node(id: u32) -> Node {
    let [_, id @ ..] = id.to_be_bytes();
    Node::new("id").bytes(id)
}

fn public_of(node: &Node) -> Result<[u8; 32], StanzaError> {
    const WHAT: &str = "prekey of 32 bytes";
    field::array(field::child(node, "value", WHAT)?, WHAT)
}
