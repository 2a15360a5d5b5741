//! The channel that a finished handshake leaves behind.

use std::fmt;

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, consts::U12},
};
use zeroize::Zeroizing;

use super::NoiseError;

/// Eight zero bytes, then the counter (network facts 3.2).
pub(super) fn nonce(counter: u32) -> Nonce<U12> {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    nonce.into()
}

/// Both directions of the channel, for who reads and writes in one place.
#[derive(Debug)]
pub struct Transport {
    sealer: Sealer,
    opener: Opener,
}

/// The writing direction.
pub struct Sealer(Direction);

/// The reading direction.
pub struct Opener(Direction);

struct Direction {
    cipher: Aes256Gcm,
    /// The next counter; `None` when the last one is spent, since a nonce must never repeat.
    counter: Option<u32>,
}

impl Transport {
    pub(super) fn new(write: &Zeroizing<[u8; 32]>, read: &Zeroizing<[u8; 32]>) -> Self {
        Self { sealer: Sealer(Direction::new(write)), opener: Opener(Direction::new(read)) }
    }

    /// See [`Sealer::encrypt`].
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        self.sealer.encrypt(plaintext)
    }

    /// See [`Opener::decrypt`].
    pub fn decrypt(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        self.opener.decrypt(ciphertext)
    }

    /// The directions apart, for a task each.
    pub fn into_split(self) -> (Sealer, Opener) {
        (self.sealer, self.opener)
    }
}

impl Sealer {
    /// The next message to the other side; send them in this order.
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let counter = self.0.counter.ok_or(NoiseError::Exhausted)?;
        let sealed = self.0.cipher.encrypt(&nonce(counter), plaintext);
        self.0.counter = counter.checked_add(1);
        sealed.map_err(|_| NoiseError::Authentication)
    }
}

impl Opener {
    /// The next message from the other side.
    pub fn decrypt(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let counter = self.0.counter.ok_or(NoiseError::Exhausted)?;
        let opened = self.0.cipher.decrypt(&nonce(counter), ciphertext);
        let opened = opened.map_err(|_| NoiseError::Authentication)?;
        self.0.counter = counter.checked_add(1);
        Ok(opened)
    }
}

impl Direction {
    fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: Aes256Gcm::new(&(**key).into()), counter: Some(0) }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("counter", &self.0.counter).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("counter", &self.0.counter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counter_is_used_and_none_after_it() {
        let (key, message) = (Zeroizing::new([7; 32]), b"last".as_slice());
        let mut transport = Transport::new(&key, &key);
        transport.sealer.0.counter = Some(u32::MAX);
        transport.opener.0.counter = Some(u32::MAX);
        let sealed = transport.encrypt(message).unwrap();
        assert_eq!(transport.decrypt(&sealed).unwrap(), message);
        assert_eq!(transport.encrypt(message), Err(NoiseError::Exhausted));
        assert_eq!(transport.decrypt(&sealed), Err(NoiseError::Exhausted));
    }
}
