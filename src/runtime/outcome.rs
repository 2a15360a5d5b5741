//! What a path decides about an inbox item. The inbox commits it; the paths know nothing else of the
//! inbox.

use crate::{
    domain::{bridged::Timestamp, ids::Lane},
    port::storage::Change,
};

/// What becomes of an item.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is done, once these changes are committed with it.
    Done(Vec<Change>),
    /// It belongs to another lane; these changes are committed with the move.
    Move { lane: Lane, changes: Vec<Change> },
    /// Not yet; these changes are true all the same.
    Wait { until: Timestamp, changes: Vec<Change> },
    /// It can never be done: set it aside, with these changes (a notice, for example).
    SetAside { reason: String, changes: Vec<Change> },
}

impl Outcome {
    /// Not yet, and nothing to say.
    pub(crate) fn wait(until: Timestamp) -> Self {
        Self::Wait { until, changes: Vec::new() }
    }

    pub(crate) fn nothing() -> Self {
        Self::Done(Vec::new())
    }
}
