//! The streaming sidecar: lets who holds the keys check a part of a video or voice message before
//! the rest is fetched.
//!
//! The initialization vector, the ciphertext and its MAC, in a row, are signed in windows that begin
//! every 64 KiB and overlap by a block: the one that decrypting the next window begins with
//! (network facts 3.8; that the vector comes first is what makes the overlap that block).

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{BLOCK, TAG_BYTES, keys::MediaKeys};

/// From the begin of a window to the begin of the next.
const STRIDE: usize = 64 * 1024;

/// The bytes that a window has in common with the next.
const OVERLAP: usize = BLOCK;

const WINDOW: usize = STRIDE + OVERLAP;

/// A sidecar in the making. It grows by ten bytes for each 64 KiB of the file.
pub(super) struct Sidecar {
    entries: Vec<u8>,
    keyed: Hmac<Sha256>,
    window: Hmac<Sha256>,
    /// How many bytes the window has.
    filled: usize,
    /// The last bytes of the stream.
    last: [u8; OVERLAP],
}

impl Sidecar {
    pub(super) fn new(keys: &MediaKeys) -> Self {
        let keyed = keys.mac();
        let window = keyed.clone();
        let mut sidecar =
            Self { entries: Vec::new(), keyed, window, filled: 0, last: [0; OVERLAP] };
        sidecar.push(&keys.iv);
        sidecar
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(WINDOW - self.filled));
            self.window.update(now);
            self.filled += now.len();
            self.remember(now);
            if self.filled == WINDOW {
                self.close_window();
            }
            bytes = later;
        }
    }

    /// The finished sidecar. No window is full just where the stream ends, since that ends ten bytes
    /// into a block: what is open holds more than the overlap.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close_window();
        self.entries
    }

    fn remember(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(OVERLAP)..];
        self.last.copy_within(new.len().., 0);
        self.last[OVERLAP - new.len()..].copy_from_slice(new);
    }

    fn close_window(&mut self) {
        let window = std::mem::replace(&mut self.window, self.keyed.clone());
        self.entries.extend_from_slice(&window.finalize().into_bytes()[..TAG_BYTES]);
        self.window.update(&self.last);
        self.filled = OVERLAP;
    }
}
