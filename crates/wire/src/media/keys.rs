//! The keys of one file.

use aes::{Aes256, cipher::KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{BLOCK, MEDIA_KEY_BYTES, MediaKind};

/// The bytes that a media key is expanded to: IV, cipher key, MAC key, and 32 more of which no
/// public client makes any use, and which are therefore not kept.
const EXPANDED: usize = 112;

/// What a media key is expanded to for one kind of file.
pub(super) struct MediaKeys {
    pub(super) iv: [u8; BLOCK],
    cipher: Zeroizing<[u8; 32]>,
    mac: Zeroizing<[u8; 32]>,
}

impl MediaKeys {
    pub(super) fn expand(media_key: &[u8; MEDIA_KEY_BYTES], kind: MediaKind) -> Self {
        let mut expanded = Zeroizing::new([0; EXPANDED]);
        Hkdf::<Sha256>::new(None, media_key)
            .expand(kind.info(), expanded.as_mut())
            .expect("112 bytes are four blocks");
        let mut iv = [0; BLOCK];
        let (mut cipher, mut mac) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        iv.copy_from_slice(&expanded[..16]);
        cipher.copy_from_slice(&expanded[16..48]);
        mac.copy_from_slice(&expanded[48..80]);
        Self { iv, cipher, mac }
    }

    pub(super) fn encryptor(&self) -> cbc::Encryptor<Aes256> {
        cbc::Encryptor::new(&(*self.cipher).into(), &self.iv.into())
    }

    pub(super) fn decryptor(&self) -> cbc::Decryptor<Aes256> {
        cbc::Decryptor::new(&(*self.cipher).into(), &self.iv.into())
    }

    /// A MAC that has read nothing yet.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.mac.as_ref()).expect("an HMAC takes keys of any length")
    }

    /// IV, cipher key and MAC key, to be compared with another's.
    #[cfg(test)]
    pub(super) fn parts(&self) -> [Vec<u8>; 3] {
        [self.iv.to_vec(), self.cipher.to_vec(), self.mac.to_vec()]
    }
}
