//! Hints: "look into storage". Losing one costs a little time, never a fact.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use crate::domain::{ids::LoginId, item::Destination};

/// Wakes the pumps. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    inbox: Arc<Notify>,
    erasures: Arc<Notify>,
    // Never held across an await.
    outbox: Arc<Mutex<BTreeMap<Destination, Arc<Notify>>>>,
    blocklists: Arc<Mutex<BTreeMap<LoginId, Arc<Notify>>>>,
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

    /// That a person blocked somebody, or took it back.
    pub(crate) fn blocklist(&self, login: &LoginId) -> Arc<Notify> {
        let mut blocklists = self.blocklists.lock().expect("no holder of this lock can panic");
        Arc::clone(blocklists.entry(login.clone()).or_default())
    }
}
