//! Which connections stand, and how those that do not stand are meant.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tokio::sync::{Notify, watch};

use crate::{domain::ids::LoginId, port::NetworkLink};

/// What a person is told of their connection. The reasons are for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionState {
    #[default]
    Connecting,
    Connected,
    /// Will be tried again.
    Waiting {
        reason: String,
    },
    /// The network said no.
    Refused {
        reason: String,
    },
    /// Another connection with the same identity took its place. Not tried again before the person
    /// wants it, or a restart.
    Replaced,
    /// The network has forgotten the person. Not tried again before they agree once more.
    Lapsed,
    /// The person may not use the bridge at the moment.
    Paused,
}

impl ConnectionState {
    /// Whether nothing is tried before the person says so.
    fn rests(&self) -> bool {
        matches!(self, Self::Replaced | Self::Lapsed | Self::Paused)
    }
}

/// The live connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Links {
    // Never held across an await.
    slots: Arc<Mutex<BTreeMap<LoginId, Slot>>>,
}

#[derive(Default)]
struct Slot {
    link: Option<Arc<dyn NetworkLink>>,
    state: watch::Sender<ConnectionState>,
    wake: Arc<Notify>,
    transition: Arc<tokio::sync::Mutex<()>>,
}

impl Links {
    /// The connection of a login, if it has one now.
    pub fn link(&self, login: &LoginId) -> Option<Arc<dyn NetworkLink>> {
        self.with(login, |slot| slot.link.clone())
    }

    pub fn state(&self, login: &LoginId) -> ConnectionState {
        self.with(login, |slot| slot.state.borrow().clone())
    }

    /// To wait for a change of the state.
    pub(crate) fn watch(&self, login: &LoginId) -> watch::Receiver<ConnectionState> {
        self.with(login, |slot| slot.state.subscribe())
    }

    /// Connect now instead of at the end of the back-off: the network says that something waits. A
    /// connection that rests goes on resting.
    pub fn wake(&self, login: &LoginId) {
        self.with(login, |slot| slot.wake.notify_one());
    }

    /// The same because the person wants it, or has changed the state of the login: also ends a rest.
    pub(crate) fn rouse(&self, login: &LoginId) {
        self.with(login, |slot| {
            slot.state.send_if_modified(|state| {
                let rested = state.rests();
                if rested {
                    *state = ConnectionState::Connecting;
                }
                rested
            });
            slot.wake.notify_one();
        });
    }

    /// Held by whoever reads the state of a login and acts on it, so that nobody who read an older
    /// state undoes that the person left. Never held while the network is asked.
    pub(crate) fn transition(&self, login: &LoginId) -> Arc<tokio::sync::Mutex<()>> {
        self.with(login, |slot| Arc::clone(&slot.transition))
    }

    pub(super) fn wake_of(&self, login: &LoginId) -> Arc<Notify> {
        self.with(login, |slot| Arc::clone(&slot.wake))
    }

    /// No connection, and none is tried until [`Links::rouse`]. The caller holds the transition, so
    /// that whoever changes the login comes before or after it.
    pub(super) fn rest(&self, login: &LoginId, why: ConnectionState) {
        debug_assert!(why.rests(), "{why:?} is no rest");
        self.set(login, why, None);
    }

    /// Waits for the end of a rest.
    pub(super) async fn rested(&self, login: &LoginId) {
        let mut state = self.watch(login);
        state.wait_for(|state| !state.rests()).await.map(drop).ok();
    }

    pub(super) fn set(
        &self,
        login: &LoginId,
        state: ConnectionState,
        link: Option<Arc<dyn NetworkLink>>,
    ) {
        self.with(login, |slot| {
            slot.link = link;
            slot.state.send_replace(state);
        });
    }

    fn with<T>(&self, login: &LoginId, read: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock().expect("no holder of this lock can panic");
        read(slots.entry(login.clone()).or_default())
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_person_ends_a_rest() {
        let (links, login) = (Links::default(), LoginId("l1".to_owned()));
        for why in [ConnectionState::Replaced, ConnectionState::Lapsed, ConnectionState::Paused] {
            links.rest(&login, why.clone());
            links.wake(&login);
            assert_eq!(links.state(&login), why);
            links.rouse(&login);
            assert_eq!(links.state(&login), ConnectionState::Connecting);
        }
        let refused = ConnectionState::Refused { reason: "no".to_owned() };
        links.set(&login, refused.clone(), None);
        links.rouse(&login);
        assert_eq!(links.state(&login), refused);
    }
}
