//! Everything outside of the bridge, in one place under one lock, and the way on which the bridge calls it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use causeway::{
    domain::{bridged::Timestamp, ids::GhostNamer},
    port::{Clock, Failure},
};

use super::{
    agenda::{Agenda, Millis, Sleep},
    dice::Dice,
    faults::{Fate, Faults, Road},
    homeserver::HomeserverState,
    journal::Journal,
    network::NetworkState,
    people::People,
    trace::Trace,
};

pub(crate) struct State {
    pub(crate) agenda: Agenda,
    pub(crate) trace: Trace,
    pub(crate) dice: Dice,
    pub(crate) faults: Faults,
    pub(crate) people: People,
    pub(crate) homeserver: HomeserverState,
    pub(crate) network: NetworkState,
    pub(crate) journal: Journal,
}

impl State {
    pub(crate) fn note(&mut self, line: &str) {
        self.trace.note(self.agenda.now(), line);
    }
}

pub(crate) struct World(Mutex<State>);

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let mut dice = Dice::new(seed, "world");
        let people = People::new(&mut dice);
        let network = NetworkState::new(seed, &people);
        Arc::new(Self(Mutex::new(State {
            agenda: Agenda::default(),
            trace: Trace::default(),
            dice,
            faults: Faults::none(),
            people,
            homeserver: HomeserverState::default(),
            network,
            journal: Journal::default(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How ghosts are named in every world.
pub(crate) fn namer() -> GhostNamer {
    GhostNamer::new([9; 32])
}

/// One life of the process.
#[derive(Default)]
pub(crate) struct Life {
    dead: AtomicBool,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    pub(crate) fn end(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// Does not return to whoever is dead.
    pub(crate) async fn goes_on(&self) {
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }
}

/// The world as one life of the process sees it: every port but storage and randomness.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
}

impl Outside {
    pub(crate) async fn pause(&self, pause: Millis) {
        Sleep::new(&self.world, pause).await;
        self.life.goes_on().await;
    }

    /// One call: it takes its time, and may fail before its effect or after it.
    pub(crate) async fn call<T: Send>(
        &self,
        road: fn(&Faults) -> Road,
        what: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        self.life.goes_on().await;
        let (takes, fate) = {
            let mut state = self.world.lock();
            let road = road(&state.faults);
            road.fate(&mut state.dice)
        };
        self.pause(takes).await;
        let done = {
            let mut state = self.world.lock();
            if matches!(fate, Fate::Before) {
                state.note(&format!("{what}: fails"));
                return Err(Failure::later("the simulated world fails"));
            }
            let done = effect(&mut state);
            let lost = if matches!(fate, Fate::After) { ", answer lost" } else { "" };
            state.note(&format!("{what}: {}{lost}", if done.is_ok() { "done" } else { "refused" }));
            done
        };
        self.pause(takes).await;
        match fate {
            Fate::After => Err(Failure::later("the simulated world's answer is lost")),
            Fate::Well | Fate::Before => done,
        }
    }
}

#[async_trait::async_trait]
impl Clock for Outside {
    fn now(&self) -> Timestamp {
        self.world.lock().agenda.wall_clock()
    }

    async fn sleep(&self, pause: std::time::Duration) {
        self.pause(Millis::try_from(pause.as_millis()).unwrap()).await;
    }
}
