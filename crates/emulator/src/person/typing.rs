//! Who was seen typing to a simulated person, for the control face.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::{limits::TYPING_MAX, router::Activity};

/// One sign of life.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Typed {
    /// JID as this person sees it.
    pub(crate) from: String,
    pub(crate) state: Activity,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TypingLog(Mutex<Vec<Typed>>);

impl TypingLog {
    /// Lists one; the oldest give way.
    pub(crate) fn add(&self, from: String, state: Activity) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= TYPING_MAX {
            log.remove(0);
        }
        log.push(Typed { from, state });
    }

    pub(crate) fn all(&self) -> Vec<Typed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
