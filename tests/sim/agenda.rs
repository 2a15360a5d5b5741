//! Simulated time: what is to happen and when. Nothing else makes time pass, so a run takes as long as it
//! computes, and the same things happen at the same time in every run of a seed.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use causeway::domain::{bridged::Timestamp, ids::LoginId};

use super::{homeserver::pushing::Push, network::Mail, world::World};

/// Since the beginning of the world. Never goes back.
pub(crate) type Millis = u64;

/// What the clocks of the bridge's machine show at the beginning.
const WALL_CLOCK_BEGINS: Timestamp = 1_800_000_000_000;

pub(crate) enum Happening {
    /// Somebody of the bridge or on the way to it has slept long enough.
    Wake(Arc<Sleeper>),
    PersonWrites {
        chat: usize,
    },
    ContactWrites {
        chat: usize,
    },
    /// The person accepts an invite.
    PersonJoins {
        chat: usize,
    },
    /// Another server brings a room key to the homeserver.
    RoomKeyComes {
        key: String,
    },
    /// The homeserver looks whether it has something to push.
    Push,
    /// A transaction reaches the bridge. A double of one is nobody's to wait for.
    PushArrives {
        push: Push,
        is_double: bool,
    },
    /// The homeserver has an answer, or none in time.
    PushEnds {
        number: u64,
        is_taken: bool,
    },
    Deliver {
        login: LoginId,
        connection: u64,
        stanza: u64,
    },
    /// The contact's device has something for the bridge.
    Post {
        login: LoginId,
        mail: Mail,
    },
    /// From now on nothing passes any more, and neither side knows.
    FallsSilent {
        login: LoginId,
        connection: u64,
    },
    Breaks {
        login: LoginId,
        connection: u64,
    },
    /// A contact's device forgets its sessions.
    SessionLost {
        contact: usize,
    },
    /// Strangers use up the keys that the network gives out.
    PreKeysTaken {
        login: LoginId,
    },
    WallClockJumps {
        by: i64,
    },
    ProcessDies,
    ProcessIsStopped,
    /// It was given long enough to stop.
    StopIsEnforced {
        life: u32,
    },
    ProcessBegins,
    /// Faults end.
    Peace,
}

#[derive(Default)]
pub(crate) struct Agenda {
    now: Millis,
    /// How far the wall clock is off.
    jumped: i64,
    entries: BTreeMap<(Millis, u64), Happening>,
    count: u64,
}

impl Agenda {
    pub(crate) fn now(&self) -> Millis {
        self.now
    }

    pub(crate) fn wall_clock(&self) -> Timestamp {
        WALL_CLOCK_BEGINS + i64::try_from(self.now).unwrap() + self.jumped
    }

    pub(crate) fn jump(&mut self, by: i64) {
        self.jumped += by;
    }

    pub(crate) fn after(&mut self, pause: Millis, what: Happening) {
        self.at(self.now + pause, what);
    }

    pub(crate) fn at(&mut self, time: Millis, what: Happening) {
        self.count += 1;
        self.entries.insert((time.max(self.now), self.count), what);
    }

    /// Goes on to the next thing that happens before `end`.
    pub(crate) fn next(&mut self, end: Millis) -> Option<Happening> {
        let entry = self.entries.first_entry()?;
        let &(time, _) = entry.key();
        if time >= end {
            self.now = self.now.max(end);
            return None;
        }
        self.now = time;
        Some(entry.remove())
    }
}

/// Whom to wake, unless they wait no more.
#[derive(Default)]
pub(crate) struct Sleeper(Mutex<Option<Waker>>);

impl Sleeper {
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.0.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// Waits until a time of the agenda.
pub(crate) struct Sleep {
    world: Arc<World>,
    until: Millis,
    sleeper: Option<Arc<Sleeper>>,
}

impl Sleep {
    pub(crate) fn new(world: &Arc<World>, pause: Millis) -> Self {
        let until = world.lock().agenda.now() + pause;
        Self { world: Arc::clone(world), until, sleeper: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (world, until) = (Arc::clone(&self.world), self.until);
        let agenda = &mut world.lock().agenda;
        if agenda.now() >= until {
            return Poll::Ready(());
        }
        let sleeper = self.sleeper.get_or_insert_with(|| {
            let sleeper = Arc::<Sleeper>::default();
            agenda.at(until, Happening::Wake(Arc::clone(&sleeper)));
            sleeper
        });
        *sleeper.0.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(sleeper) = &self.sleeper {
            *sleeper.0.lock().unwrap() = None;
        }
    }
}
