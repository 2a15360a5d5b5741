//! The running hash and keys of a handshake.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KeyPair, NoiseError, transport::nonce};

/// The protocol name, padded to a hash's size, as which it serves unhashed.
const PROTOCOL: [u8; 32] = *b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0";

/// What both ends keep in step while the handshake runs.
pub(super) struct Symmetric {
    hash: [u8; 32],
    chaining: Zeroizing<[u8; 32]>,
    key: Zeroizing<[u8; 32]>,
    counter: u32,
}

impl Symmetric {
    pub(super) fn new(prologue: &[u8]) -> Self {
        let key = Zeroizing::new(PROTOCOL);
        let mut state = Self { hash: PROTOCOL, chaining: key.clone(), key, counter: 0 };
        state.mix_hash(prologue);
        state
    }

    pub(super) fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(bytes).finalize().into();
    }

    /// Mixes in the secret that `ours` shares with `remote`.
    pub(super) fn mix_agreement(
        &mut self,
        ours: &KeyPair,
        remote: &[u8; 32],
    ) -> Result<(), NoiseError> {
        let secret = ours.agree(remote)?;
        (self.chaining, self.key) = self.derive(secret.as_ref());
        self.counter = 0;
        Ok(())
    }

    pub(super) fn encrypt(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let payload = Payload { msg: plaintext, aad: &self.hash };
        let ciphertext = self.cipher().encrypt(&nonce(self.counter), payload);
        let ciphertext = ciphertext.map_err(|_| NoiseError::Authentication)?;
        self.counter += 1;
        self.mix_hash(&ciphertext);
        Ok(ciphertext)
    }

    pub(super) fn decrypt(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let payload = Payload { msg: ciphertext, aad: &self.hash };
        let plaintext = self.cipher().decrypt(&nonce(self.counter), payload);
        let plaintext = plaintext.map_err(|_| NoiseError::Authentication)?;
        self.counter += 1;
        self.mix_hash(ciphertext);
        Ok(plaintext)
    }

    /// Decrypts the other side's static key.
    pub(super) fn decrypt_key(&mut self, ciphertext: &[u8]) -> Result<[u8; 32], NoiseError> {
        let key = self.decrypt(ciphertext)?;
        key.try_into().map_err(|_| NoiseError::Malformed { what: "static key of 32 bytes" })
    }

    /// The keys of the channel: what the initiator writes with, then what it reads with.
    pub(super) fn split(self) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
        self.derive(&[])
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.key).into())
    }

    fn derive(&self, secret: &[u8]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
        let mut okm = Zeroizing::new([0; 64]);
        Hkdf::<Sha256>::new(Some(self.chaining.as_ref()), secret)
            .expand(&[], okm.as_mut())
            .expect("64 bytes are two blocks");
        let (mut first, mut second) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        first.copy_from_slice(&okm[..32]);
        second.copy_from_slice(&okm[32..]);
        (first, second)
    }
}
