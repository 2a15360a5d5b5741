//! Hints: "look into storage". Losing one costs a little time, never a fact.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use crate::domain::item::Destination;

/// Wakes the pumps. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    inbox: Arc<Notify>,
    erasures: Arc<Notify>,
    // Never held across an await.
    outbox: Arc<Mutex<BTreeMap<Destination, Arc<Notify>>>>,
}

impl Hints {
    pub(crate) fn inbox(&self) -> Arc<Notify> {
        Arc::clone(&self.inbox)
    }

    pub(crate) fn erasures(&self) -> Arc<Notify> {
        Arc::clone(&self.erasures)
    }

    pub(crate) fn outbox(&self, to: &Destination) -> Arc<Notify> {
        let mut outbox = self.outbox.lock().expect("no holder of this lock can panic");
        Arc::clone(outbox.entry(to.clone()).or_default())
    }
}
