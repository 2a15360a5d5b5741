//! A file on its way out.

use std::fmt;

use aes::{
    Aes256,
    cipher::{
        Block, BlockModeEncrypt,
        block_padding::{Padding, Pkcs7},
    },
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::{
    BATCH, MAX_MEDIA_BYTES, MEDIA_KEY_BYTES, MediaError, MediaKind, TAG_BYTES, blocks::Blocks,
    encrypted_len, keys::MediaKeys, length::Length, sidecar::Sidecar,
};

/// Encrypts one file, chunk by chunk.
///
/// A media key must be fresh for each file: the initialization vector comes from it too.
pub struct Encryptor {
    cipher: cbc::Encryptor<Aes256>,
    blocks: Blocks,
    mac: Hmac<Sha256>,
    clear: Sha256,
    sealed: Sha256,
    pub(super) length: Length,
    sidecar: Option<Sidecar>,
}

/// What a message says of a file, known when the file is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaHashes {
    /// The hash of the file in the clear.
    pub file_sha256: [u8; 32],
    /// The hash of what is uploaded: the ciphertext with its MAC.
    pub file_enc_sha256: [u8; 32],
    /// The bytes of the file in the clear.
    pub file_length: u64,
    /// The bytes of what is uploaded.
    pub enc_length: u64,
    /// The streaming sidecar, if [`Encryptor::with_sidecar`] asked for it.
    pub sidecar: Option<Vec<u8>>,
}

impl Encryptor {
    /// For a file of up to [`MAX_MEDIA_BYTES`].
    pub fn new(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind) -> Self {
        Self::with_limit(media_key, kind, MAX_MEDIA_BYTES)
    }

    /// For a file of up to `limit` bytes.
    pub fn with_limit(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind, limit: u64) -> Self {
        let keys = MediaKeys::expand(media_key, kind);
        Self {
            cipher: keys.encryptor(),
            blocks: Blocks::keeping(0),
            mac: keys.mac().chain_update(keys.iv),
            clear: Sha256::new(),
            sealed: Sha256::new(),
            length: Length::new(limit, limit),
            sidecar: None,
        }
    }

    /// As [`Self::new`], with a streaming sidecar, which video and audio have.
    pub fn with_sidecar(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind) -> Self {
        let sidecar = Sidecar::new(&MediaKeys::expand(media_key, kind));
        Self { sidecar: Some(sidecar), ..Self::new(media_key, kind) }
    }

    /// Encrypts the next bytes and appends to `out` what is ready.
    ///
    /// Fails, now and from then on, when the file is longer than its limit; nothing is appended then.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        self.length.add(plaintext.len())?;
        for batch in plaintext.chunks(BATCH) {
            self.clear.update(batch);
            let start = out.len();
            self.blocks.push(batch, out);
            let (blocks, _) = Block::<Aes256>::slice_as_chunks_mut(&mut out[start..]);
            self.cipher.encrypt_blocks(blocks);
            self.seal(&out[start..]);
        }
        Ok(())
    }

    /// Appends the last block and the MAC.
    ///
    /// Fails when the file was longer than its limit.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<MediaHashes, MediaError> {
        self.length.check()?;
        let rest = self.blocks.rest();
        let mut last = Block::<Aes256>::default();
        last[..rest.len()].copy_from_slice(rest);
        Pkcs7::pad(&mut last, rest.len());
        self.cipher.encrypt_block(&mut last);
        self.seal(&last);
        out.extend_from_slice(&last);

        let mac = self.mac.finalize().into_bytes();
        let tag = &mac[..TAG_BYTES];
        out.extend_from_slice(tag);
        let sidecar = self.sidecar.map(|mut sidecar| {
            sidecar.push(tag);
            sidecar.finish()
        });
        Ok(MediaHashes {
            file_sha256: self.clear.finalize().into(),
            file_enc_sha256: self.sealed.chain_update(tag).finalize().into(),
            file_length: self.length.bytes,
            enc_length: encrypted_len(self.length.bytes),
            sidecar,
        })
    }

    fn seal(&mut self, ciphertext: &[u8]) {
        self.mac.update(ciphertext);
        self.sealed.update(ciphertext);
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.push(ciphertext);
        }
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryptor").field("length", &self.length).finish_non_exhaustive()
    }
}
