//! A count of bytes that stops at a limit.

use super::MediaError;

/// How many bytes went through, of how many that may.
#[derive(Debug)]
pub(super) struct Length {
    pub(super) bytes: u64,
    /// The most bytes that may be counted here.
    most: u64,
    /// The limit on the file in the clear, which is what an error names.
    limit: u64,
}

impl Length {
    pub(super) fn new(most: u64, limit: u64) -> Self {
        Self { bytes: 0, most, limit }
    }

    /// Counts `more` bytes. Once this failed, it and [`Self::check`] fail for good: a file whose
    /// excess was dropped is not the file.
    pub(super) fn add(&mut self, more: usize) -> Result<(), MediaError> {
        self.bytes = self.bytes.saturating_add(more as u64);
        self.check()
    }

    pub(super) fn check(&self) -> Result<(), MediaError> {
        if self.bytes > self.most {
            return Err(MediaError::TooLong { limit: self.limit });
        }
        Ok(())
    }
}
