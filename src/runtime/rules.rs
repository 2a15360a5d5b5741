//! The operator's rules at work: who may use the bridge now, how much, and who was told that they may
//! not. Decides nothing by itself (`domain/permission.rs`, `policy.rs`, `allowance.rs`); it holds
//! what changes while the process runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};

use crate::domain::{
    allowance::{Limits, Pace, PaceTurn},
    bridged::{Login, Timestamp},
    limits,
    notice::Refusal,
    permission::{Permission, Permissions},
    policy::DenyList,
};

/// Cheap to clone; all clones share what changes.
#[derive(Clone)]
pub struct Rules {
    permissions: Arc<Permissions>,
    // None of these is ever held across an await.
    deny_list: Arc<Mutex<DenyList>>,
    pace: Arc<Mutex<Pace>>,
    refused: Arc<Mutex<Refused>>,
    changing: Arc<tokio::sync::Mutex<()>>,
}

/// Who was refused since the process began.
#[derive(Default)]
struct Refused {
    people: BTreeMap<OwnedUserId, Refusals>,
    /// Of those for whom there was no room above.
    others: u64,
}

struct Refusals {
    /// What was answered: asked about it once more, the answer is the same.
    answered: OwnedEventId,
    silently: u64,
}

impl Rules {
    pub fn new(permissions: Permissions) -> Self {
        Self {
            permissions: Arc::new(permissions),
            deny_list: Arc::default(),
            pace: Arc::default(),
            refused: Arc::default(),
            changing: Arc::default(),
        }
    }

    /// What a person may do, or why nothing.
    pub fn permission(&self, person: &UserId) -> Result<Permission, Refusal> {
        self.permission_under(&self.deny_list(), person)
    }

    /// The same under another deny list, which has no power over admins: it is not the operator who
    /// writes it.
    pub(crate) fn permission_under(
        &self,
        deny_list: &DenyList,
        person: &UserId,
    ) -> Result<Permission, Refusal> {
        match self.permissions.of(person) {
            Permission::Admin => Ok(Permission::Admin),
            Permission::Block => Err(Refusal::ByOperator),
            Permission::User => match deny_list.denial(person) {
                Some(denial) => Err(Refusal::ByDenyList { reason: denial.reason }),
                None => Ok(Permission::User),
            },
        }
    }

    pub fn may_use(&self, person: &UserId) -> bool {
        self.permission(person).is_ok()
    }

    pub fn limits(&self, person: &UserId) -> Limits {
        self.permissions.limits(person)
    }

    /// Whether there is room for a login of this person beside those that there are.
    pub fn has_room(&self, person: &UserId, logins: &[Login]) -> bool {
        let others = logins.iter().map(|login| &login.person).filter(|other| *other != person);
        let others: Vec<OwnedUserId> = others.cloned().collect();
        self.permissions.has_room(person, &others)
    }

    /// Whether an event of a login may go out now.
    pub(crate) fn turn(&self, login: &Login, event: &EventId, now: Timestamp) -> PaceTurn {
        let limit = self.limits(&login.person).messages_a_minute;
        let mut pace = self.pace.lock().expect("no holder of this lock can panic");
        pace.turn(&login.id, event, limit, now)
    }

    /// Whether a person without permission is answered: the first thing that they say is, what
    /// follows is counted in the log.
    pub(crate) fn answers_refused(&self, person: &UserId, event: &EventId) -> bool {
        let mut refused = self.refused.lock().expect("no holder of this lock can panic");
        let Refused { people, others } = &mut *refused;
        let is_known = people.contains_key(person);
        if !is_known && people.len() >= limits::REFUSED_PEOPLE_MAX {
            *others += 1;
            log_refused("so many others", *others);
            return false;
        }
        let new = || Refusals { answered: event.to_owned(), silently: 0 };
        let refusals = people.entry(person.to_owned()).or_insert_with(new);
        if refusals.answered == event {
            return true;
        }
        refusals.silently += 1;
        log_refused(person.as_str(), refusals.silently);
        false
    }

    /// Whether a person was refused since the process began.
    pub(crate) fn was_refused(&self, person: &UserId) -> bool {
        let refused = self.refused.lock().expect("no holder of this lock can panic");
        refused.people.contains_key(person)
    }

    pub(crate) fn follows(&self, room: &RoomId) -> bool {
        self.deny_list().follows(room)
    }

    /// Held by whoever changes the deny list, from reading it to replacing it.
    pub(crate) fn changing(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.changing)
    }

    pub(crate) fn current_deny_list(&self) -> DenyList {
        self.deny_list().clone()
    }

    pub(crate) fn replace_deny_list(&self, deny_list: DenyList) {
        *self.deny_list() = deny_list;
    }

    fn deny_list(&self) -> MutexGuard<'_, DenyList> {
        self.deny_list.lock().expect("no holder of this lock can panic")
    }
}

/// At the first, second, fourth, eighth … time, so that a flood does not flood the log.
fn log_refused(who: &str, times: u64) {
    if times.is_power_of_two() {
        tracing::warn!(who, times, "refused without an answer");
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules(…)")
    }
}
