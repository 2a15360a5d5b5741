//! The ledger: what was agreed to, asked and taken back, by whom and when. It only grows; `erase` is
//! the one thing that ends it.

use ruma::{OwnedEventId, OwnedUserId};

use crate::domain::{
    bridged::Timestamp,
    ids::{GhostKey, LoginId},
};

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The person agreed to the consent text.
    OptedIn,
    /// The person logged out.
    OptedOut,
    /// The network had forgotten the person.
    Lapsed,
    /// The contact asked to write.
    Requested,
    Approved,
    Declined,
    Paused,
    Resumed,
    Blocked,
    Unblocked,
    /// The person reported the contact to the network.
    Reported,
    /// The person left the chat.
    Revoked,
    /// The request was not answered in time.
    Expired,
    /// The person confirmed new keys of the contact.
    Confirmed,
    /// The person compared the safety number, and it is the same on the other side.
    Verified,
    /// The same, and it is another one.
    Differed,
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub person: OwnedUserId,
    pub login: Option<LoginId>,
    /// The contact that it is about; `None` if it is about the login.
    pub ghost: Option<GhostKey>,
    pub act: Act,
    /// Which consent text was agreed to.
    pub text_version: Option<u32>,
    /// The Matrix event by which the person did it, if it was one.
    pub cause: Option<OwnedEventId>,
    pub at: Timestamp,
}

impl Act {
    pub const ALL: [Self; 16] = [
        Self::OptedIn,
        Self::OptedOut,
        Self::Lapsed,
        Self::Requested,
        Self::Approved,
        Self::Declined,
        Self::Paused,
        Self::Resumed,
        Self::Blocked,
        Self::Unblocked,
        Self::Reported,
        Self::Revoked,
        Self::Expired,
        Self::Confirmed,
        Self::Verified,
        Self::Differed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::OptedIn => "opted-in",
            Self::OptedOut => "opted-out",
            Self::Lapsed => "lapsed",
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Reported => "reported",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Confirmed => "confirmed",
            Self::Verified => "verified",
            Self::Differed => "differed",
        }
    }

    /// The inverse of [`Act::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_survives_its_name() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.name()), Some(act));
        }
        assert_eq!(Act::from_name("agreed"), None);
    }
}
