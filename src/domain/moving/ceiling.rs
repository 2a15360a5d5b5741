//! The lowest of the limits that a file is under.

use super::{MAX_MEDIA_BYTES, encrypted_len};
use crate::domain::hosting::{LimitOf, MediaRules};

/// A limit in the way of a file, if it is large enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The most bytes that a file may have in the clear; `None` if not even an empty one fits.
    bytes: Option<u64>,
    /// What is told of it.
    pub limit: u64,
    pub whose: LimitOf,
}

impl Ceiling {
    fn new(limit: u64, whose: LimitOf) -> Self {
        Self { bytes: Some(limit), limit, whose }
    }

    /// Of a file for the network, from a login that has `hosted` bytes of ciphertext here.
    pub fn to_network(rules: &MediaRules, hosted: u64) -> Self {
        let left = rules.quota_bytes.saturating_sub(hosted);
        let mut quota = Self::new(rules.quota_bytes, LimitOf::Quota);
        // The ciphertext has whole blocks and something behind them: the longest file fills its
        // last block but for one byte.
        quota.bytes = left.checked_sub(encrypted_len(0)).map(|left| left - left % 16 + 15);
        Self::lowest([Self::of_bridge(rules), Self::of_network(), quota])
    }

    /// Of a file for a homeserver that takes uploads of up to `homeserver` bytes.
    pub fn to_matrix(rules: &MediaRules, homeserver: u64) -> Self {
        let homeserver = Self::new(homeserver, LimitOf::Homeserver);
        Self::lowest([Self::of_bridge(rules), Self::of_network(), homeserver])
    }

    fn of_bridge(rules: &MediaRules) -> Self {
        Self::new(rules.max_bytes, LimitOf::Bridge)
    }

    fn of_network() -> Self {
        Self::new(MAX_MEDIA_BYTES, LimitOf::Network)
    }

    fn lowest(ceilings: [Self; 3]) -> Self {
        let [first, others @ ..] = ceilings;
        others
            .into_iter()
            .fold(first, |low, other| if other.bytes < low.bytes { other } else { low })
    }

    /// Whether a file of `length` bytes in the clear may be moved.
    pub fn admits(&self, length: u64) -> bool {
        self.bytes.is_some_and(|bytes| length <= bytes)
    }

    /// The most bytes that a file may have in the clear.
    pub fn bytes(&self) -> u64 {
        self.bytes.unwrap_or(0)
    }
}
