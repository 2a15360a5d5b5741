//! Time, chance, and calls that are held back: what a test decides about the world around the runtime.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use causeway::{
    domain::bridged::Timestamp,
    port::{Clock, Entropy, Failure},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

/// How often something that is waited for is looked at again.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A clock that the test moves. Pauses last as long as they do, whatever the time of day is set to.
#[derive(Debug)]
pub(super) struct ManualClock {
    began_at: AtomicI64,
    passed: AtomicI64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { began_at: AtomicI64::new(1_800_000_000_000), passed: AtomicI64::new(0) }
    }
}

impl ManualClock {
    /// Lets time pass.
    pub(super) fn advance(&self, by: Duration) {
        self.passed.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Somebody sets the clock, by so many milliseconds.
    pub(super) fn set(&self, by: i64) {
        self.began_at.fetch_add(by, Ordering::SeqCst);
    }

    /// How much time has passed, in milliseconds.
    pub(super) fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.began_at.load(Ordering::SeqCst) + self.passed()
    }

    async fn sleep(&self, pause: Duration) {
        let until = self.passed() + i64::try_from(pause.as_millis()).unwrap();
        while self.passed() < until {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// The same randomness in every run.
pub(super) struct Seeded(Mutex<StdRng>);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

/// Holds calls back until it is opened, and says that one came.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    came: AtomicBool,
}

impl Gate {
    pub(super) fn close(&self) {
        self.came.store(false, Ordering::SeqCst);
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }

    /// Whether a call waits here.
    pub(super) fn is_waited_at(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    pub(super) async fn pass(&self) {
        while self.closed.load(Ordering::SeqCst) {
            self.came.store(true, Ordering::SeqCst);
            sleep(LOOK_EVERY).await;
        }
    }
}

/// What the next calls meet instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Later,
    /// It was done, but the answer does not come.
    LostAnswer,
    Never,
    Panic,
}

impl Trouble {
    pub(super) fn befall<T>(trouble: Option<Self>, answer: T) -> Result<T, Failure> {
        match trouble {
            None => Ok(answer),
            Some(Self::Later | Self::LostAnswer) => Err(Failure::later("the fake is away")),
            Some(Self::Never) => Err(Failure::never("the fake refuses")),
            Some(Self::Panic) => panic!("the fake panics"),
        }
    }
}
