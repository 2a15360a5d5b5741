//! What becomes of a contact whose identity key is another one than before: who holds the new key may
//! be the same person with a new phone, or somebody in between. The person's policy decides.
//!
//! A key is known by a Signal step or a bundle that shows it; nothing here knows of either.

use std::{collections::BTreeMap, fmt};

use crate::signal::RemoteIdentityKey;

/// What a person wants to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityPolicy {
    /// Go on, and say so.
    #[default]
    Notify,
    /// Nothing is shown or sent until the person confirms.
    Hold,
    /// The contact is blocked.
    Block,
}

/// The keys in which a step differs from what was known, by the contact's device.
pub type ChangedKeys = BTreeMap<u16, RemoteIdentityKey>;

/// What a person knows and has said of a contact's keys, besides the one that each session holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContactKeys {
    /// Counts the writes, so that of two at once the later is decided anew.
    pub version: u32,
    /// Seen, and not confirmed: until then nothing is shown of the contact or sent to them.
    pub pending: ChangedKeys,
    /// The person has said yes to these, whatever was known before.
    pub confirmed: ChangedKeys,
    /// The key whose safety number the person has compared.
    pub verified: Option<RemoteIdentityKey>,
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Go on, and tell the person.
    Tell,
    /// Undo the step and keep what it was about until the person confirms.
    Hold,
    /// Undo the step and block the contact.
    Block,
}

impl ContactKeys {
    /// Whether nothing may be shown or sent at the moment.
    pub fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What becomes of a step in which these keys are not the known ones.
    pub fn verdict(&self, policy: IdentityPolicy, changed: &ChangedKeys) -> Verdict {
        // Whatever waits, waits, also when the person has become less careful meanwhile.
        if self.are_pending() {
            return Verdict::Hold;
        }
        if changed.iter().all(|(device, key)| self.confirmed.get(device) == Some(key)) {
            return Verdict::GoOn;
        }
        match policy {
            IdentityPolicy::Notify => Verdict::Tell,
            IdentityPolicy::Hold => Verdict::Hold,
            IdentityPolicy::Block => Verdict::Block,
        }
    }

    /// What is known after that verdict. A comparison of another key than the new ones is void.
    #[must_use]
    pub fn after(&self, verdict: Verdict, changed: &ChangedKeys) -> Self {
        let mut keys = self.clone();
        match verdict {
            Verdict::GoOn => return keys,
            // A key that was confirmed once must not come back unsaid.
            Verdict::Tell => keys.confirmed.clear(),
            Verdict::Hold | Verdict::Block => keys.pending.extend(changed),
        }
        keys.verified = keys.verified.filter(|key| changed.values().all(|new| new == key));
        keys
    }

    /// The person confirms every key that waits.
    #[must_use]
    pub fn confirmed(&self) -> Self {
        let (confirmed, pending) = (self.pending.clone(), ChangedKeys::new());
        Self { pending, confirmed, ..self.clone() }
    }

    /// The person has compared the safety number of this key, which says more than a confirmation.
    #[must_use]
    pub fn verified(&self, key: RemoteIdentityKey) -> Self {
        let mut keys = self.clone();
        keys.verified = Some(key);
        let (compared, pending) = self.pending.iter().partition(|(_, new)| **new == key);
        keys.pending = pending;
        if self.are_pending() {
            keys.confirmed = compared;
        }
        keys
    }

    /// The person has compared the safety number of this key, and it is another one on the other side.
    #[must_use]
    pub fn differed(&self, key: RemoteIdentityKey) -> Self {
        Self { verified: self.verified.filter(|verified| *verified != key), ..self.clone() }
    }
}

impl fmt::Debug for ContactKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, pending, confirmed, verified } = self;
        f.debug_struct("ContactKeys")
            .field("version", version)
            .field("pending", &pending.len())
            .field("confirmed", &confirmed.len())
            .field("verified", &verified.is_some())
            .finish()
    }
}

impl IdentityPolicy {
    pub const ALL: [Self; 3] = [Self::Notify, Self::Hold, Self::Block];

    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }

    /// The inverse of [`IdentityPolicy::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

#[cfg(test)]
mod tests;
