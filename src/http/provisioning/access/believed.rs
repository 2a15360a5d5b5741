//! OpenID tokens that need not be asked about again. It must not know the tokens themselves, but their
//! hashes alone.

use std::collections::BTreeMap;

use ruma::UserId;
use sha2::{Digest as _, Sha256};

use crate::domain::{bridged::Timestamp, limits};

/// Tokens that a homeserver has vouched for, by their hash, and until when that counts.
#[derive(Default)]
pub(super) struct Believed(BTreeMap<[u8; 32], Timestamp>);

impl Believed {
    /// Of the token and the person both: one person's token is nobody else's.
    pub(super) fn key(person: &UserId, token: &str) -> [u8; 32] {
        // A Matrix id has no line break.
        Sha256::new().chain_update(person).chain_update("\n").chain_update(token).finalize().into()
    }

    pub(super) fn knows(&self, key: &[u8; 32], now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|until| now < *until)
    }

    pub(super) fn add(&mut self, key: [u8; 32], now: Timestamp) {
        self.0.retain(|_, until| now < *until);
        if self.0.len() < limits::OPENID_TOKENS_MAX {
            self.0.insert(key, now + limits::millis(limits::OPENID_TOKEN_KEPT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_believed_at_the_limit_and_one_past_it() {
        let mut believed = Believed::default();
        let person = ruma::user_id!("@alice:example.org");
        let key = |n: usize| Believed::key(person, &n.to_string());
        for n in 0..=limits::OPENID_TOKENS_MAX {
            believed.add(key(n), 0);
        }
        let kept = limits::millis(limits::OPENID_TOKEN_KEPT);
        assert!(believed.knows(&key(limits::OPENID_TOKENS_MAX - 1), kept - 1));
        assert!(!believed.knows(&key(limits::OPENID_TOKENS_MAX), 0), "one too many is asked again");
        assert!(!believed.knows(&key(0), kept));
        believed.add(key(limits::OPENID_TOKENS_MAX), kept);
        assert_eq!(believed.0.len(), 1);
    }
}
