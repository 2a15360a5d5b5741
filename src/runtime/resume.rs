//! After an outage of our database the homeserver waits ever longer before it offers again what was
//! refused: minutes, in which nobody's messages arrive. So it is asked to, as soon as there is room.

use super::{ports::Ports, stop::Stop};
use crate::domain::limits;

/// Looks until the stop.
pub async fn resume(ports: Ports, stop: Stop) {
    let (mut refuses, mut attempt) = (false, 0);
    loop {
        tokio::select! {
            biased;
            () = stop.soft() => return,
            () = ports.clock.sleep(limits::OUTAGE_LOOK.max(limits::ITEM_BACKOFF.pause(attempt))) => {}
        }
        if ports.storage.trouble().is_some() {
            (refuses, attempt) = (true, 0);
        } else if refuses {
            match ports.homeserver.ping().await {
                Ok(()) => (refuses, attempt) = (false, 0),
                Err(failure) => {
                    tracing::debug!(%failure, "could not ask the homeserver to push again");
                    attempt += 1;
                }
            }
        }
    }
}
