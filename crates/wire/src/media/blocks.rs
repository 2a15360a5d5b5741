//! Cuts a stream into whole cipher blocks, whatever the chunks it comes in.

use zeroize::Zeroizing;

use super::BLOCK;

/// The bytes that wait until a block is full, or until it is known that they are not the end.
pub(super) struct Blocks {
    /// Fewer than a block more than `keep`. Allocated once, so that no copy is left behind.
    held: Zeroizing<Vec<u8>>,
    keep: usize,
}

impl Blocks {
    /// Never lets go of the last `keep` bytes.
    pub(super) fn keeping(keep: usize) -> Self {
        Self { held: Zeroizing::new(Vec::with_capacity(keep + BLOCK)), keep }
    }

    /// Takes `input` and appends to `out` all whole blocks that need not wait.
    pub(super) fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let held = self.held.len();
        let free = (held + input.len()).saturating_sub(self.keep);
        let ready = free - free % BLOCK;
        let from_held = ready.min(held);
        out.extend_from_slice(&self.held[..from_held]);
        self.held.drain(..from_held);
        let (now, later) = input.split_at(ready - from_held);
        out.extend_from_slice(now);
        self.held.extend_from_slice(later);
    }

    /// What still waits: at the end of the stream, its end.
    pub(super) fn rest(&self) -> &[u8] {
        &self.held
    }
}
