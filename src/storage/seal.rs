//! Sealing: what keeps the rows unreadable without the master key.
//!
//! A sealed value is bound to its column and its row, so that one cannot stand in for another. This
//! module knows nothing of SQL or of what it seals.

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::Error;
use crate::port::Entropy;

/// First byte of a sealed value: XChaCha20-Poly1305 with the nonce before the ciphertext.
const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;

/// Seals and opens the columns whose name ends in `_sealed`.
#[derive(Clone)]
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    lookup_key: Zeroizing<[u8; 32]>,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    pub(super) fn new(master_key: &[u8; 32], entropy: Arc<dyn Entropy>) -> Self {
        let derived = Hkdf::<Sha256>::new(None, master_key);
        let expand = |purpose: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            derived.expand(purpose, key.as_mut_slice()).expect("HKDF-SHA256 gives 32 bytes");
            key
        };
        let cipher = XChaCha20Poly1305::new_from_slice(&*expand(b"causeway storage seal"))
            .expect("the cipher takes a key of 32 bytes");
        Self { cipher, lookup_key: expand(b"causeway storage lookup"), entropy }
    }

    /// `column` is `table.column`; `row` is the row's primary key. Both must be the same to open.
    pub(super) fn seal(&self, column: &'static str, row: &[&str], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: &place(column, row) };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("no value comes near the cipher's limit of 256 GiB");
        [&[VERSION][..], &nonce, &ciphertext].concat()
    }

    pub(super) fn open(
        &self,
        column: &'static str,
        row: &[&str],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let refused = || Error::Sealed { column };
        let (&version, rest) = sealed.split_first().ok_or_else(refused)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
        if version != VERSION {
            return Err(refused());
        }
        let payload = Payload { msg: ciphertext, aad: &place(column, row) };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| refused())?;
        Ok(Zeroizing::new(plain))
    }

    /// A keyed hash, to find a row again by something that must not stand in the row.
    pub(super) fn lookup(&self, column: &'static str, parts: &[&str]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.lookup_key.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(&place(column, parts));
        mac.finalize().into_bytes().to_vec()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cipher: _, lookup_key: _, entropy: _ } = self;
        f.write_str("Sealer(…)")
    }
}

/// Lengths keep ("ab", "c") and ("a", "bc") apart.
fn place(column: &str, row: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in std::iter::once(&column).chain(row) {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Every nonce is another one, and the same in every run.
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn sealer(master_key: u8) -> Sealer {
        Sealer::new(&[master_key; 32], Arc::new(Counting(AtomicU8::new(0))))
    }

    #[test]
    fn a_value_opens_only_in_its_place_and_with_its_key() {
        let sealed = sealer(1).seal("login.keys_sealed", &["l1"], b"secret");
        let open = |key, column, row: &[&str]| sealer(key).open(column, row, &sealed);
        assert_eq!(&**open(1, "login.keys_sealed", &["l1"]).unwrap(), b"secret");
        open(2, "login.keys_sealed", &["l1"]).unwrap_err();
        open(1, "login.network_id_sealed", &["l1"]).unwrap_err();
        open(1, "login.keys_sealed", &["l2"]).unwrap_err();
        open(1, "login.keys_sealed", &["l", "1"]).unwrap_err();
        open(1, "login.keys_sealed", &[]).unwrap_err();
    }

    #[test]
    fn every_altered_byte_and_every_truncation_is_refused() {
        let sealer = sealer(1);
        let sealed = sealer.seal("setting.value_sealed", &["a"], b"secret");
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            sealer.open("setting.value_sealed", &["a"], &altered).unwrap_err();
            sealer.open("setting.value_sealed", &["a"], &sealed[..index]).unwrap_err();
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes_that_hold_no_plaintext() {
        let sealer = sealer(1);
        let seal = || sealer.seal("setting.value_sealed", &["a"], b"secret secret secret");
        let (one, other) = (seal(), seal());
        assert_ne!(one, other);
        assert!(!one.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn a_lookup_depends_on_key_column_and_every_part() {
        let lookup = sealer(1).lookup("intake.key_hash", &["ab", "c"]);
        assert_eq!(lookup, sealer(1).lookup("intake.key_hash", &["ab", "c"]));
        assert_ne!(lookup, sealer(1).lookup("intake.key_hash", &["a", "bc"]));
        assert_ne!(lookup, sealer(1).lookup("key_secret.digest", &["ab", "c"]));
        assert_ne!(lookup, sealer(2).lookup("intake.key_hash", &["ab", "c"]));
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", sealer(7)), "Sealer(…)");
    }
}
