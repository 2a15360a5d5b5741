//! What happened, line by line: its hash tells whether two runs were the same, its end tells how a run
//! came to fail.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hasher as _},
};

use super::agenda::Millis;

/// Lines that a failure shows.
const SHOWN_LINES: usize = 120;

#[derive(Default)]
pub(crate) struct Trace {
    /// The keys of this hasher are always the same.
    hasher: DefaultHasher,
    lines: u64,
    tail: VecDeque<String>,
    /// Whether nothing is forgotten, for somebody who reads it all.
    pub(crate) is_kept: bool,
}

impl Trace {
    pub(crate) fn note(&mut self, now: Millis, line: &str) {
        self.hasher.write_u64(now);
        self.hasher.write(line.as_bytes());
        self.lines += 1;
        self.tail.push_back(format!("{:>5}.{:03} {line}", now / 1_000, now % 1_000));
        if self.tail.len() > SHOWN_LINES && !self.is_kept {
            self.tail.pop_front();
        }
    }

    /// Of everything so far.
    pub(crate) fn fingerprint(&self) -> (u64, u64) {
        (self.lines, self.hasher.finish())
    }

    pub(crate) fn tail(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// A short name for bytes.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
