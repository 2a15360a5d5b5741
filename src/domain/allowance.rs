//! How much a person may do: what is counted by the day, and the pace of their messages.
//!
//! A day is one of UTC. What is counted by the day is stored (`storage/day_usage.rs`); a pace is a
//! matter of one minute and begins anew with the process.

use std::collections::{BTreeMap, VecDeque};

use ruma::{EventId, OwnedEventId, OwnedUserId};

use super::{bridged::Timestamp, ids::LoginId, limits};

const MINUTE_MS: Timestamp = 60_000;
const HOUR_MS: Timestamp = 60 * MINUTE_MS;
const DAY_MS: Timestamp = 24 * HOUR_MS;

/// What one person may do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Chats with new contacts that the person starts.
    pub contacts_a_day: u64,
    /// Messages to WhatsApp. More wait.
    pub messages_a_minute: u64,
    /// Bytes of files to WhatsApp, as they are hosted.
    pub media_bytes_a_day: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contacts_a_day: limits::CONTACTS_A_DAY_MAX,
            messages_a_minute: limits::MESSAGES_A_MINUTE_MAX,
            media_bytes_a_day: limits::MEDIA_BYTES_A_DAY_MAX,
        }
    }
}

/// What is counted by the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Contacts,
    MediaBytes,
}

impl Counted {
    /// The name under which storage keeps it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::MediaBytes => "media-bytes",
        }
    }
}

/// A day, counted from the beginning of the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    pub fn of(at: Timestamp) -> Self {
        Self(at.div_euclid(DAY_MS))
    }

    /// When the next one begins.
    pub fn ends_at(self) -> Timestamp {
        self.0.saturating_add(1).saturating_mul(DAY_MS)
    }
}

/// Something that a person did and that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedToday {
    pub person: OwnedUserId,
    pub day: Day,
    pub what: Counted,
    pub amount: u64,
}

/// What a person did on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    pub contacts: u64,
    pub media_bytes: u64,
}

impl DayUsage {
    /// Whether one more contact fits; otherwise the limit.
    pub fn admit_contact(self, limits: Limits) -> Result<(), u64> {
        let limit = limits.contacts_a_day;
        if self.contacts < limit { Ok(()) } else { Err(limit) }
    }
}

/// How long it is until then, for people: rounded up to whole minutes.
pub fn until_in_words(now: Timestamp, then: Timestamp) -> String {
    let minutes = then.saturating_sub(now).max(0).saturating_add(MINUTE_MS - 1) / MINUTE_MS;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let said = |number: i64, unit: &str| {
        if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
    };
    match (hours, minutes) {
        (0, minutes) => said(minutes, "minute"),
        (hours, 0) => said(hours, "hour"),
        (hours, minutes) => format!("{} and {}", said(hours, "hour"), said(minutes, "minute")),
    }
}

/// How fast the messages of each login go out: so many in any minute.
#[derive(Debug, Default)]
pub struct Pace {
    of: BTreeMap<LoginId, LastMinute>,
}

#[derive(Debug, Default)]
struct LastMinute {
    sent: VecDeque<(Timestamp, OwnedEventId)>,
    told_at: Option<Timestamp>,
}

/// Whether a message may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceTurn {
    Now,
    /// Not before `until`. `tell` is whether the person is to be told why.
    Later {
        until: Timestamp,
        tell: bool,
    },
}

