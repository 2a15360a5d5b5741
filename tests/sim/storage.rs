//! The real storage, as the simulation has it: each call is over before anything else happens, since how fast
//! a disk is must not decide what a seed means; and the process may die at any write.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use causeway::{
    domain::bridged::Timestamp,
    port::{
        Failure, Storage as _,
        storage::{Change, InboxDraft, Intake, IntakeKey},
    },
    storage::SqlStorage,
};
use tokio::runtime::Handle;

use super::{
    agenda::Millis,
    journal::Noted,
    watched_storage::{Watch, WatchedStorage},
    world::{Outside, State},
};

pub(crate) type SimStorage = WatchedStorage<Keeper>;

/// The write at which the process dies.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Writes that happen before it.
    pub(crate) writes: u64,
    /// Whether the write itself happens; nobody hears of it.
    pub(crate) is_after: bool,
}

pub(crate) struct Keeper {
    outside: Outside,
    /// Where the database driver's own tasks live.
    database: Handle,
    cut: Mutex<Option<Cut>>,
    /// Calls at one moment, and which moment.
    calls: Mutex<(Millis, u32)>,
}

/// More calls without any time passing are a process that runs in a circle.
const CALLS_AT_ONCE_MAX: u32 = 50_000;

impl Keeper {
    pub(crate) fn new(outside: Outside, database: Handle, cut: Option<Cut>) -> Self {
        Self { outside, database, cut: Mutex::new(cut), calls: Mutex::default() }
    }

    /// A process that would never come to rest is ended: the run has failed.
    fn count(&self) {
        let state = &mut *self.outside.world.lock();
        let (moment, count) = &mut *self.calls.lock().unwrap();
        let now = state.agenda.now();
        *count = if *moment == now { *count + 1 } else { 0 };
        *moment = now;
        if *count > CALLS_AT_ONCE_MAX {
            state.journal.broken.push("the process runs in a circle".to_owned());
            self.outside.life.end();
        }
    }

    /// From now on the process lives.
    pub(crate) fn spare(&self) {
        *self.cut.lock().unwrap() = None;
    }

    /// Whether the process dies at this write, and whether after it.
    fn falls(&self) -> Option<bool> {
        let cut = &mut *self.cut.lock().unwrap();
        let due = cut.as_mut()?;
        if due.writes == 0 {
            return Some(due.is_after);
        }
        due.writes -= 1;
        None
    }

    async fn write<T>(
        &self,
        what: &str,
        writing: impl Future<Output = Result<T, Failure>>,
        note: impl FnOnce(&mut State, &T),
    ) -> Result<T, Failure> {
        self.count();
        self.outside.life.goes_on().await;
        let falls = self.falls();
        if falls == Some(false) {
            self.outside.world.lock().note(&format!("dies before{what}"));
            self.outside.life.end();
        }
        self.outside.life.goes_on().await;
        let written = settle(&self.database, writing);
        {
            let mut state = self.outside.world.lock();
            let outcome = if written.is_ok() { "" } else { ": refused" };
            state.note(&format!("commits{what}{outcome}"));
            if let Ok(written) = &written {
                note(&mut state, written);
            }
            if falls == Some(true) {
                state.note("dies after it");
                self.outside.life.end();
            }
        }
        self.outside.life.goes_on().await;
        written
    }
}

impl Watch for Keeper {
    async fn read<T: Send>(
        &self,
        _what: &'static str,
        reading: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.count();
        self.outside.life.goes_on().await;
        settle(&self.database, reading)
    }

    async fn commit(&self, inner: &SqlStorage, changes: Vec<Change>) -> Result<(), Failure> {
        let noted = Noted::of(&changes);
        let line = noted.line.clone();
        let note = |state: &mut State, (): &()| state.journal.committed(noted);
        self.write(&line, inner.commit(changes), note).await
    }

    async fn take_in(
        &self,
        inner: &SqlStorage,
        key: IntakeKey,
        drafts: Vec<InboxDraft>,
        at: Timestamp,
    ) -> Result<Intake, Failure> {
        let noted = drafts.iter().map(|it| InboxDraft {
            lane: it.lane.clone(),
            item: it.item.clone(),
            received_at: it.received_at,
        });
        let noted: Vec<InboxDraft> = noted.collect();
        let note = |state: &mut State, taken: &Intake| {
            state.note(&format!("is {taken:?}"));
            if *taken == Intake::Stored {
                state.journal.taken_in(&noted);
            }
        };
        self.write(&format!(" intake {key:?}"), inner.take_in(key, drafts, at), note).await
    }
}

/// Waits for the database and for nothing else. Whoever else could run waits as well.
pub(crate) fn settle<T>(database: &Handle, future: impl Future<Output = T>) -> T {
    struct Parked(Thread);
    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let _entered = database.enter();
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    // Not counted against the task that is at work: it could never yield here.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
