//! A file on its way in.

use std::fmt;

use aes::{
    Aes256,
    cipher::{Block, BlockModeDecrypt, block_padding::Pkcs7},
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    BATCH, BLOCK, MAX_MEDIA_BYTES, MEDIA_KEY_BYTES, MediaError, MediaKind, TAG_BYTES,
    blocks::Blocks, encrypted_len, keys::MediaKeys, length::Length,
};

/// Decrypts one file, chunk by chunk.
///
/// **What [`Self::update`] appends is not proven yet.** The MAC is at the end of the file, so all but
/// the last block comes out before anything is known about who wrote it. Keep it where nobody looks,
/// and show it, or a message that names it, only after [`Self::finish`] said yes; else throw it away.
///
/// It holds back 41 bytes at most.
pub struct Decryptor {
    cipher: cbc::Decryptor<Aes256>,
    pub(super) blocks: Blocks,
    mac: Hmac<Sha256>,
    clear: Sha256,
    sealed: Sha256,
    /// Of the ciphertext. Within its limit, what is not held back is within that of the clear.
    pub(super) length: Length,
    limit: u64,
}

/// What a message says of the file that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The hash of the file in the clear.
    pub file_sha256: [u8; 32],
    /// The hash of the ciphertext with its MAC, if the message has it.
    pub file_enc_sha256: Option<[u8; 32]>,
}

impl Decryptor {
    /// For a file of up to [`MAX_MEDIA_BYTES`] in the clear.
    pub fn new(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind) -> Self {
        Self::with_limit(media_key, kind, MAX_MEDIA_BYTES)
    }

    /// For a file of up to `limit` bytes in the clear.
    pub fn with_limit(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind, limit: u64) -> Self {
        let keys = MediaKeys::expand(media_key, kind);
        Self {
            cipher: keys.decryptor(),
            blocks: Blocks::keeping(BLOCK + TAG_BYTES),
            mac: keys.mac().chain_update(keys.iv),
            clear: Sha256::new(),
            sealed: Sha256::new(),
            length: Length::new(encrypted_len(limit), limit),
            limit,
        }
    }

    /// Decrypts the next bytes and appends to `out` what is ready, **unproven**.
    ///
    /// Fails, now and from then on, when the file is longer than its limit; nothing is appended then.
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        self.length.add(ciphertext.len())?;
        for batch in ciphertext.chunks(BATCH) {
            let start = out.len();
            self.blocks.push(batch, out);
            let ready = &mut out[start..];
            self.mac.update(ready);
            self.sealed.update(&*ready);
            let (blocks, _) = Block::<Aes256>::slice_as_chunks_mut(ready);
            self.cipher.decrypt_blocks(blocks);
            self.clear.update(&*ready);
        }
        Ok(())
    }

    /// Proves the file and appends its last bytes.
    ///
    /// On any error nothing is appended, and what was before must be thrown away. The ciphertext's
    /// hash is compared first, since it tells a damaged download from a wrong key; the last block is
    /// decrypted only after the MAC held.
    pub fn finish(self, expected: &Expected, out: &mut Vec<u8>) -> Result<(), MediaError> {
        self.length.check()?;
        let held = self.blocks.rest();
        if held.len() != BLOCK + TAG_BYTES {
            return Err(MediaError::Truncated);
        }
        let (last, tag) = held.split_at(BLOCK);
        let sealed: [u8; 32] = self.sealed.chain_update(held).finalize().into();
        if expected.file_enc_sha256.is_some_and(|hash| hash != sealed) {
            return Err(MediaError::WrongCiphertextHash);
        }
        let mac = self.mac.chain_update(last);
        mac.verify_truncated_left(tag).map_err(|_| MediaError::Unauthentic)?;

        let mut last = Zeroizing::new(last.to_vec());
        let clear = self.cipher.decrypt_padded::<Pkcs7>(&mut last);
        let clear = clear.map_err(|_| MediaError::BadPadding)?;
        if self.length.bytes - held.len() as u64 + clear.len() as u64 > self.limit {
            return Err(MediaError::TooLong { limit: self.limit });
        }
        if expected.file_sha256 != <[u8; 32]>::from(self.clear.chain_update(clear).finalize()) {
            return Err(MediaError::WrongHash);
        }
        out.extend_from_slice(clear);
        Ok(())
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryptor").field("length", &self.length).finish_non_exhaustive()
    }
}
