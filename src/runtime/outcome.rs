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
    /// Not yet.
    Wait { until: Timestamp },
    /// It can never be done: set it aside, with these changes (a notice, for example).
    SetAside { reason: String, changes: Vec<Change> },
}

impl Outcome {
    pub(crate) fn nothing() -> Self {
        Self::Done(Vec::new())
    }
}
