//! What is hosted for the network to fetch, and by which rules. Knows nothing of how it is kept.

use std::time::Duration;

use super::{
    bridged::Timestamp,
    ids::{LoginId, StorageRef},
};

/// A file that we host: ciphertext under a name that nobody can guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedMedia {
    pub name: StorageRef,
    /// Whose quota it counts against.
    pub login: LoginId,
    /// Bytes of the ciphertext.
    pub length: u64,
    pub hosted_at: Timestamp,
    /// From then on nobody gets it, and the cleaner removes it.
    pub expires_at: Timestamp,
}

/// Whose limit a file is over; a person is told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    Homeserver,
    Network,
    /// `[media] max_bytes`.
    Bridge,
    /// `[media] quota_bytes`: what one login may have hosted at the same time.
    Quota,
    /// What one person may send in a day.
    Day,
}

/// What a login has used up of what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Bytes of ciphertext that are hosted now.
    pub hosted: u64,
    /// Bytes of ciphertext that were hosted today.
    pub today: u64,
    /// The most that they may be.
    pub today_max: u64,
}

impl Used {
    /// The same with so many more bytes.
    #[must_use]
    pub fn with(self, bytes: u64) -> Self {
        Self {
            hosted: self.hosted.saturating_add(bytes),
            today: self.today.saturating_add(bytes),
            ..self
        }
    }
}

/// The operator's rules for media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaRules {
    /// Bytes of one file, in either direction.
    pub max_bytes: u64,
    /// Bytes that one login may have hosted at the same time.
    pub quota_bytes: u64,
    /// How long a file is hosted.
    pub keep: Duration,
}

impl MediaRules {
    /// Whether a login that has `hosted` bytes may host a file of `length` more bytes; otherwise
    /// the limit that stands in the way, in bytes, and whose it is.
    pub fn admit(&self, length: u64, hosted: u64) -> Result<(), (u64, LimitOf)> {
        if length > self.max_bytes {
            return Err((self.max_bytes, LimitOf::Bridge));
        }
        if hosted.saturating_add(length) > self.quota_bytes {
            return Err((self.quota_bytes, LimitOf::Quota));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_admitted_up_to_each_limit() {
        let rules = MediaRules { max_bytes: 10, quota_bytes: 25, keep: Duration::from_secs(1) };
        assert_eq!(rules.admit(10, 15), Ok(()));
        assert_eq!(rules.admit(11, 0), Err((10, LimitOf::Bridge)));
        assert_eq!(rules.admit(10, 16), Err((25, LimitOf::Quota)));
        assert_eq!(rules.admit(1, u64::MAX), Err((25, LimitOf::Quota)));
    }
}
