//! What can go wrong in each step, and whether trying again can help.
//!
//! Every enum is closed and carries no text of the library: its messages may name an address or a key.

use thiserror::Error;
use wacore_libsignal::protocol::SignalProtocolError;

/// What can turn a failed step into a successful one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing can: the same input fails the same way, and there is no other to ask for.
    Never,
    /// The peer can send the message again, encrypted anew: answer with a retry receipt that carries
    /// fresh keys (network facts 3.7).
    AskPeer,
    /// A freshly fetched bundle can, passed to [`establish`](super::establish).
    FetchBundle,
}

/// Why a key could not be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Prekey ids travel in three bytes.
    #[error("prekey id {id} is larger than {max}", max = super::MAX_PREKEY_ID)]
    IdTooLarge {
        /// The id that was asked for.
        id: u32,
    },
    /// The bytes are not what `to_bytes` of this type wrote.
    #[error("stored key has the wrong length, version or content")]
    Malformed,
    /// The library refused to work with the key.
    #[error("the Signal library refused the key")]
    Refused,
}

impl KeyError {
    /// Keys are local: the same bytes fail the same way.
    pub fn retry(self) -> Retry {
        match self {
            Self::IdTooLarge { .. } | Self::Malformed | Self::Refused => Retry::Never,
        }
    }
}

/// Why no session could be established from a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EstablishError {
    /// The signed prekey is not signed by the bundle's identity.
    #[error("the bundle's signed prekey is not signed by its identity")]
    BadSignature,
    /// An id or key of the bundle is out of range.
    #[error("the bundle holds an id or a key out of range")]
    Malformed,
    /// The stored record cannot be read; pass none to begin anew.
    #[error("the stored session record cannot be read")]
    DamagedRecord,
    /// The library failed for a reason that is not the bundle's.
    #[error("the Signal library failed")]
    Internal,
}

impl EstablishError {
    /// Whether trying again can help.
    pub fn retry(self) -> Retry {
        match self {
            Self::BadSignature | Self::Malformed | Self::DamagedRecord => Retry::FetchBundle,
            Self::Internal => Retry::Never,
        }
    }

    pub(super) fn from_library(error: &SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::SignatureValidationFailed => Self::BadSignature,
            SignalProtocolError::InvalidSessionStructure(_) => Self::DamagedRecord,
            _ => Self::Internal,
        }
    }
}

/// Why a plaintext could not be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncryptError {
    /// The record holds no session to send with.
    #[error("there is no session to encrypt with")]
    NoSession,
    /// The session belongs to another identity than the one that we know the peer by.
    #[error("the session belongs to an identity that the peer no longer has")]
    IdentityMismatch,
    /// The plaintext is longer than [`MAX_PLAINTEXT_BYTES`](super::MAX_PLAINTEXT_BYTES).
    #[error("plaintext of {got} bytes is longer than {max}", max = super::MAX_PLAINTEXT_BYTES)]
    TooLarge {
        /// Its length in bytes.
        got: usize,
    },
    /// The stored record cannot be read.
    #[error("the stored session record cannot be read")]
    DamagedRecord,
    /// The library failed for a reason that is neither the record's nor the plaintext's.
    #[error("the Signal library failed")]
    Internal,
}

impl EncryptError {
    /// Whether trying again can help.
    pub fn retry(self) -> Retry {
        match self {
            Self::NoSession | Self::IdentityMismatch | Self::DamagedRecord => Retry::FetchBundle,
            Self::TooLarge { .. } | Self::Internal => Retry::Never,
        }
    }

    pub(super) fn from_library(error: &SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::SessionNotFound(_) => Self::NoSession,
            SignalProtocolError::UntrustedIdentity(_) => Self::IdentityMismatch,
            SignalProtocolError::InvalidSessionStructure(_)
            | SignalProtocolError::InvalidState(..) => Self::DamagedRecord,
            _ => Self::Internal,
        }
    }
}

/// Why a ciphertext could not be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecryptError {
    /// The message was read before, or is so old that its key was let go.
    #[error("the message was decrypted before")]
    Duplicate,
    /// A plain message, and no session to read it with.
    #[error("there is no session to decrypt with")]
    NoSession,
    /// The one-time prekey that opens the session was not offered: it is spent or was never ours.
    #[error("one-time prekey {id} is not there")]
    MissingPreKey {
        /// Its id.
        id: u32,
    },
    /// The signed prekey that opens the session was not offered.
    #[error("signed prekey {id} is not there")]
    MissingSignedPreKey {
        /// Its id.
        id: u32,
    },
    /// The bytes are no Signal message of the version that the network speaks.
    #[error("the ciphertext is malformed")]
    Malformed,
    /// No session authenticates the message: it was altered, or belongs to a session that we lost, or
    /// skips more messages than the library follows.
    #[error("no session authenticates the message")]
    Authentication,
    /// The ciphertext is longer than [`MAX_CIPHERTEXT_BYTES`](super::MAX_CIPHERTEXT_BYTES).
    #[error("ciphertext of {got} bytes is longer than {max}", max = super::MAX_CIPHERTEXT_BYTES)]
    TooLarge {
        /// Its length in bytes.
        got: usize,
    },
    /// The stored record cannot be read; a message that opens a new session can be read without it.
    #[error("the stored session record cannot be read")]
    DamagedRecord,
    /// The library failed for a reason that is not the message's.
    #[error("the Signal library failed")]
    Internal,
}

impl DecryptError {
    /// Whether trying again can help.
    pub fn retry(self) -> Retry {
        match self {
            Self::Duplicate | Self::TooLarge { .. } | Self::Internal => Retry::Never,
            Self::NoSession
            | Self::MissingPreKey { .. }
            | Self::MissingSignedPreKey { .. }
            | Self::Malformed
            | Self::Authentication
            | Self::DamagedRecord => Retry::AskPeer,
        }
    }

    /// The library's verdict on a message that parsed; the two missing-key cases are decided before.
    pub(super) fn from_library(error: &SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::DuplicatedMessage(..) => Self::Duplicate,
            SignalProtocolError::SessionNotFound(_) => Self::NoSession,
            SignalProtocolError::BadMac(_) | SignalProtocolError::InvalidMessage(..) => {
                Self::Authentication
            }
            SignalProtocolError::InvalidSessionStructure(_) => Self::DamagedRecord,
            SignalProtocolError::UnrecognizedMessageVersion(_)
            | SignalProtocolError::InvalidProtobufEncoding => Self::Malformed,
            _ => Self::Internal,
        }
    }
}
