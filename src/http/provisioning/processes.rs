//! Logins that people have begun and not ended. In memory: a restart forgets them, and nobody has
//! agreed to anything by beginning one.

use std::{collections::BTreeMap, sync::Mutex};

use ruma::{OwnedUserId, UserId};

use crate::domain::{bridged::Timestamp, limits};

/// What a login waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The person's answer to the consent text.
    Consent,
    /// The network.
    Connection,
}

impl Step {
    /// Its name in the API.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Consent => "eu.causeway.consent",
            Self::Connection => "eu.causeway.connection",
        }
    }
}

#[derive(Debug)]
struct Process {
    person: OwnedUserId,
    step: Step,
    until: Timestamp,
}

/// Every one under way. The lock is never held across an await.
#[derive(Debug, Default)]
pub(super) struct Processes(Mutex<BTreeMap<String, Process>>);

impl Processes {
    /// Begins one; one that the person began before is forgotten.
    pub(super) fn begin(&self, id: String, person: &UserId, step: Step, now: Timestamp) {
        let mut processes = self.0.lock().expect("no holder of this lock can panic");
        processes.retain(|_, process| process.until > now && process.person != person);
        if processes.len() >= limits::LOGIN_PROCESSES_MAX {
            let oldest = processes.iter().min_by_key(|(_, process)| process.until);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                processes.remove(&id);
            }
        }
        let until = now + limits::millis(limits::LOGIN_PROCESS_LASTS);
        processes.insert(id, Process { person: person.to_owned(), step, until });
    }

    /// What a login of the person waits for.
    pub(super) fn step(&self, id: &str, person: &UserId, now: Timestamp) -> Option<Step> {
        let processes = self.0.lock().expect("no holder of this lock can panic");
        let process = processes.get(id)?;
        (process.person == person && process.until > now).then_some(process.step)
    }

    /// The login goes from one step to another; `false` if it did so already or was forgotten.
    pub(super) fn advance(&self, id: &str, from: Step, to: Step) -> bool {
        let mut processes = self.0.lock().expect("no holder of this lock can panic");
        let process = processes.get_mut(id).filter(|process| process.step == from);
        process.map(|process| process.step = to).is_some()
    }

    /// Whatever the person has begun is over.
    pub(super) fn forget(&self, person: &UserId) {
        let mut processes = self.0.lock().expect("no holder of this lock can panic");
        processes.retain(|_, process| process.person != person);
    }

    pub(super) fn end(&self, id: &str) {
        self.0.lock().expect("no holder of this lock can panic").remove(id);
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn a_login_is_its_persons_and_lasts_for_a_while() {
        let (alice, bob) = (user_id!("@alice:example.org"), user_id!("@bob:example.org"));
        let processes = Processes::default();
        processes.begin("1".to_owned(), alice, Step::Consent, 0);
        assert_eq!(processes.step("1", alice, 0), Some(Step::Consent));
        assert_eq!(processes.step("1", bob, 0), None);
        assert_eq!(processes.step("2", alice, 0), None);
        assert!(processes.advance("1", Step::Consent, Step::Connection));
        assert!(!processes.advance("1", Step::Consent, Step::Connection), "once");
        let lasts = limits::millis(limits::LOGIN_PROCESS_LASTS);
        assert_eq!(processes.step("1", alice, lasts - 1), Some(Step::Connection));
        assert_eq!(processes.step("1", alice, lasts), None);
        processes.begin("2".to_owned(), alice, Step::Consent, 0);
        assert_eq!(processes.step("1", alice, 0), None, "the newer one counts");
        processes.end("2");
        assert_eq!(processes.step("2", alice, 0), None);
        processes.begin("3".to_owned(), alice, Step::Consent, 0);
        processes.begin("4".to_owned(), bob, Step::Consent, 0);
        processes.forget(alice);
        assert_eq!(processes.step("3", alice, 0), None);
        assert_eq!(processes.step("4", bob, 0), Some(Step::Consent));
    }

    #[test]
    fn logins_under_way_at_the_limit_and_one_past_it() {
        let processes = Processes::default();
        let max = i64::try_from(limits::LOGIN_PROCESSES_MAX).unwrap();
        let person = |at: i64| OwnedUserId::try_from(format!("@p{at}:example.org")).unwrap();
        for at in 0..max {
            processes.begin(at.to_string(), &person(at), Step::Consent, at);
        }
        assert!(processes.step("0", &person(0), max).is_some());
        processes.begin(max.to_string(), &person(max), Step::Consent, max);
        assert!(processes.step("0", &person(0), max).is_none(), "the oldest gives way");
        assert!(processes.step("1", &person(1), max).is_some());
        assert!(processes.step(&max.to_string(), &person(max), max).is_some());
    }
}
