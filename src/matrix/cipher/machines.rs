//! The machines that are loaded, each behind its own lock.
//!
//! There is never a second machine for a user while the first is alive, loaded or in use: two
//! of them on one store would both advance the same ratchets.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use lru::LruCache;
use matrix_sdk_crypto::OlmMachine;
use ruma::OwnedUserId;
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};

use super::failure::from_store;
use crate::{
    domain::bridged::ActAs,
    matrix::client::MatrixHomeserver,
    port::{Failure, Homeserver as _, KeyStores},
};

/// Machines that are kept loaded; one takes about 50 KiB and loads in about 3 ms
/// (appservice facts, 3).
pub(super) const MACHINES_MAX: usize = 256;

/// A user's machine, loaded.
pub(super) struct Machine {
    pub(super) who: ActAs,
    pub(super) user: OwnedUserId,
    pub(super) olm: OlmMachine,
    /// Whether this process knows that device and cross-signing keys are published.
    pub(super) prepared: bool,
}

/// A machine that nobody else uses as long as this lives.
pub(super) type OpenMachine = OwnedMappedMutexGuard<Option<Machine>, Machine>;

/// The place of a user's machine, without one.
pub(super) type EmptySlot = OwnedMutexGuard<Option<Machine>>;

type Slot = tokio::sync::Mutex<Option<Machine>>;

pub(super) struct Machines {
    homeserver: Arc<MatrixHomeserver>,
    stores: Arc<dyn KeyStores>,
    slots: Mutex<Slots>,
}

struct Slots {
    recent: LruCache<ActAs, Arc<Slot>>,
    /// Every slot that is alive: the recent ones, and evicted ones that are still in use.
    alive: BTreeMap<ActAs, Weak<Slot>>,
}

impl Machines {
    pub(super) fn new(homeserver: Arc<MatrixHomeserver>, stores: Arc<dyn KeyStores>) -> Self {
        let limit = NonZeroUsize::new(MACHINES_MAX).expect("the limit is not zero");
        let slots = Slots { recent: LruCache::new(limit), alive: BTreeMap::new() };
        Self { homeserver, stores, slots: Mutex::new(slots) }
    }

    /// The user's machine; it comes into being if there is none.
    pub(super) async fn open(&self, who: &ActAs) -> Result<OpenMachine, Failure> {
        let mut guard = self.slot(who).lock_owned().await;
        if guard.is_none() {
            *guard = Some(self.load(who).await?);
        }
        Ok(loaded(guard))
    }

    /// The user's machine, if there ever was one.
    pub(super) async fn open_existing(&self, who: &ActAs) -> Result<Option<OpenMachine>, Failure> {
        let mut guard = self.slot(who).lock_owned().await;
        if guard.is_none() {
            let user = self.homeserver.user_id(who);
            let store = self.stores.crypto_store(&user, self.homeserver.device());
            let account = store.load_account().await.map_err(from_store("loading an account"))?;
            if account.is_none() {
                return Ok(None);
            }
            *guard = Some(self.load(who).await?);
        }
        Ok(Some(loaded(guard)))
    }

    /// Drops the user's machine when nobody uses it. As long as the result lives there is none.
    pub(super) async fn unload(&self, who: &ActAs) -> EmptySlot {
        let mut guard = self.slot(who).lock_owned().await;
        *guard = None;
        guard
    }

    async fn load(&self, who: &ActAs) -> Result<Machine, Failure> {
        let user = self.homeserver.user_id(who);
        let device = self.homeserver.device();
        let store = self.stores.crypto_store(&user, device);
        let olm = OlmMachine::with_store(&user, device, store, None)
            .await
            .map_err(from_store("loading a machine"))?;
        // What changed while nobody had this machine loaded may have been told to nobody: Synapse
        // drops device lists from transactions that it repeats.
        let marked = olm.mark_all_tracked_users_as_dirty().await;
        marked.map_err(from_store("marking device lists as outdated"))?;
        Ok(Machine { who: who.clone(), user, olm, prepared: false })
    }

    fn slot(&self, who: &ActAs) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(who)
    }
}

impl Slots {
    fn get(&mut self, who: &ActAs) -> Arc<Slot> {
        if let Some(slot) = self.recent.get(who) {
            return Arc::clone(slot);
        }
        let slot = self.alive.get(who).and_then(Weak::upgrade).unwrap_or_default();
        self.recent.push(who.clone(), Arc::clone(&slot));
        self.alive.insert(who.clone(), Arc::downgrade(&slot));
        if self.alive.len() > 2 * self.recent.cap().get() {
            self.alive.retain(|_, slot| slot.strong_count() > 0);
        }
        slot
    }
}

fn loaded(guard: OwnedMutexGuard<Option<Machine>>) -> OpenMachine {
    OwnedMutexGuard::map(guard, |slot| slot.as_mut().expect("the slot was filled under this lock"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::GhostKey;

    fn ghost(n: usize) -> ActAs {
        ActAs::Ghost(GhostKey(n.to_string()))
    }

    fn slots() -> Slots {
        let recent = LruCache::new(NonZeroUsize::new(MACHINES_MAX).unwrap());
        Slots { recent, alive: BTreeMap::new() }
    }

    #[test]
    fn the_least_recent_machine_goes_one_past_the_limit() {
        let mut slots = slots();
        let first = Arc::downgrade(&slots.get(&ghost(0)));
        for n in 1..MACHINES_MAX {
            slots.get(&ghost(n));
        }
        assert_eq!(first.strong_count(), 1);
        slots.get(&ghost(MACHINES_MAX));
        assert_eq!(first.strong_count(), 0);
    }

    #[test]
    fn a_machine_in_use_survives_its_eviction() {
        let mut slots = slots();
        let in_use = slots.get(&ghost(0));
        for n in 1..=3 * MACHINES_MAX {
            slots.get(&ghost(n));
        }
        assert!(Arc::ptr_eq(&in_use, &slots.get(&ghost(0))));
        assert!(slots.alive.len() <= 2 * MACHINES_MAX);
    }
}
