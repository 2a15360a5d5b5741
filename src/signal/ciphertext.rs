//! Signal messages as they travel, and what one needs before it can be read.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wacore_libsignal::protocol::{CiphertextMessage, PreKeySignalMessage, SignalMessage};

use super::{error::DecryptError, identity::RemoteIdentityKey};

/// The longest ciphertext that is looked at, in bytes.
///
/// The longest text of the network is 65,536 characters, a quarter of this; media travel by reference.
pub const MAX_CIPHERTEXT_BYTES: usize = 1024 * 1024;

/// The longest plaintext that is encrypted, in bytes: its ciphertext always fits
/// [`MAX_CIPHERTEXT_BYTES`].
pub const MAX_PLAINTEXT_BYTES: usize = MAX_CIPHERTEXT_BYTES - 1024;

/// The two kinds of Signal message between two parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CiphertextKind {
    /// Opens a session, and carries what the receiver needs for that.
    #[serde(rename = "pkmsg")]
    PreKey,
    /// Belongs to a session that both sides have.
    #[serde(rename = "msg")]
    Message,
}

impl CiphertextKind {
    /// The network's word for it: the `type` of an `<enc>` node (network facts 3.7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreKey => "pkmsg",
            Self::Message => "msg",
        }
    }

    /// Reads the network's word; any other is not a message between two parties.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pkmsg" => Some(Self::PreKey),
            "msg" => Some(Self::Message),
            _ => None,
        }
    }
}

impl fmt::Display for CiphertextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Signal message as it travels. Serialized, the bytes are base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ciphertext {
    /// Which kind it is; the bytes do not say.
    pub kind: CiphertextKind,
    /// The message.
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, bytes } = self;
        f.debug_struct("Ciphertext").field("kind", kind).field("len", &bytes.len()).finish()
    }
}

/// What the sender of a message that opens a session used of us. Look the keys up and offer them to
/// [`decrypt`](super::decrypt).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededPreKeys {
    /// Id of our signed prekey.
    pub signed: u32,
    /// Id of our one-time prekey, unless the sender's bundle had none.
    pub one_time: Option<u32>,
    /// The identity that the sender claims; not authenticated before the message is decrypted.
    pub identity: RemoteIdentityKey,
}

/// The keys to fetch before [`decrypt`](super::decrypt): none for a plain message.
///
/// A key that is no longer there is no reason to stop: the message may be a repeated one of a session that
/// exists, and then needs no key.
pub fn needed_prekeys(ciphertext: &Ciphertext) -> Result<Option<NeededPreKeys>, DecryptError> {
    Ok(match Envelope::parse(ciphertext)? {
        Envelope::PreKey(message) => Some(NeededPreKeys {
            signed: message.signed_pre_key_id().into(),
            one_time: message.pre_key_id().map(u32::from),
            identity: RemoteIdentityKey::of_library(message.identity_key()),
        }),
        Envelope::Message(_) => None,
    })
}

/// A ciphertext that the library could parse.
pub(super) enum Envelope {
    PreKey(Box<PreKeySignalMessage>),
    Message(Box<SignalMessage>),
}

impl Envelope {
    pub(super) fn parse(ciphertext: &Ciphertext) -> Result<Self, DecryptError> {
        let bytes = ciphertext.bytes.as_slice();
        if bytes.len() > MAX_CIPHERTEXT_BYTES {
            return Err(DecryptError::TooLarge { got: bytes.len() });
        }
        match ciphertext.kind {
            CiphertextKind::PreKey => PreKeySignalMessage::try_from(bytes)
                .map(|message| Self::PreKey(Box::new(message)))
                .map_err(|_| DecryptError::Malformed),
            CiphertextKind::Message => SignalMessage::try_from(bytes)
                .map(|message| Self::Message(Box::new(message)))
                .map_err(|_| DecryptError::Malformed),
        }
    }
}

impl Ciphertext {
    /// `None` for the library's group messages, which two parties never exchange.
    pub(super) fn of_library(message: CiphertextMessage) -> Option<Self> {
        match message {
            CiphertextMessage::PreKeySignalMessage(message) => Some(Self {
                kind: CiphertextKind::PreKey,
                bytes: message.into_serialized().into_vec(),
            }),
            CiphertextMessage::SignalMessage(message) => Some(Self {
                kind: CiphertextKind::Message,
                bytes: message.into_serialized().into_vec(),
            }),
            CiphertextMessage::SenderKeyMessage(_) | CiphertextMessage::PlaintextContent(_) => None,
        }
    }
}

fn write_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|_| de::Error::custom("ciphertext is not base64"))
}
