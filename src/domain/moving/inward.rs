//! From the network to Matrix.

use std::fmt;

use causeway_wire::media::{Decryptor, Expected, MEDIA_KEY_BYTES, MediaError, MediaKind};
use zeroize::Zeroizing;

use super::{BATCH, HELD_BACK, MovingError, Reencryption};
use crate::domain::attachment::{AttachmentEncryptor, AttachmentKeys, SealedAttachment};

/// What a message of the network says of its file. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Described {
    pub kind: MediaKind,
    pub media_key: [u8; MEDIA_KEY_BYTES],
    /// Of the file in the clear.
    pub sha256: [u8; 32],
    /// Of what is downloaded.
    pub enc_sha256: [u8; 32],
    /// The bytes of the file in the clear.
    pub length: u64,
}

/// A file of the network on its way to Matrix. It comes out with the length that its message says,
/// or not to its end.
pub struct Inward {
    opening: Decryptor,
    sealing: AttachmentEncryptor,
    expected: Expected,
    length: u64,
    clear: Zeroizing<Vec<u8>>,
}

impl Inward {
    /// The attachment's keys must be fresh.
    pub fn new(file: &Described, keys: AttachmentKeys) -> Self {
        let Described { kind, media_key, sha256, enc_sha256, length } = file;
        Self {
            opening: Decryptor::with_limit(media_key, *kind, *length),
            sealing: AttachmentEncryptor::new(keys),
            expected: Expected { file_sha256: *sha256, file_enc_sha256: Some(*enc_sha256) },
            length: *length,
            // Never grows, so that no copy is left behind.
            clear: Zeroizing::new(Vec::with_capacity(BATCH + HELD_BACK)),
        }
    }
}

impl Reencryption for Inward {
    type Outcome = SealedAttachment;

    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), MovingError> {
        out.reserve(input.len() + HELD_BACK);
        for batch in input.chunks(BATCH) {
            self.clear.clear();
            self.opening.update(batch, &mut self.clear).map_err(damaged)?;
            self.sealing.update(&self.clear, out);
        }
        Ok(())
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Result<SealedAttachment, MovingError> {
        self.clear.clear();
        self.opening.finish(&self.expected, &mut self.clear).map_err(damaged)?;
        let start = out.len();
        self.sealing.update(&self.clear, out);
        let sealed = self.sealing.finish();
        if sealed.length != self.length {
            out.truncate(start);
            return Err(MovingError::WrongLength);
        }
        Ok(sealed)
    }
}

fn damaged(error: MediaError) -> MovingError {
    match error {
        // The limit was the length that the message says.
        MediaError::TooLong { limit: _ } => MovingError::WrongLength,
        error => MovingError::Network(error),
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Described").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inward").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}
