//! Files that nobody has to store: pseudo-random bytes of any length from a seed. The same seed gives the same bytes
//! everywhere: `tests/peers/baileys/media.mjs` makes them too. It must not know what they are sent as.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) seed: u64,
}

/// The bytes, in order: the key stream of AES-256-CTR under the hash of the seed, from counter 0.
pub(crate) struct SampleBytes {
    stream: StreamingEncryptingKey,
    left: u64,
}

impl Sample {
    pub(crate) fn bytes(self) -> SampleBytes {
        let key = Sha256::digest(format!("causeway sample {}", self.seed));
        let key = UnboundCipherKey::new(&AES_256, &key).expect("a hash has the length of a key");
        let counter = EncryptionContext::Iv128([0; 16].into());
        let stream = StreamingEncryptingKey::less_safe_ctr(key, counter).expect("AES has CTR");
        SampleBytes { stream, left: self.size }
    }
}

impl SampleBytes {
    /// The next bytes, `most` at most; none at the end.
    pub(crate) fn next(&mut self, most: usize) -> Vec<u8> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        self.left -= count as u64;
        // The library wants room for a block more, which this mode does not use.
        let mut out = vec![0; count + 16];
        self.stream.update(&vec![0; count], &mut out).expect("the buffer is long enough");
        out.truncate(count);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_sample_make_the_same_file() {
        let whole = Sample { size: 100, seed: 7 }.bytes().next(1000);
        assert_eq!(whole.len(), 100);
        let mut bytes = Sample { size: 100, seed: 7 }.bytes();
        let pieces: Vec<u8> =
            [33, 33, 33, 33, 33].into_iter().flat_map(|most| bytes.next(most)).collect();
        assert_eq!(pieces, whole);
        assert_ne!(Sample { size: 100, seed: 8 }.bytes().next(1000), whole);
        assert_eq!(Sample { size: 0, seed: 7 }.bytes().next(10), Vec::<u8>::new());
    }

    /// Made with `openssl enc -aes-256-ctr` from the SHA-256 of "causeway sample 1".
    #[test]
    fn a_sample_begins_as_everywhere() {
        let start = Sample { size: 8, seed: 1 }.bytes().next(8);
        assert_eq!(start, [200, 148, 116, 118, 131, 214, 0, 80]);
    }
}
