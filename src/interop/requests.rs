//! Questions that wait for their answer, matched by id.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::port::Failure;

/// Questions of one kind that may wait at the same time on one connection.
pub(super) const WAITING_MAX: usize = 256;

/// Who waits for what on one connection.
pub(super) struct Waiting<T> {
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    /// Tells a slot from an earlier one of the same id.
    serial: u64,
    by_id: BTreeMap<String, (u64, oneshot::Sender<T>)>,
}

/// A place in [`Waiting`], given up when dropped.
pub(super) struct Ticket<'a, T> {
    waiting: &'a Waiting<T>,
    id: String,
    serial: u64,
    answer: oneshot::Receiver<T>,
}

impl<T> Waiting<T> {
    pub(super) fn new() -> Self {
        Self { slots: Mutex::new(Slots { serial: 0, by_id: BTreeMap::new() }) }
    }

    /// Waits for the answer with this id from now on: ask only afterwards.
    pub(super) fn wait_for(&self, id: &str) -> Result<Ticket<'_, T>, Failure> {
        let mut slots = self.slots();
        if slots.by_id.contains_key(id) {
            return Err(Failure::later("the same question is waiting for its answer"));
        }
        if slots.by_id.len() >= WAITING_MAX {
            return Err(Failure::later(format!("{WAITING_MAX} questions wait for their answers")));
        }
        slots.serial += 1;
        let serial = slots.serial;
        let (sender, answer) = oneshot::channel();
        slots.by_id.insert(id.to_owned(), (serial, sender));
        drop(slots);
        Ok(Ticket { waiting: self, id: id.to_owned(), serial, answer })
    }

    /// Hands an answer to who waits for it; `false` if nobody does.
    pub(super) fn answer(&self, id: &str, answer: T) -> bool {
        let slot = self.slots().by_id.remove(id);
        slot.is_some_and(|(_, sender)| sender.send(answer).is_ok())
    }

    fn slots(&self) -> MutexGuard<'_, Slots<T>> {
        // No slot is ever half changed, so a panic elsewhere spoils nothing.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Ticket<'_, T> {
    /// The answer; `None` if it can no longer come.
    pub(super) async fn answer(&mut self) -> Option<T> {
        (&mut self.answer).await.ok()
    }
}

impl<T> Drop for Ticket<'_, T> {
    fn drop(&mut self) {
        let mut slots = self.waiting.slots();
        if slots.by_id.get(&self.id).is_some_and(|(serial, _)| *serial == self.serial) {
            slots.by_id.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_who_asked_and_nobody_else() {
        let waiting = Waiting::new();
        let (mut one, mut other) = (waiting.wait_for("1").unwrap(), waiting.wait_for("2").unwrap());
        assert!(waiting.answer("2", 'b'));
        assert!(waiting.answer("1", 'a'));
        assert!(!waiting.answer("1", 'c'), "an answer is taken once");
        assert!(!waiting.answer("3", 'd'));
        assert_eq!((one.answer().await, other.answer().await), (Some('a'), Some('b')));
    }

    #[test]
    fn a_place_is_given_up_with_its_ticket_and_only_its_own() {
        let waiting = Waiting::new();
        let first = waiting.wait_for("1").unwrap();
        assert!(waiting.wait_for("1").is_err());
        assert!(waiting.answer("1", ()));
        let second = waiting.wait_for("1").unwrap();
        drop(first);
        assert!(waiting.answer("1", ()), "the second still waited");
        drop(second);
        assert!(!waiting.answer("1", ()));
    }

    #[test]
    fn as_many_may_wait_as_the_limit_and_not_one_more() {
        let waiting = Waiting::<()>::new();
        let tickets: Vec<_> =
            (0..WAITING_MAX).map(|id| waiting.wait_for(&id.to_string()).unwrap()).collect();
        assert!(waiting.wait_for("one more").is_err());
        drop(tickets);
        assert!(waiting.wait_for("one more").is_ok());
    }
}
