//! The running network: the world behind its lock, who is connected, what tasks run. It must not know how anything looks on
//! the wire; what may be sent to whom is decided in `router`.
//!
//! Locks are taken one at a time and never held across an await, except a person's own engine, which comes before all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering},
};

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    chat::Certificates,
    faults::Faults,
    limits::{CONNECTIONS_MAX, SIGNS_MAX},
    media::MediaService,
    person::Actor,
    router::Sign,
    token::{PushSigner, TokenVerifier},
    world::{AccountId, DeviceKey, World},
};

/// What the network tells a connection to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Another connection of the same device took over.
    Replaced,
    /// End it without a word.
    Close,
    /// End it because the account is gone.
    LoggedOut,
}

/// The network's hold on one connection.
#[derive(Debug, Clone)]
pub(crate) struct SessionHandle {
    serial: u64,
    pub(crate) wake: Arc<Notify>,
    orders: mpsc::Sender<Order>,
    signs: mpsc::Sender<Sign>,
}

/// What a connection gets when it is attached.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) serial: u64,
    pub(crate) wake: Arc<Notify>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) signs: mpsc::Receiver<Sign>,
}

/// See the module.
pub(crate) struct Network {
    world: Mutex<World>,
    sessions: Mutex<BTreeMap<DeviceKey, SessionHandle>>,
    actors: Mutex<BTreeMap<u64, Arc<Actor>>>,
    pushes_due: Mutex<BTreeSet<u64>>,
    pub(crate) push_wake: Notify,
    pub(crate) pushes_sent: AtomicU64,
    pub(crate) pushes_failed: AtomicU64,
    pub(crate) faults: Faults,
    pub(crate) media: MediaService,
    pub(crate) certificates: Certificates,
    pub(crate) tokens: TokenVerifier,
    pub(crate) signer: PushSigner,
    pub(crate) pairings: crate::chat::Pairings,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    serial: AtomicU64,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network(…)")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not silence the whole emulator: state is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    pub(crate) fn new(
        world: World,
        certificates: Certificates,
        tokens: TokenVerifier,
        signer: PushSigner,
        media: MediaService,
    ) -> Self {
        Self {
            world: Mutex::new(world),
            sessions: Mutex::default(),
            actors: Mutex::default(),
            pushes_due: Mutex::default(),
            push_wake: Notify::new(),
            pushes_sent: AtomicU64::new(0),
            pushes_failed: AtomicU64::new(0),
            faults: Faults::default(),
            media,
            certificates,
            tokens,
            signer,
            pairings: crate::chat::Pairings::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            serial: AtomicU64::new(1),
        }
    }

    /// Reads or changes the world in one step.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut World) -> T) -> T {
        step(&mut lock(&self.world))
    }

    /// A number that was not given out before.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a connection the one of a device; an older one is told that it was replaced.
    pub(crate) fn attach(&self, key: DeviceKey) -> Attachment {
        let (orders, received) = mpsc::channel(4);
        let serial = self.next_serial();
        let wake = Arc::new(Notify::new());
        let (signs, shown) = mpsc::channel(SIGNS_MAX);
        let handle = SessionHandle { serial, wake: Arc::clone(&wake), orders, signs };
        if let Some(older) = lock(&self.sessions).insert(key, handle) {
            order(&older, Order::Replaced);
        }
        Attachment { serial, wake, orders: received, signs: shown }
    }

    /// Forgets a connection, unless a newer one took its place.
    pub(crate) fn detach(&self, key: DeviceKey, serial: u64) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&key).is_some_and(|handle| handle.serial == serial) {
            sessions.remove(&key);
        }
    }

    pub(crate) fn is_connected(&self, key: DeviceKey) -> bool {
        lock(&self.sessions).contains_key(&key)
    }

    pub(crate) fn connected_count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Gives an order to the connection of a device. Says whether there is one.
    pub(crate) fn tell(&self, key: DeviceKey, what: Order) -> bool {
        lock(&self.sessions).get(&key).is_some_and(|handle| order(handle, what))
    }

    /// Shows a sign of life to the connection of a device. It is lost if there is none, or if it is busy.
    pub(crate) fn show(&self, key: DeviceKey, sign: Sign) {
        let sessions = lock(&self.sessions);
        if sessions.get(&key).is_some_and(|handle| handle.signs.try_send(sign).is_err()) {
            tracing::debug!("a sign of typing was lost");
        }
    }

    /// Tells every connection to look at its mailbox and faults again.
    pub(crate) fn wake_all(&self) {
        for handle in lock(&self.sessions).values() {
            handle.wake.notify_one();
        }
    }

    /// Something is new in the mailbox of a device: its connection, its actor or a push will see to it.
    pub(crate) fn wake(&self, key: DeviceKey) {
        if let Some(handle) = lock(&self.sessions).get(&key) {
            handle.wake.notify_one();
            return;
        }
        match key.account {
            AccountId::Person(phone) if key.device == 0 => {
                if let Some(actor) = self.actor(phone) {
                    actor.wake.notify_one();
                }
            }
            AccountId::Person(_) => {}
            AccountId::Partner(account) => {
                lock(&self.pushes_due).insert(account);
                self.push_wake.notify_one();
            }
        }
    }

    /// The accounts that are to be pushed to now.
    pub(crate) fn take_pushes_due(&self) -> BTreeSet<u64> {
        std::mem::take(&mut lock(&self.pushes_due))
    }

    pub(crate) fn actor(&self, phone: u64) -> Option<Arc<Actor>> {
        lock(&self.actors).get(&phone).cloned()
    }

    /// Starts playing a person's phone.
    pub(crate) fn start_actor(self: &Arc<Self>, actor: Actor) {
        let actor = Arc::new(actor);
        lock(&self.actors).insert(actor.phone, Arc::clone(&actor));
        let network = Arc::clone(self);
        self.tasks.spawn(async move { actor.run(&network).await });
    }
}

fn order(handle: &SessionHandle, what: Order) -> bool {
    // A full queue means that the connection was told to end several times already.
    handle.orders.try_send(what).is_ok()
}
