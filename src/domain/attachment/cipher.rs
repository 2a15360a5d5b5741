//! The two state machines: a file on its way in, and on its way out.
//!
//! Every byte of every file passes here, so cipher and hash are AWS-LC's: assembly, and as fast when
//! this crate is compiled without optimisation.

use std::fmt;

use aws_lc_rs::{
    cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey},
    digest::{Context, SHA256},
    iv::FixedLength,
};
use ruma::OwnedMxcUri;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Attachment, AttachmentError, AttachmentKeys, EncryptedFile, IV_BYTES};

/// How much is ciphered and hashed in one go: little enough to stay in the processor's nearest cache
/// between the two.
const BATCH: usize = 4096;

/// AES-256-CTR, which is the same in both directions. The whole block counts, as in the clients that
/// make counter blocks with no zeros at their end.
struct Cipher {
    stream: StreamingEncryptingKey,
    /// What one batch becomes. The library wants room for a block more than it fills; in here, so
    /// that the caller's bytes never move for it and leave a clear copy behind.
    batch: Zeroizing<Vec<u8>>,
}

impl Cipher {
    fn new(keys: &AttachmentKeys) -> Self {
        let key = UnboundCipherKey::new(&AES_256, &*keys.key).expect("the key has 32 bytes");
        let iv = EncryptionContext::Iv128(FixedLength::from(keys.iv));
        let stream = StreamingEncryptingKey::less_safe_ctr(key, iv)
            .expect("AES-256 has this mode, with a counter block of 16 bytes");
        Self { stream, batch: Zeroizing::new(vec![0; BATCH + IV_BYTES]) }
    }

    /// As many bytes as `batch` has, which are [`BATCH`] at most.
    fn apply(&mut self, batch: &[u8]) -> &[u8] {
        let done = self.stream.update(batch, &mut self.batch).expect("a batch fits");
        let written = done.written().len();
        &self.batch[..written]
    }
}

fn finished(hash: Context) -> [u8; 32] {
    hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Decrypts one file, chunk by chunk.
///
/// **What [`Self::update`] appends is not proven yet**, and who changes a bit of the ciphertext
/// changes just that bit of the file: show it, or a message that names it, only after
/// [`Self::finish`] said yes.
pub struct AttachmentDecryptor {
    cipher: Cipher,
    hash: Context,
    expected: [u8; 32],
}

impl AttachmentDecryptor {
    pub fn new(file: &EncryptedFile) -> Self {
        Self { cipher: Cipher::new(&file.keys), hash: Context::new(&SHA256), expected: file.sha256 }
    }

    /// Decrypts the next bytes and appends them to `out`, **unproven**.
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) {
        for batch in ciphertext.chunks(BATCH) {
            self.hash.update(batch);
            out.extend_from_slice(self.cipher.apply(batch));
        }
    }

    /// Whether this was the file that the event names. On an error everything before must be thrown
    /// away.
    pub fn finish(self) -> Result<(), AttachmentError> {
        let same = finished(self.hash).ct_eq(&self.expected);
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
    cipher: Cipher,
    hash: Context,
    length: u64,
}

impl AttachmentEncryptor {
    /// The keys must be fresh: a second file under them would lay both open.
    pub fn new(keys: AttachmentKeys) -> Self {
        Self { cipher: Cipher::new(&keys), keys, hash: Context::new(&SHA256), length: 0 }
    }

    /// Encrypts the next bytes and appends them to `out`.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) {
        self.length += plaintext.len() as u64;
        for batch in plaintext.chunks(BATCH) {
            let sealed = self.cipher.apply(batch);
            self.hash.update(sealed);
            out.extend_from_slice(sealed);
        }
    }

    pub fn finish(self) -> SealedAttachment {
        let Self { keys, cipher: _, hash, length } = self;
        SealedAttachment { keys, sha256: finished(hash), length }
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
