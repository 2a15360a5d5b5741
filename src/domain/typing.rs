//! When one side is told that somebody on the other is typing: changes, renewed while it lasts, and
//! never more than one in a few seconds.

use std::time::Duration;

use super::{bridged::Timestamp, limits::millis};

/// How typing is told to one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The shortest time between two words about one chat.
    pub pause: Duration,
    /// After which it is said again, because the other side lets it run out.
    pub renewal: Duration,
    /// For how long it is believed without news.
    pub lasts: Duration,
}

/// One chat in which somebody types, or just did.
#[derive(Clone, Debug)]
pub struct Typing {
    pace: Pace,
    /// They are typing, and without news no longer than until then.
    until: Option<Timestamp>,
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    typing: bool,
    at: Timestamp,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Say whether they are typing.
    Tell(bool),
    /// Nothing before then, unless there is news.
    Wait(Timestamp),
    /// They are not, and the other side knows.
    End,
}

impl Typing {
    pub fn new(pace: Pace) -> Self {
        Self { pace, until: None, told: None }
    }

    /// News: whether they are typing now.
    pub fn heard(&mut self, typing: bool, now: Timestamp) {
        self.until = typing.then(|| now + millis(self.pace.lasts));
    }

    /// What is to be done now; [`Step::Tell`] counts as done.
    pub fn step(&mut self, now: Timestamp) -> Step {
        self.heed_clock(now);
        let until = self.until.filter(|until| now < *until);
        let typing = until.is_some();
        let after = |told: Told, pause| told.at + millis(pause);
        let due = match self.told {
            None if !typing => return Step::End,
            None => now,
            Some(told) if told.typing != typing => after(told, self.pace.pause),
            Some(told) if typing => after(told, self.pace.renewal),
            Some(told) if now < after(told, self.pace.pause) => {
                // Whoever starts again at once has to wait as well.
                return Step::Wait(after(told, self.pace.pause));
            }
            Some(_) => return Step::End,
        };
        if now < due {
            return Step::Wait(until.map_or(due, |until| until.min(due)));
        }
        self.told = Some(Told { typing, at: now });
        Step::Tell(typing)
    }

    /// A clock that has been put back makes nothing last longer.
    fn heed_clock(&mut self, now: Timestamp) {
        self.until = self.until.map(|until| until.min(now + millis(self.pace.lasts)));
        if let Some(told) = &mut self.told {
            told.at = told.at.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        pause: Duration::from_millis(3),
        renewal: Duration::from_millis(10),
        lasts: Duration::from_millis(25),
    };

    /// Runs for 100 ms with the news at their times; gives what was told and when.
    fn told(news: &[(Timestamp, bool)]) -> Vec<(Timestamp, bool)> {
        let (mut typing, mut told) = (Typing::new(PACE), Vec::new());
        for now in 0..100 {
            for (_, news) in news.iter().filter(|(at, _)| *at == now) {
                typing.heard(*news, now);
            }
            while let Step::Tell(what) = typing.step(now) {
                told.push((now, what));
            }
        }
        assert_eq!(typing.step(100), Step::End);
        told
    }

    #[test]
    fn it_is_told_renewed_and_ended() {
        let news = [(0, true), (22, false)];
        assert_eq!(told(&news), [(0, true), (10, true), (20, true), (23, false)]);
    }

    #[test]
    fn without_news_it_ends_by_itself() {
        assert_eq!(told(&[(0, true)]), [(0, true), (10, true), (20, true), (25, false)]);
        let renewed = told(&[(0, true), (20, true)]);
        assert_eq!(renewed.last(), Some(&(45, false)));
    }

    #[test]
    fn changes_within_the_pause_become_one_or_none() {
        assert_eq!(told(&[(0, true), (1, false), (2, true), (8, false)]), [(0, true), (8, false)]);
        assert_eq!(told(&[(0, true), (1, false)]), [(0, true), (3, false)]);
        assert_eq!(
            told(&[(0, true), (1, false), (4, true), (5, false)]),
            [(0, true), (3, false)],
            "too short to be told"
        );
    }

    #[test]
    fn an_end_without_a_beginning_is_no_news() {
        assert_eq!(told(&[(0, false), (5, false)]), []);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nobody_type_for_ever() {
        let mut typing = Typing::new(PACE);
        typing.heard(true, 1_000_000);
        assert_eq!(typing.step(1_000_000), Step::Tell(true));
        assert_eq!(typing.step(0), Step::Wait(10));
        assert_eq!(typing.step(25), Step::Tell(false));
    }
}
