//! The lowest of the limits that a file is under.

use super::{MAX_MEDIA_BYTES, encrypted_len};
use crate::domain::hosting::{LimitOf, MediaRules, Used};

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

    /// Of a file for the network, from a login that has used up so much.
    pub fn to_network(rules: &MediaRules, used: Used) -> Self {
        let Used { hosted, today, today_max } = used;
        let quota = Self::with_ciphertext(rules.quota_bytes, hosted, LimitOf::Quota);
        let day = Self::with_ciphertext(today_max, today, LimitOf::Day);
        Self::lowest([Self::of_bridge(rules), Self::of_network(), quota, day])
    }

    /// What is left of a limit on the bytes of ciphertexts.
    fn with_ciphertext(limit: u64, used: u64, whose: LimitOf) -> Self {
        // The ciphertext has whole blocks and something behind them: the longest file fills its
        // last block but for one byte.
        let left = limit.saturating_sub(used).checked_sub(encrypted_len(0));
        Self { bytes: left.map(|left| left - left % 16 + 15), limit, whose }
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

    fn lowest<const COUNT: usize>(ceilings: [Self; COUNT]) -> Self {
        let lower = |low: Self, other: Self| if other.bytes < low.bytes { other } else { low };
        ceilings.into_iter().reduce(lower).expect("there is a limit")
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
