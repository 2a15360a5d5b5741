//! What a person wants: what contacts see of them, and what becomes of contacts whose keys change.

use super::identity::IdentityPolicy;

/// The choices of one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Whether contacts are told that their messages were read. Whoever does not tell is not told
    /// either: that is how the network's own apps have it, and what contacts rely on.
    pub read_receipts: bool,
    /// Whether contacts are told that the person is typing.
    pub typing: bool,
    /// What becomes of a contact whose identity key changes.
    pub identity_changes: IdentityPolicy,
}

impl Default for Choices {
    fn default() -> Self {
        Self { read_receipts: true, typing: true, identity_changes: IdentityPolicy::default() }
    }
}
