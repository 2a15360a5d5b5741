//! How the files that people send are encrypted (network facts 1.7, 3.8): AES-256-CBC with a
//! truncated HMAC behind it, both under keys expanded from one media key that travels in the message.
//!
//! Push in, bytes out, in constant memory whatever the size. It must not know where a file comes
//! from, where it is kept or which message names it.
//!
//! The format proves a file only at its end: see [`Decryptor`] for what that asks of its caller.

mod blocks;
mod decryptor;
mod encryptor;
mod keys;
mod kind;
mod length;
mod sidecar;
#[cfg(test)]
mod tests;

pub use decryptor::{Decryptor, Expected};
pub use encryptor::{Encryptor, MediaHashes};
pub use kind::MediaKind;

/// The most bytes of a file in the clear, 2 GiB: what the network's own apps take. What partners may
/// send is not public (network facts section 6), so it may turn out to be less.
pub const MAX_MEDIA_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The bytes of a media key.
pub const MEDIA_KEY_BYTES: usize = 32;

/// The bytes of an AES block.
const BLOCK: usize = 16;

/// The bytes that are left of each HMAC.
const TAG_BYTES: usize = 10;

/// How much is ciphered and hashed in one go: little enough to stay in the processor's nearest cache
/// from the first of these passes to the last.
const BATCH: usize = 4096;

/// Why a file cannot be encrypted, or is not the one that its sender meant. It never repeats what
/// was in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The file in the clear has more bytes than the limit that was set.
    #[error("the file is too long, the limit is {limit} bytes")]
    TooLong {
        /// The most bytes of a file in the clear.
        limit: u64,
    },
    /// The number of bytes is one that no encrypted file has: the end, or more, is missing.
    #[error("the encrypted file is cut off")]
    Truncated,
    /// The ciphertext is not the one that the message names: the download is damaged.
    #[error("the encrypted file is not the one that was sent")]
    WrongCiphertextHash,
    /// The ciphertext was not made with this media key and kind, or was changed since.
    #[error("the encrypted file does not authenticate")]
    Unauthentic,
    /// Who holds the media key padded the last block in a way that nobody does. The padding is looked
    /// at only after the MAC held, so nobody else can learn anything from this.
    #[error("the encrypted file is badly padded")]
    BadPadding,
    /// What was decrypted is not the file that the message names, though its sender encrypted it.
    #[error("the file is not the one that its message names")]
    WrongHash,
}

/// How many bytes a file of so many bytes has once it is encrypted.
pub const fn encrypted_len(plain_len: u64) -> u64 {
    // Padding always adds something: a file of whole blocks gets one more.
    (plain_len - plain_len % BLOCK as u64).saturating_add((BLOCK + TAG_BYTES) as u64)
}
