//! The real storage, cut off at one write: from there on nothing of it ever answers, as after the death of the
//! process.

use std::{
    future::pending,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use causeway::{
    domain::bridged::Timestamp,
    port::{
        Failure, Storage as _,
        storage::{Change, InboxDraft, Intake, IntakeKey},
    },
    storage::SqlStorage,
};

use super::surroundings::Gate;
use crate::watched_storage::{Watch, WatchedStorage};

/// Where the storage is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Never,
    /// The write with this number does not happen.
    Before(u64),
    /// The write with this number happens, and nobody hears of it.
    After(u64),
}

/// Tells a story again and again, cut at each of its writes in turn, until it ends before the cut. `told`
/// says whether the process died; `writes` are the bounds between which such a story ends.
pub(super) async fn at_every_write<Told: Future<Output = bool>>(
    cut: fn(u64) -> Cut,
    writes: Range<u64>,
    told: impl Fn(Cut) -> Told,
) {
    let mut number = 1;
    while told(cut(number)).await {
        number += 1;
        assert!(number < writes.end, "the story writes without end");
    }
    assert!(number > writes.start, "only {number} cuts were tried");
}

pub(super) type CutStorage = WatchedStorage<Cutter>;

pub(super) struct Cutter {
    cut: Cut,
    writes: AtomicU64,
    pub(super) dead: AtomicBool,
    /// Holds whoever has read a login and not acted on it yet.
    pub(super) read_login: Gate,
    /// Quarantined rows and why, as the operator's log has them.
    set_aside: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Cutter {
    pub(super) fn new(cut: Cut, set_aside: Arc<std::sync::Mutex<Vec<String>>>) -> Self {
        Self {
            cut,
            writes: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            read_login: Gate::default(),
            set_aside,
        }
    }

    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        pending::<()>().await;
    }

    async fn write<T>(&self, writing: impl Future<Output = T> + Send) -> T {
        self.alive().await;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.cut == Cut::Before(number) {
            self.die().await;
        }
        let written = writing.await;
        if self.cut == Cut::After(number) {
            self.die().await;
        }
        written
    }
}

/// Every question goes to the real storage for as long as the process lives.
impl Watch for Cutter {
    async fn read<T: Send>(
        &self,
        what: &'static str,
        reading: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.alive().await;
        let read = reading.await;
        if what == "login" {
            self.read_login.pass().await;
        }
        read
    }

    async fn commit(&self, inner: &SqlStorage, changes: Vec<Change>) -> Result<(), Failure> {
        let reasons: Vec<String> = changes.iter().filter_map(reason).collect();
        let written = self.write(inner.commit(changes)).await;
        if written.is_ok() {
            self.set_aside.lock().unwrap().extend(reasons);
        }
        written
    }

    async fn take_in(
        &self,
        inner: &SqlStorage,
        key: IntakeKey,
        drafts: Vec<InboxDraft>,
        at: Timestamp,
    ) -> Result<Intake, Failure> {
        self.write(inner.take_in(key, drafts, at)).await
    }
}

/// Why a row is set aside.
fn reason(change: &Change) -> Option<String> {
    match change {
        Change::InboxQuarantined { reason, .. } | Change::OutboxQuarantined { reason, .. } => {
            Some(reason.clone())
        }
        _ => None,
    }
}
