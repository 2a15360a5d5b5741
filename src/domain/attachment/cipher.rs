//! The two state machines: a file on its way in, and on its way out.

use std::fmt;

use aes::{
    Aes256,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use ruma::OwnedMxcUri;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Attachment, AttachmentError, AttachmentKeys, EncryptedFile};

/// The whole block counts, as in the clients that make counter blocks with no zeros at their end.
type Aes256Ctr = ctr::Ctr128BE<Aes256>;

/// How much is ciphered and hashed in one go: little enough to stay in the processor's nearest cache
/// between the two.
const BATCH: usize = 4096;

impl AttachmentKeys {
    fn cipher(&self) -> Aes256Ctr {
        Aes256Ctr::new(&(*self.key).into(), &self.iv.into())
    }
}

/// Decrypts one file, chunk by chunk.
///
/// **What [`Self::update`] appends is not proven yet**, and who changes a bit of the ciphertext
/// changes just that bit of the file: show it, or a message that names it, only after
/// [`Self::finish`] said yes.
pub struct AttachmentDecryptor {
    cipher: Aes256Ctr,
    hash: Sha256,
    expected: [u8; 32],
}

impl AttachmentDecryptor {
    pub fn new(file: &EncryptedFile) -> Self {
        Self { cipher: file.keys.cipher(), hash: Sha256::new(), expected: file.sha256 }
    }

    /// Decrypts the next bytes and appends them to `out`, **unproven**.
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) {
        for batch in ciphertext.chunks(BATCH) {
            self.hash.update(batch);
            let start = out.len();
            out.extend_from_slice(batch);
            self.cipher.apply_keystream(&mut out[start..]);
        }
    }

    /// Whether this was the file that the event names. On an error everything before must be thrown
    /// away.
    pub fn finish(self) -> Result<(), AttachmentError> {
        let same = self.hash.finalize().ct_eq(&self.expected);
        if bool::from(same) { Ok(()) } else { Err(AttachmentError::WrongHash) }
    }
}

/// Reads a file as it came from the homeserver: decrypts it, or takes it as it is.
#[derive(Debug)]
pub struct Opening(Option<AttachmentDecryptor>);

impl Opening {
    pub fn new(attachment: &Attachment) -> Self {
        match attachment {
            Attachment::Encrypted(file) => Self(Some(AttachmentDecryptor::new(file))),
            Attachment::Plain(_) => Self::clear(),
        }
    }

    /// Of a file that is in the clear already.
    pub fn clear() -> Self {
        Self(None)
    }

    /// Appends the clear bytes to `out`, **unproven**.
    pub fn update(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Some(decryptor) => decryptor.update(input, out),
            None => out.extend_from_slice(input),
        }
    }

    /// As [`AttachmentDecryptor::finish`]. Of what was never encrypted nothing can be said.
    pub fn finish(self) -> Result<(), AttachmentError> {
        self.0.map_or(Ok(()), AttachmentDecryptor::finish)
    }
}

/// Encrypts one file, chunk by chunk, to as many bytes as it has.
pub struct AttachmentEncryptor {
    keys: AttachmentKeys,
    cipher: Aes256Ctr,
    hash: Sha256,
    length: u64,
}

impl AttachmentEncryptor {
    /// The keys must be fresh: a second file under them would lay both open.
    pub fn new(keys: AttachmentKeys) -> Self {
        Self { cipher: keys.cipher(), keys, hash: Sha256::new(), length: 0 }
    }

    /// Encrypts the next bytes and appends them to `out`.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) {
        self.length += plaintext.len() as u64;
        for batch in plaintext.chunks(BATCH) {
            let start = out.len();
            out.extend_from_slice(batch);
            self.cipher.apply_keystream(&mut out[start..]);
            self.hash.update(&out[start..]);
        }
    }

    pub fn finish(self) -> SealedAttachment {
        let Self { keys, cipher: _, hash, length } = self;
        SealedAttachment { keys, sha256: hash.finalize().into(), length }
    }
}

/// A file that is encrypted and has no place yet.
#[derive(Clone)]
pub struct SealedAttachment {
    keys: AttachmentKeys,
    pub(super) sha256: [u8; 32],
    /// The bytes of the file, in the clear and encrypted.
    pub length: u64,
}

impl SealedAttachment {
    /// What the event says, now that the ciphertext lies at `url`.
    pub fn at(self, url: OwnedMxcUri) -> EncryptedFile {
        EncryptedFile { url, keys: self.keys, sha256: self.sha256 }
    }
}

impl fmt::Debug for AttachmentDecryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentDecryptor(…)")
    }
}

impl fmt::Debug for AttachmentEncryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentEncryptor").field("length", &self.length).finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedAttachment").field("length", &self.length).finish_non_exhaustive()
    }
}
