//! Whether the database can be used, and the one line in the log that says so. Whoever meets an outage
//! tries again, and there are many of them: each saying it each time would bury the reason.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::error::Error;
use crate::domain::limits;

/// What is known of the database's health.
#[derive(Debug, Default)]
pub(super) struct Outage {
    now: Mutex<Option<Episode>>,
    met: AtomicU64,
}

#[derive(Debug)]
struct Episode {
    why: String,
    began: Instant,
    /// The last time that something could not be done.
    failed: Instant,
}

impl Outage {
    /// Something was tried, and this is what went wrong, if anything did.
    pub(super) fn note(&self, error: Option<&Error>) {
        match error {
            None => self.succeeded(Instant::now()),
            Some(error) if error.is_outage() => {
                self.met.fetch_add(1, Ordering::AcqRel);
                self.failed(error.to_string(), Instant::now());
            }
            Some(_) => {}
        }
    }

    /// How often it could not be used.
    pub(super) fn met(&self) -> u64 {
        self.met.load(Ordering::Acquire)
    }

    /// Why the database cannot be used.
    pub(super) fn why(&self) -> Option<String> {
        self.episode().as_ref().map(|episode| episode.why.clone())
    }

    fn failed(&self, why: String, now: Instant) {
        let mut episode = self.episode();
        if let Some(episode) = &mut *episode {
            episode.failed = now;
            return;
        }
        tracing::error!(
            reason = why,
            "the database cannot be used: what comes in is refused until it can, and is sent again \
             then"
        );
        *episode = Some(Episode { why, began: now, failed: now });
    }

    /// Whoever was waiting while it was away may have met it: one success is not the end.
    fn succeeded(&self, now: Instant) {
        let calm = |it: &mut Episode| now.duration_since(it.failed) >= limits::DATABASE_CALM;
        let Some(over) = self.episode().take_if(calm) else { return };
        let lasted: Duration = now.duration_since(over.began);
        tracing::info!(seconds = lasted.as_secs(), "the database can be used again");
    }

    fn episode(&self) -> MutexGuard<'_, Option<Episode>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_over_when_nothing_has_failed_for_a_while() {
        let (outage, begin) = (Outage::default(), Instant::now());
        assert_eq!(outage.why(), None);
        outage.succeeded(begin);
        outage.failed("the first reason".to_owned(), begin);
        outage.failed("another".to_owned(), begin + limits::DATABASE_CALM);
        assert_eq!(outage.why().as_deref(), Some("the first reason"));
        let calm = begin + 2 * limits::DATABASE_CALM;
        outage.succeeded(calm - Duration::from_millis(1));
        assert!(outage.why().is_some());
        outage.succeeded(calm);
        assert_eq!(outage.why(), None);
    }

    #[tokio::test]
    async fn only_what_can_pass_is_an_outage() {
        let outage = Outage::default();
        outage.note(Some(&Error::Overtaken("somebody was faster")));
        outage.note(Some(&Error::Unreadable { column: "login.state" }));
        outage.note(Some(&sqlx::Error::RowNotFound.into()));
        assert_eq!((outage.why(), outage.met()), (None, 0));
        outage.note(Some(&sqlx::Error::PoolTimedOut.into()));
        assert_eq!(outage.met(), 1);
        assert_eq!(outage.why().as_deref(), Some("the database gives no connection"));
    }
}
