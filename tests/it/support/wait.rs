//! Waiting for a condition, for as long as it may take and no longer.

use std::{future::Future, time::Duration};

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// How often a condition is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// The patience for one step of a conversation. Generous, since a loaded machine with two cores runs a
/// homeserver, a bridge and several clients at once; a test that passes never comes near it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks until `look` finds what it looks for, for at most `limit`. `what` completes the sentence
/// "waited 60 s for …" of the failure. An error of `look` ends the wait.
pub(crate) async fn until<T, F, Found>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Found,
    Found: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}
