//! Transactions: one at a time and in order, again until they are taken, as Synapse does. A repetition comes
//! without its keys, which only the first attempt holds.

use std::collections::VecDeque;

use causeway::{domain::item::KeyChanges, runtime::Transaction};
use serde_json::{Value, json};

use crate::{
    agenda::{Happening, Millis},
    world::State,
};

/// Events of one transaction, at most.
const EVENTS_MAX: usize = 5;
/// After which the homeserver gives an answer up.
const PATIENCE: Millis = 5_000;

#[derive(Clone)]
pub(crate) struct Push {
    /// Its own, whatever its id is.
    pub(crate) number: u64,
    id: u64,
    events: Vec<Value>,
    keys: Vec<String>,
    attempts: u32,
}

#[derive(Default)]
pub(crate) struct Pushing {
    events: VecDeque<Value>,
    keys: Vec<String>,
    /// Made and not taken, oldest first. The first is the one that is on its way, if one is.
    made: VecDeque<Push>,
    is_under_way: bool,
    /// Made, and forgotten until something shows that they are missing.
    kept: Vec<Push>,
    /// Whether the bridge was away until now: what is made at that very moment may be kept.
    has_come_back: bool,
    last_id: u64,
    count: u64,
}

impl Push {
    pub(crate) fn id(&self) -> String {
        self.id.to_string()
    }

    pub(crate) fn transaction(&self) -> Transaction {
        let to_device = self.keys.iter().map(|key| json!({"room_key": key})).collect();
        let keys = KeyChanges { to_device, ..KeyChanges::default() };
        Transaction { events: self.events.clone(), keys, ..Transaction::default() }
    }
}

impl Pushing {
    pub(super) fn add(&mut self, event: Value) {
        self.events.push_back(event);
    }

    pub(super) fn add_key(&mut self, key: String) {
        self.keys.push(key);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.made.is_empty() && self.kept.is_empty()
    }

    fn make(&mut self) -> Option<Push> {
        if self.events.is_empty() && self.keys.is_empty() {
            return None;
        }
        let count = self.events.len().min(EVENTS_MAX);
        self.last_id += 1;
        self.count += 1;
        Some(Push {
            number: self.count,
            id: self.last_id,
            events: self.events.drain(..count).collect(),
            keys: std::mem::take(&mut self.keys),
            attempts: 0,
        })
    }

    /// What was kept is noticed: everything is sent, oldest first.
    fn recover(&mut self) {
        self.made.extend(self.kept.drain(..));
        self.made.make_contiguous().sort_by_key(|push| push.number);
    }
}

impl State {
    pub(crate) fn push(&mut self) {
        let faults = self.faults.clone();
        let pushing = &mut self.homeserver.pushing;
        if pushing.is_under_way {
            return;
        }
        if pushing.made.is_empty() {
            if pushing.kept.is_empty() && self.dice.chance(faults.counts_anew) {
                pushing.last_id = 0;
            }
            let Some(push) = pushing.make() else { return };
            self.agenda.after(1, Happening::Push);
            let may_be_kept = std::mem::take(&mut pushing.has_come_back);
            if may_be_kept && self.dice.chance(faults.push_kept) {
                let line = format!("transaction {} is kept", push.id);
                pushing.kept.push(push);
                self.note(&line);
                return;
            }
            pushing.made.push_back(push);
        }
        pushing.is_under_way = true;
        let push = pushing.made[0].clone();
        pushing.made[0].attempts += 1;
        pushing.made[0].keys.clear();
        let (takes, _) = faults.to_homeserver.fate(&mut self.dice);
        if self.dice.chance(faults.push_lost) {
            let number = push.number;
            return self.agenda.after(PATIENCE, Happening::PushEnds { number, is_taken: false });
        }
        if self.dice.chance(faults.push_doubled) {
            let (push, later) = (push.clone(), takes + self.dice.around(2_000));
            self.agenda.after(later, Happening::PushArrives { push, is_double: true });
        }
        let number = push.number;
        self.agenda.after(takes, Happening::PushArrives { push, is_double: false });
        self.agenda.after(takes + PATIENCE, Happening::PushEnds { number, is_taken: false });
    }

    /// The bridge has answered. What it says to a double nobody hears.
    pub(crate) fn push_answered(&mut self, push: &Push, is_taken: bool, is_double: bool) {
        self.note(&format!("transaction {}: {}", push.id, if is_taken { "200" } else { "503" }));
        if is_taken {
            self.journal.answered(push.events.iter().filter_map(|it| it["event_id"].as_str()));
        }
        if !is_double && !self.dice.chance(self.faults.push_answer_lost) {
            let (takes, _) = self.faults.to_homeserver.fate(&mut self.dice);
            let number = push.number;
            self.agenda.after(takes, Happening::PushEnds { number, is_taken });
        }
    }

    pub(crate) fn push_ends(&mut self, number: u64, is_taken: bool) {
        let pushing = &mut self.homeserver.pushing;
        let current = pushing.made.front();
        let Some(current) = current.filter(|it| it.number == number && pushing.is_under_way) else {
            return;
        };
        let attempts = current.attempts;
        pushing.is_under_way = false;
        if is_taken {
            pushing.made.pop_front();
            pushing.has_come_back = attempts > 1 && pushing.made.is_empty();
            self.agenda.after(1, Happening::Push);
        } else {
            pushing.recover();
            let pause = 200 << attempts.min(5);
            self.agenda.after(pause, Happening::Push);
        }
    }

    /// The process died. The homeserver notices if it waits for an answer, and not otherwise.
    pub(crate) fn pushes_break(&mut self) {
        let pushing = &self.homeserver.pushing;
        if let Some(push) = pushing.made.front().filter(|_| pushing.is_under_way) {
            self.push_ends(push.number, false);
        }
    }
}
