//! How long something has waited: by the clock, and by how often it was tried. The clock alone may
//! jump ahead, and then nothing must be given up that has just begun.

use std::time::Duration;

use super::{bridged::Timestamp, limits};

/// Something that is tried until it has waited for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub since: Timestamp,
    pub tries: u32,
}

/// For how long something is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub after: Duration,
    /// And not before it was tried so often.
    pub tries_min: u32,
}

impl Waiting {
    /// Whether it has waited for long enough. By a clock that has been put back it waits longer.
    pub fn is_over(self, deadline: Deadline, now: Timestamp) -> bool {
        now.saturating_sub(self.since) >= limits::millis(deadline.after)
            && self.tries >= deadline.tries_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_alone_ends_no_waiting_and_neither_do_tries() {
        let deadline = Deadline { after: Duration::from_secs(30), tries_min: 10 };
        let waiting = |tries| Waiting { since: 1_000, tries };
        assert!(waiting(10).is_over(deadline, 31_000));
        assert!(!waiting(10).is_over(deadline, 30_999));
        assert!(!waiting(9).is_over(deadline, 31_000));
        let (a_day_on, a_day_before) = (24 * 3_600_000, -24 * 3_600_000);
        assert!(!waiting(1).is_over(deadline, a_day_on));
        assert!(!waiting(99).is_over(deadline, a_day_before));
        assert!(!waiting(99).is_over(deadline, Timestamp::MIN));
    }
}
