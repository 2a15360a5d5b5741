//! Files in encrypted rooms (Matrix client-server API, "Sending encrypted attachments"): AES-256-CTR
//! under a key that travels in the event, and the SHA-256 of the ciphertext.
//!
//! Push in, bytes out, in constant memory whatever the size. It must not know where a file is kept
//! or which event names it.
//!
//! The format proves a file only at its end: see [`AttachmentDecryptor`].

mod cipher;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;

use ruma::{MxcUri, OwnedMxcUri};
use zeroize::Zeroizing;

pub use cipher::{AttachmentDecryptor, AttachmentEncryptor, Opening, SealedAttachment};

/// The bytes of a file's key.
const KEY_BYTES: usize = 32;

/// The bytes of the first counter block.
const IV_BYTES: usize = 16;

/// The random half of the counter block; the rest counts from zero, as the specification asks, so
/// that it never runs over.
const NONCE_BYTES: usize = 8;

/// What an event says of a file: where its ciphertext is, and how to read it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedFile {
    /// Valid: it names a server and a file there.
    pub url: OwnedMxcUri,
    keys: AttachmentKeys,
    /// Of the ciphertext.
    sha256: [u8; 32],
}

/// A file on the homeserver, encrypted or not. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Attachment {
    Encrypted(EncryptedFile),
    /// As it is: files that were published once, such as stickers, are sent like this even in
    /// encrypted rooms.
    Plain(OwnedMxcUri),
}

impl Attachment {
    pub fn url(&self) -> &MxcUri {
        match self {
            Self::Encrypted(file) => &file.url,
            Self::Plain(url) => url,
        }
    }
}

/// Key and first counter block of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachmentKeys {
    key: Zeroizing<[u8; KEY_BYTES]>,
    iv: [u8; IV_BYTES],
}

impl AttachmentKeys {
    /// How many random bytes make fresh keys.
    pub const RANDOM_BYTES: usize = KEY_BYTES + NONCE_BYTES;

    /// Keys from fresh randomness, which must never be used for a second file.
    pub fn from_random(random: &[u8; Self::RANDOM_BYTES]) -> Self {
        let (mut key, mut iv) = (Zeroizing::new([0; KEY_BYTES]), [0; IV_BYTES]);
        key.copy_from_slice(&random[..KEY_BYTES]);
        iv[..NONCE_BYTES].copy_from_slice(&random[KEY_BYTES..]);
        Self { key, iv }
    }
}

/// Why a file cannot be read. It never repeats what was in the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// A part of the event's description of the file is not there.
    #[error("the file's description lacks {0}")]
    Missing(&'static str),
    /// A part of it is not what the specification says.
    #[error("the file's description has a malformed {0}")]
    Malformed(&'static str),
    /// Encrypted in a way that this bridge does not know.
    #[error("the file is encrypted in an unknown way: its {0} is another one")]
    Unknown(&'static str),
    /// The ciphertext is not the one that the event names: damaged, cut off or exchanged.
    #[error("the encrypted file is not the one that was sent")]
    WrongHash,
}

impl fmt::Debug for EncryptedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptedFile(…)")
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment(…)")
    }
}

impl fmt::Debug for AttachmentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentKeys(…)")
    }
}
