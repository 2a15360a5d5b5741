//! The rule on identities, all of it.
//!
//! *Trust on first use, with notice.* A peer's first identity is taken as it comes. A new session under
//! another one, opened by the peer or from a bundle, is accepted and reported as
//! [`Changed`](IdentityStep::Changed): the network's own clients do the same, and the person must be told. A late message of a
//! session under an older identity is read, but turns nothing back. And nothing is ever encrypted for an
//! identity other than the one that we know the peer by.

use super::identity::RemoteIdentityKey;

/// What a step means for the identity that we know the peer by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a changed identity is stored with the record, and the person is told"]
pub enum IdentityStep {
    /// The peer is still known by this key.
    Same(RemoteIdentityKey),
    /// The first key that we see of this peer: store it.
    New(RemoteIdentityKey),
    /// The peer has another key than before: store it and tell the person.
    Changed {
        /// The key from now on.
        new: RemoteIdentityKey,
    },
}

impl IdentityStep {
    /// The key to store: the one that the peer is known by after the step.
    pub fn key(&self) -> RemoteIdentityKey {
        match *self {
            Self::Same(key) | Self::New(key) | Self::Changed { new: key } => key,
        }
    }
}

/// A session was opened under `session`, by the peer or by us from a bundle.
pub(super) fn opened(
    known: Option<&RemoteIdentityKey>,
    session: RemoteIdentityKey,
) -> IdentityStep {
    match known {
        None => IdentityStep::New(session),
        Some(known) if *known == session => IdentityStep::Same(session),
        Some(_) => IdentityStep::Changed { new: session },
    }
}

/// A session that existed before, under `session`, was used.
pub(super) fn continued(
    known: Option<&RemoteIdentityKey>,
    session: RemoteIdentityKey,
) -> IdentityStep {
    match known {
        None => IdentityStep::New(session),
        Some(known) => IdentityStep::Same(*known),
    }
}

/// Whether a plaintext may be encrypted for a session under `session`.
pub(super) fn may_encrypt(known: &RemoteIdentityKey, session: &RemoteIdentityKey) -> bool {
    known == session
}

#[cfg(test)]
mod tests {
    use super::{IdentityStep, RemoteIdentityKey, continued, may_encrypt, opened};

    const OLD: RemoteIdentityKey = RemoteIdentityKey::from_bytes([1; 32]);
    const NEW: RemoteIdentityKey = RemoteIdentityKey::from_bytes([2; 32]);

    #[test]
    fn a_new_session_reports_what_became_of_the_identity() {
        assert_eq!(opened(None, NEW), IdentityStep::New(NEW));
        assert_eq!(opened(Some(&NEW), NEW), IdentityStep::Same(NEW));
        assert_eq!(opened(Some(&OLD), NEW), IdentityStep::Changed { new: NEW });
    }

    #[test]
    fn a_late_message_of_an_older_identity_turns_nothing_back() {
        assert_eq!(continued(None, OLD), IdentityStep::New(OLD));
        assert_eq!(continued(Some(&NEW), NEW), IdentityStep::Same(NEW));
        assert_eq!(continued(Some(&NEW), OLD), IdentityStep::Same(NEW));
    }

    #[test]
    fn only_the_known_identity_is_encrypted_for() {
        assert!(may_encrypt(&NEW, &NEW));
        assert!(!may_encrypt(&NEW, &OLD));
    }
}