impl Pace {
    /// Counts an event against its login, once however often it is asked for within the minute.
    pub fn turn(
        &mut self,
        login: &LoginId,
        event: &EventId,
        limit: u64,
        now: Timestamp,
    ) -> PaceTurn {
        let minute = self.of.entry(login.clone()).or_default();
        // What a clock that has been put back counted later than now is not of this minute either.
        minute.sent.retain(|(at, _)| (*at..*at + MINUTE_MS).contains(&now));
        minute.told_at = minute.told_at.map(|told_at| told_at.min(now));
        if minute.sent.iter().any(|(_, counted)| counted == event) {
            return PaceTurn::Now;
        }
        let is_full = u64::try_from(minute.sent.len()).is_ok_and(|sent| sent >= limit);
        match minute.sent.front() {
            Some((oldest, _)) if is_full => {
                let since = now - limits::millis(limits::PACE_TOLD_EVERY);
                let tell = minute.told_at.is_none_or(|told_at| told_at <= since);
                if tell {
                    minute.told_at = Some(now);
                }
                PaceTurn::Later { until: oldest + MINUTE_MS, tell }
            }
            _ => {
                minute.sent.push_back((now, event.to_owned()));
                PaceTurn::Now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        assert_eq!(Day::of(DAY_MS - 1), Day(0));
        assert_eq!(Day::of(DAY_MS), Day(1));
        assert_eq!(Day::of(-1), Day(-1));
        assert_eq!(Day(0).ends_at(), DAY_MS);
    }

    #[test]
    fn contacts_are_admitted_up_to_the_limit() {
        let limits = Limits { contacts_a_day: 2, ..Limits::default() };
        let used = |contacts| DayUsage { contacts, ..DayUsage::default() };
        assert_eq!(used(1).admit_contact(limits), Ok(()));
        assert_eq!(used(2).admit_contact(limits), Err(2));
    }

    #[test]
    fn a_time_to_wait_is_said_in_hours_and_minutes() {
        for (ms, words) in [
            (0, "0 minutes"),
            (1, "1 minute"),
            (MINUTE_MS + 1, "2 minutes"),
            (HOUR_MS, "1 hour"),
            (2 * HOUR_MS + MINUTE_MS, "2 hours and 1 minute"),
            (-5, "0 minutes"),
        ] {
            assert_eq!(until_in_words(7, 7 + ms), words);
        }
    }

    fn turn(pace: &mut Pace, event: &str, now: Timestamp) -> PaceTurn {
        let event = EventId::parse(event).unwrap();
        pace.turn(&LoginId("l".to_owned()), &event, 2, now)
    }

    #[test]
    fn the_message_past_the_limit_waits_until_the_oldest_is_a_minute_old() {
        let mut pace = Pace::default();
        assert_eq!(turn(&mut pace, "$1", 0), PaceTurn::Now);
        assert_eq!(turn(&mut pace, "$2", 10), PaceTurn::Now);
        let later = |tell| PaceTurn::Later { until: MINUTE_MS, tell };
        assert_eq!(turn(&mut pace, "$3", 20), later(true));
        // Who asks again is not told again, and what is counted is not counted twice.
        assert_eq!(turn(&mut pace, "$3", MINUTE_MS - 1), later(false));
        assert_eq!(turn(&mut pace, "$2", MINUTE_MS - 1), PaceTurn::Now);
        assert_eq!(turn(&mut pace, "$3", MINUTE_MS), PaceTurn::Now);
        let next = PaceTurn::Later { until: MINUTE_MS + 10, tell: false };
        assert_eq!(turn(&mut pace, "$4", MINUTE_MS), next);
        let other = LoginId("other".to_owned());
        let event = EventId::parse("$5").unwrap();
        assert_eq!(pace.turn(&other, &event, 2, MINUTE_MS), PaceTurn::Now);
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody_up() {
        let mut pace = Pace::default();
        for event in ["$1", "$2"] {
            assert_eq!(turn(&mut pace, event, DAY_MS), PaceTurn::Now);
        }
        for event in ["$3", "$4"] {
            assert_eq!(turn(&mut pace, event, 0), PaceTurn::Now);
        }
        assert_eq!(turn(&mut pace, "$5", 1), PaceTurn::Later { until: MINUTE_MS, tell: true });
    }

    #[test]
    fn a_person_who_stays_too_fast_is_told_again_after_a_while() {
        let mut pace = Pace::default();
        let told_every = limits::millis(limits::PACE_TOLD_EVERY);
        for (begin, tells) in [(0, true), (told_every - 1, false), (told_every, true)] {
            let turns = ["$a", "$b", "$c"].map(|event| {
                let turn = turn(&mut pace, &format!("{event}{begin}"), begin);
                matches!(turn, PaceTurn::Later { tell: true, .. })
            });
            assert_eq!(turns.contains(&true), tells, "{begin}");
        }
    }
}
