//! The wish of a person that nothing of them is kept: how far it came. It must not know what is
//! deleted, or how.

use ruma::{OwnedRoomId, OwnedUserId};

use super::{
    bridged::{ActAs, Timestamp},
    ids::PortalKey,
    limits,
};

/// A wish that was not fulfilled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub person: OwnedUserId,
    /// When the network had forgotten the person and our users had left every room of theirs.
    pub left_at: Option<Timestamp>,
}

/// A room in which one of our users meets a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    pub who: ActAs,
    pub room: OwnedRoomId,
    /// The chat that it is the room of, or was; `None` for the bot, and if it is not known.
    pub chat: Option<PortalKey>,
}

impl Erasure {
    /// Whether everything may be deleted: not before what the homeserver still had for us has come, so
    /// that it is deleted with the rest.
    pub fn may_end(&self, now: Timestamp) -> bool {
        let settles = limits::millis(limits::ERASURE_SETTLES);
        // A clock that has been put back holds nobody's wish up.
        self.left_at.is_some_and(|left| now >= left + settles || now < left - settles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_deleted_before_what_was_under_way_has_come() {
        let settles = limits::millis(limits::ERASURE_SETTLES);
        let person = OwnedUserId::try_from("@alice:example.org").unwrap();
        let erasure = |left_at| Erasure { person: person.clone(), left_at };
        assert!(!erasure(None).may_end(Timestamp::MAX));
        assert!(!erasure(Some(5)).may_end(5 + settles - 1));
        assert!(erasure(Some(5)).may_end(5 + settles));
        assert!(!erasure(Some(5)).may_end(5 - settles));
        assert!(erasure(Some(5)).may_end(5 - settles - 1));
    }
}
