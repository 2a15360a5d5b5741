//! When the keys that sign identity tokens follow one another. The network fetches the set of our keys
//! when it likes, and keeps what it fetched (network facts 1.3): so a key is published before it
//! signs, and stays published after it has stopped.

use std::time::Duration;

use super::{bridged::Timestamp, limits};

/// The lives of keys. All times are counted from when a key was made; the keys of every list are in
/// the order of their age, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// After which a key gets a successor.
    pub every: Duration,
}

impl Rotation {
    /// Which key signs: the youngest that has been published for long enough, or the oldest if none
    /// has. `None` if there is no key.
    pub fn signing(self, made: &[Timestamp], now: Timestamp) -> Option<usize> {
        let signs = |made: &Timestamp| *made + ahead() <= now;
        made.iter().rposition(signs).or_else(|| (!made.is_empty()).then_some(0))
    }

    /// Whether a new key is to be made and published.
    pub fn due(self, made: &[Timestamp], now: Timestamp) -> bool {
        made.last().is_none_or(|youngest| youngest + limits::millis(self.every) <= now)
    }

    /// When the youngest key will sign, if it is a successor that does not sign yet: until then another
    /// one would change nothing.
    pub fn takes_over(self, made: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let [_, .., youngest] = made else { return None };
        let at = *youngest + ahead();
        (at > now).then_some(at)
    }

    /// How many of the oldest keys nobody needs any more: the successor has signed for as long as the
    /// network may hold an older set or a token of before.
    pub fn spent(self, made: &[Timestamp], now: Timestamp) -> usize {
        let successors = made.iter().skip(1);
        successors.take_while(|successor| **successor + ahead() + behind() <= now).count()
    }
}

fn ahead() -> Timestamp {
    limits::millis(limits::TOKEN_KEY_AHEAD)
}

fn behind() -> Timestamp {
    limits::millis(limits::TOKEN_KEY_BEHIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Timestamp = 24 * 3_600 * 1_000;
    const MONTHLY: Rotation = Rotation { every: Duration::from_hours(30 * 24) };

    #[test]
    fn a_key_signs_when_it_has_been_published_for_long_enough_and_not_before() {
        assert_eq!(MONTHLY.signing(&[], 0), None);
        assert_eq!(MONTHLY.signing(&[0], 0), Some(0));
        let made = [0, 30 * DAY];
        assert_eq!(MONTHLY.signing(&made, 30 * DAY + ahead() - 1), Some(0));
        assert_eq!(MONTHLY.signing(&made, 30 * DAY + ahead()), Some(1));
    }

    #[test]
    fn a_successor_is_due_at_the_age_and_not_before() {
        assert!(MONTHLY.due(&[], 0));
        assert!(!MONTHLY.due(&[0], 30 * DAY - 1));
        assert!(MONTHLY.due(&[0], 30 * DAY));
        assert!(!MONTHLY.due(&[0, 30 * DAY], 30 * DAY));
    }

    #[test]
    fn a_successor_is_waited_for_until_it_signs() {
        assert_eq!(MONTHLY.takes_over(&[], 0), None);
        assert_eq!(MONTHLY.takes_over(&[0], 0), None, "the only key signs at once");
        let made = [0, DAY];
        assert_eq!(MONTHLY.takes_over(&made, DAY), Some(DAY + ahead()));
        assert_eq!(MONTHLY.takes_over(&made, DAY + ahead() - 1), Some(DAY + ahead()));
        assert_eq!(MONTHLY.takes_over(&made, DAY + ahead()), None);
    }

    /// An operator who wants a new key every hour gets one whenever the last one signs, and whoever
    /// fetches once a day still knows the key that signs.
    #[test]
    fn keys_that_are_wanted_early_overlap_as_well() {
        let (mut made, mut known): (Vec<Timestamp>, Vec<Timestamp>) = (vec![0], vec![0]);
        for hour in 0..24 * 30 {
            let now = hour * 3_600 * 1_000;
            if MONTHLY.takes_over(&made, now).is_none() {
                made.push(now);
            }
            made.drain(..MONTHLY.spent(&made, now));
            assert!(made.len() <= 3, "{made:?}");
            if hour % 24 == 7 {
                known.clone_from(&made);
            }
            let signing = made[MONTHLY.signing(&made, now).unwrap()];
            assert!(known.contains(&signing), "hour {hour}");
        }
        assert!(made[0] > 20 * DAY, "the keys were replaced");
    }

    #[test]
    fn a_key_stays_published_until_nobody_can_still_need_it() {
        let made = [0, 30 * DAY, 60 * DAY];
        let end_of_first = 30 * DAY + ahead() + behind();
        assert_eq!(MONTHLY.spent(&made, end_of_first - 1), 0);
        assert_eq!(MONTHLY.spent(&made, end_of_first), 1);
        assert_eq!(MONTHLY.spent(&made, 1_000 * DAY), 2, "the youngest is never spent");
        assert_eq!(MONTHLY.spent(&[0], 1_000 * DAY), 0);
    }

    /// A network that fetches once a day, and a bridge that looks every hour, for half a year.
    #[test]
    fn whoever_fetches_once_a_day_always_knows_the_key_that_signs() {
        let (mut made, mut known): (Vec<Timestamp>, Vec<Timestamp>) = (vec![0], vec![0]);
        for hour in 0..24 * 180 {
            let now = hour * 3_600 * 1_000;
            if MONTHLY.due(&made, now) {
                made.push(now);
            }
            made.drain(..MONTHLY.spent(&made, now));
            assert!(made.len() <= 2, "{made:?}");
            if hour % 24 == 7 {
                known.clone_from(&made);
            }
            let signing = made[MONTHLY.signing(&made, now).unwrap()];
            assert!(known.contains(&signing), "hour {hour}");
        }
        assert!(made[0] > 100 * DAY, "the keys were replaced");
    }
}
