//! How often somebody may do something. The owner keeps the clock.

use std::{collections::BTreeMap, time::Duration};

use super::{bridged::Timestamp, limits::millis};

/// So many at once, and from then on one in each `pause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub burst: u32,
    pub pause: Duration,
}

/// A token bucket for each key. Of a bucket only the time is kept at which it is full again, so one
/// that is full needs no memory.
#[derive(Clone, Debug)]
pub struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    full_at: BTreeMap<K, Timestamp>,
}

impl<K: Ord + Clone> Buckets<K> {
    /// Remembers `keys_max` keys at most. Above that the bucket that is full again first is taken for
    /// full at once: a crowd gains a little, nobody is locked out by one.
    pub fn new(rate: Rate, keys_max: usize) -> Self {
        Self { rate, keys_max, full_at: BTreeMap::new() }
    }

    /// Takes one, or says how long it is until there is one.
    pub fn take(&mut self, key: &K, now: Timestamp) -> Result<(), Duration> {
        let pause = millis(self.rate.pause).max(1);
        let emptiest = now.saturating_add(pause.saturating_mul(self.rate.burst.into()));
        let known = self.full_at.get(key).copied().unwrap_or(now);
        // A clock that was set back must not lock anybody out for longer than an empty bucket does.
        let after = known.clamp(now, emptiest).saturating_add(pause);
        if after > emptiest {
            let wait = u64::try_from(after - emptiest).unwrap_or(0);
            return Err(Duration::from_millis(wait));
        }
        if !self.full_at.contains_key(key) {
            self.make_room(now);
        }
        self.full_at.insert(key.clone(), after);
        Ok(())
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.full_at.len() < self.keys_max {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < self.keys_max {
            return;
        }
        let first = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
        if let Some(key) = first.map(|(key, _)| key.clone()) {
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, pause: Duration::from_secs(10) };

    #[test]
    fn a_burst_at_the_limit_and_one_past_it() {
        let mut buckets = Buckets::new(RATE, 10);
        for _ in 0..3 {
            assert_eq!(buckets.take(&"alice", 0), Ok(()));
        }
        assert_eq!(buckets.take(&"alice", 0), Err(Duration::from_secs(10)));
        assert_eq!(buckets.take(&"bob", 0), Ok(()));
        assert_eq!(buckets.take(&"alice", 9_999), Err(Duration::from_millis(1)));
        assert_eq!(buckets.take(&"alice", 10_000), Ok(()));
        assert_eq!(buckets.take(&"alice", 10_000), Err(Duration::from_secs(10)));
    }

    #[test]
    fn being_refused_costs_nothing_and_a_rest_fills_the_bucket() {
        let mut buckets = Buckets::new(RATE, 10);
        let taken = (0..100).filter(|_| buckets.take(&"alice", 0).is_ok()).count();
        assert_eq!(taken, 3);
        for _ in 0..3 {
            assert_eq!(buckets.take(&"alice", 30_000), Ok(()));
        }
        assert!(buckets.take(&"alice", 30_000).is_err());
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let mut buckets = Buckets::new(RATE, 10);
        assert_eq!(buckets.take(&"alice", 1_000_000_000), Ok(()));
        assert_eq!(buckets.take(&"alice", 0), Err(Duration::from_secs(10)));
    }

    #[test]
    fn keys_at_the_limit_and_one_past_it() {
        let mut buckets = Buckets::new(RATE, 2);
        for _ in 0..3 {
            assert_eq!(buckets.take(&1, 0), Ok(()));
        }
        assert_eq!(buckets.take(&2, 0), Ok(()));
        assert!(buckets.take(&1, 0).is_err(), "two are remembered");
        assert_eq!(buckets.take(&3, 0), Ok(()));
        assert_eq!(buckets.full_at.len(), 2);
        assert!(buckets.take(&1, 0).is_err(), "the emptiest is remembered longest");
    }
}
