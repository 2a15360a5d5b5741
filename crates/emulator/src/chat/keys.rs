//! Published keys between the world's form and the wire's. It must not know who asks.

use bytes::Bytes;
use causeway_wire::{
    node::Node,
    stanza::keys::{Bundle as WireBundle, PreKey, SignedPreKey},
};

use crate::world::{Bundle, OneTimePrekey, SignedPrekey};

/// For a reply or a retry receipt.
pub(crate) fn to_wire(
    bundle: &Bundle,
    one_time: Option<&OneTimePrekey>,
    device_identity: Option<&Bytes>,
) -> WireBundle {
    WireBundle {
        registration_id: bundle.registration_id,
        identity: bundle.identity,
        signed_prekey: SignedPreKey {
            id: bundle.signed_prekey.id,
            public: bundle.signed_prekey.value,
            signature: bundle.signed_prekey.signature,
        },
        prekey: one_time.map(|prekey| PreKey { id: prekey.id, public: prekey.value }),
        device_identity: device_identity.map(|bytes| bytes.to_vec()),
    }
}

/// From a retry receipt.
pub(crate) fn from_wire(bundle: WireBundle) -> (Bundle, Option<Bytes>) {
    let one_time = bundle.prekey.as_ref().map(one_time_from_wire);
    let device_identity = bundle.device_identity.map(Bytes::from);
    let bundle = Bundle {
        registration_id: bundle.registration_id,
        identity: bundle.identity,
        signed_prekey: signed_from_wire(&bundle.signed_prekey),
        one_time: one_time.into_iter().collect(),
    };
    (bundle, device_identity)
}

/// From an upload.
pub(crate) fn signed_from_wire(prekey: &SignedPreKey) -> SignedPrekey {
    SignedPrekey { id: prekey.id, value: prekey.public, signature: prekey.signature }
}

/// From an upload.
pub(crate) fn one_time_from_wire(prekey: &PreKey) -> OneTimePrekey {
    OneTimePrekey { id: prekey.id, value: prekey.public }
}

/// From a rotation, whose node has no type of its own.
pub(crate) fn signed_from_node(node: &Node) -> Option<SignedPrekey> {
    let bytes = |tag| node.get(tag).and_then(Node::content_bytes);
    let [high, middle, low]: [u8; 3] = bytes("id")?.try_into().ok()?;
    Some(SignedPrekey {
        id: u32::from_be_bytes([0, high, middle, low]),
        value: bytes("value")?.try_into().ok()?,
        signature: bytes("signature")?.try_into().ok()?,
    })
}
