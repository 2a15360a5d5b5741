//! From Matrix to the network.

use std::fmt;

use causeway_wire::media::{Encryptor, MEDIA_KEY_BYTES, MediaError, MediaHashes, MediaKind};
use zeroize::Zeroizing;

use super::{BATCH, HELD_BACK, MovingError, Reencryption};
use crate::domain::attachment::Opening;

/// A file of a person on its way to the network.
pub struct Outward {
    opening: Opening,
    sealing: Encryptor,
    clear: Zeroizing<Vec<u8>>,
}

impl Outward {
    /// For a file of up to `bytes_max` bytes. The media key must be fresh.
    pub fn new(
        opening: Opening,
        media_key: &[u8; MEDIA_KEY_BYTES],
        kind: MediaKind,
        bytes_max: u64,
    ) -> Self {
        Self {
            opening,
            sealing: Encryptor::with_limit(media_key, kind, bytes_max),
            // Never grows, so that no copy is left behind.
            clear: Zeroizing::new(Vec::with_capacity(BATCH)),
        }
    }
}

impl Reencryption for Outward {
    type Outcome = MediaHashes;

    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), MovingError> {
        out.reserve(input.len() + HELD_BACK);
        for batch in input.chunks(BATCH) {
            self.clear.clear();
            self.opening.update(batch, &mut self.clear);
            self.sealing.update(&self.clear, out).map_err(too_long)?;
        }
        Ok(())
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<MediaHashes, MovingError> {
        self.opening.finish()?;
        self.sealing.finish(out).map_err(too_long)
    }
}

/// An encryptor fails for its limit alone.
fn too_long(_error: MediaError) -> MovingError {
    MovingError::TooLong
}

impl fmt::Debug for Outward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outward").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}
