//! Lanes: one item at a time, oldest first, lanes side by side. The mechanism that the inbox and
//! every outbox share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, task::JoinSet};

use super::stop::Stop;
use crate::{
    domain::{bridged::Timestamp, ids::Lane, limits},
    port::{Clock, Failure},
};

/// How a lane came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing (more) to do.
    Empty,
    /// Its oldest item waits until then.
    Until(Timestamp),
}

/// What is in the lanes and how an item is worked on.
#[async_trait]
pub(crate) trait LaneWork: Send + Sync + 'static {
    /// Lanes that hold something, after whatever must come before all of them.
    async fn lanes(&self) -> Result<Vec<Lane>, Failure>;

    /// Lanes that need not wait for their time any longer, each named once.
    fn woken(&self) -> BTreeSet<Lane> {
        BTreeSet::new()
    }

    /// Works on one lane until it rests.
    async fn work(&self, lane: &Lane) -> Result<Rest, Failure>;

    /// Sets the oldest item of a lane aside, because working on it panicked.
    async fn set_aside(&self, lane: &Lane) -> Result<(), Failure>;
}

/// Drives the lanes until the stop: at each hint, and when a waiting lane's time has come.
pub(crate) async fn drive(
    work: Arc<dyn LaneWork>,
    hint: Arc<Notify>,
    clock: Arc<dyn Clock>,
    stop: Stop,
) {
    let mut pump = Pump {
        work,
        running: JoinSet::new(),
        lanes: BTreeMap::new(),
        waiting: BTreeMap::new(),
        failed: BTreeMap::new(),
        failed_looks: 0,
    };
    loop {
        pump.begin(clock.now()).await;
        let pause = pump.pause(clock.now());
        // Storage that fails is not asked sooner because of a hint.
        let heeds = pump.failed_looks == 0;
        tokio::select! {
            biased;
            () = stop.soft() => break,
            // Before the hints, which may come without end: a lane that is not seen to have ended
            // is not begun again.
            Some(ended) = pump.running.join_next_with_id(), if !pump.running.is_empty() => {
                pump.ended(ended, clock.now()).await;
            }
            () = hint.notified(), if heeds => {}
            () = clock.sleep(pause) => {}
        }
    }
    // What is in hand is finished, unless the hard stop comes first.
    tokio::select! {
        biased;
        () = stop.hard() => pump.running.shutdown().await,
        () = async { while pump.running.join_next().await.is_some() {} } => {}
    }
}

/// With no hint for this long, storage is asked anyway: a hint may be lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

struct Pump {
    work: Arc<dyn LaneWork>,
    running: JoinSet<Result<Rest, Failure>>,
    /// Which task works on which lane.
    lanes: BTreeMap<tokio::task::Id, Lane>,
    waiting: BTreeMap<Lane, Timestamp>,
    /// How often each lane has stopped with a failure, since it last came to rest.
    failed: BTreeMap<Lane, u32>,
    /// How often in a row nobody could say which lanes there are.
    failed_looks: u32,
}

type Ended = Result<(tokio::task::Id, Result<Rest, Failure>), tokio::task::JoinError>;

impl Pump {
    /// Starts every lane that is not running or waiting, up to the limit.
    async fn begin(&mut self, now: Timestamp) {
        let lanes = match self.work.lanes().await {
            Ok(lanes) => lanes,
            Err(failure) => {
                self.failed_looks = self.failed_looks.saturating_add(1);
                if failure.is_told() {
                    tracing::debug!(%failure, "could not look for work; will look again");
                } else {
                    tracing::warn!(%failure, "could not look for work; will look again");
                }
                return;
            }
        };
        self.failed_looks = 0;
        let woken = self.work.woken();
        self.waiting.retain(|lane, until| is_ahead(*until, now) && !woken.contains(lane));
        let busy: BTreeSet<Lane> = self.lanes.values().cloned().collect();
        for lane in lanes {
            if self.running.len() >= limits::LANES_AT_ONCE_MAX {
                break;
            }
            if busy.contains(&lane) || self.waiting.contains_key(&lane) {
                continue;
            }
            let (work, of) = (Arc::clone(&self.work), lane.clone());
            let task = self.running.spawn(async move { work.work(&of).await });
            self.lanes.insert(task.id(), lane);
        }
    }

    fn pause(&self, now: Timestamp) -> Duration {
        if self.failed_looks > 0 {
            return limits::ITEM_BACKOFF.pause(self.failed_looks);
        }
        let soonest = self.waiting.values().min().map_or(LOOK_ANYWAY, |until| {
            Duration::from_millis(u64::try_from(until - now).unwrap_or(0))
        });
        soonest.min(LOOK_ANYWAY)
    }

    async fn ended(&mut self, ended: Ended, now: Timestamp) {
        let (id, rest) = match ended {
            Ok((id, Ok(rest))) => {
                if let Some(lane) = self.lanes.get(&id) {
                    self.failed.remove(lane);
                }
                (id, rest)
            }
            Ok((id, Err(failure))) => {
                if failure.is_told() {
                    tracing::debug!(%failure, "a lane stopped; will look again");
                } else {
                    tracing::warn!(%failure, "a lane stopped; will look again");
                }
                (id, Rest::Until(now + limits::millis(self.pause_after_failure(id))))
            }
            Err(panicked) => {
                let id = panicked.id();
                if let Some(lane) = self.lanes.get(&id) {
                    tracing::error!(?lane, "working on an item panicked; it is set aside");
                    if let Err(failure) = self.work.set_aside(lane).await {
                        tracing::error!(%failure, "could not set the item aside");
                    }
                }
                (id, Rest::Until(now + limits::millis(limits::ITEM_BACKOFF.min)))
            }
        };
        let Some(lane) = self.lanes.remove(&id) else { return };
        if let Rest::Until(until) = rest {
            self.waiting.insert(lane, until);
        }
    }

    fn pause_after_failure(&mut self, task: tokio::task::Id) -> Duration {
        let Some(lane) = self.lanes.get(&task) else { return limits::ITEM_BACKOFF.min };
        let failed = self.failed.entry(lane.clone()).or_default();
        *failed = failed.saturating_add(1);
        limits::ITEM_BACKOFF.pause(*failed)
    }
}

/// Whether a time is to be waited for. Nothing is parked for longer than [`limits::PARKED_MAX`]: what is
/// further ahead was parked by a clock that has been put back.
pub(crate) fn is_ahead(until: Timestamp, now: Timestamp) -> bool {
    until > now && until - now <= limits::millis(limits::PARKED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_waited_for_up_to_the_longest_pause_and_not_one_past_it() {
        let longest = limits::millis(limits::PARKED_MAX);
        assert!(!is_ahead(5, 5));
        assert!(is_ahead(6, 5));
        assert!(is_ahead(5 + longest, 5));
        assert!(!is_ahead(6 + longest, 5));
        for pause in [
            limits::ITEM_BACKOFF.max,
            limits::HELD_WAIT,
            limits::LAPSED_WAIT,
            limits::LINK_WAIT,
            limits::MEDIA_TURN_WAIT,
            limits::ROOM_KEY_RETRY,
            Duration::from_mins(1),
        ] {
            assert!(is_ahead(limits::millis(pause), 0), "{pause:?}");
        }
    }
}
