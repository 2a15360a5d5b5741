//! Padding: 1 to 16 bytes behind a plaintext, each of them their number (network facts B4).

use rand::{CryptoRng, RngExt};

use super::MessageError;

/// The most bytes of padding.
pub const MAX_PADDING: u8 = 16;

/// Adds padding of a random length.
pub fn pad<R: CryptoRng>(mut plaintext: Vec<u8>, rng: &mut R) -> Vec<u8> {
    let count = rng.random_range(1..=MAX_PADDING);
    plaintext.resize(plaintext.len() + usize::from(count), count);
    plaintext
}

/// Takes the padding off.
pub fn unpad(padded: &[u8]) -> Result<&[u8], MessageError> {
    let count = *padded.last().ok_or(MessageError::Padding)?;
    if !(1..=MAX_PADDING).contains(&count) {
        return Err(MessageError::Padding);
    }
    let length = padded.len().checked_sub(usize::from(count)).ok_or(MessageError::Padding)?;
    let (plaintext, padding) = padded.split_at(length);
    if padding.iter().all(|byte| *byte == count) {
        Ok(plaintext)
    } else {
        Err(MessageError::Padding)
    }
}
