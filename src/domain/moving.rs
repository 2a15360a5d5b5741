//! A file between its two encryptions: bytes of one in, bytes of the other out, and what limits it is
//! under. The clear bytes in between live in one small buffer that is wiped.
//!
//! It must not know where bytes come from or go to.

mod ceiling;
mod inward;
mod outward;
#[cfg(test)]
mod tests;

pub use causeway_wire::media::{
    MAX_MEDIA_BYTES, MEDIA_KEY_BYTES, MediaHashes, MediaKind, encrypted_len,
};

pub use self::{
    ceiling::Ceiling,
    inward::{Described, Inward},
    outward::Outward,
};
use super::attachment::AttachmentError;
use causeway_wire::media::MediaError;

/// How much is clear at a time: little enough to stay in the processor's nearest cache while two
/// ciphers and their hashes pass over it.
const BATCH: usize = 16 * 1024;

/// How much more than was put in may come out of a cipher that held some bytes back.
const HELD_BACK: usize = 64;

/// One file's way from one encryption to the other.
///
/// **What comes out is not proven**: it is ciphertext under a fresh key, so it may be put where nobody
/// knows of it, and is worth something only if [`Self::finish`] said yes.
pub trait Reencryption: Send + 'static {
    /// What must be known of the file to name it in a message.
    type Outcome: Send + 'static;

    /// Takes the next bytes and appends to `out` what is ready.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), MovingError>;

    /// Proves the file and appends its last bytes; on an error nothing is appended.
    fn finish(self, out: &mut Vec<u8>) -> Result<Self::Outcome, MovingError>;
}

/// Why a file cannot go on. It never repeats what was in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MovingError {
    /// It has more bytes than the limit that was set.
    #[error("the file is longer than it may be")]
    TooLong,
    /// It has another length than its message says.
    #[error("the file has another length than its message says")]
    WrongLength,
    /// It is not the file of the Matrix event.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// It is not the file of the network's message.
    #[error(transparent)]
    Network(MediaError),
}
