//! Soundings: now and then the homeserver is made to push something, so that a transaction that it
//! has kept back shows as a gap (`domain::sequence`) even when nobody writes.

use super::{ports::Ports, stop::Stop};
use crate::domain::{bridged::ActAs, limits};

/// Sounds until the stop: soon after the start, when transactions are most often kept back, and
/// then at the longest pause.
pub async fn sound(ports: Ports, stop: Stop) {
    let mut attempt = 0;
    loop {
        attempt += 1;
        tokio::select! {
            biased;
            () = stop.soft() => return,
            () = ports.clock.sleep(limits::SOUNDING_BACKOFF.pause(attempt)) => {}
        }
        let id = ports.namer.transaction_id(&["sounding", &ports.clock.now().to_string()]);
        let sounded = async {
            ports.homeserver.sound(&id).await?;
            // The homeserver keeps what it pushed until somebody has fetched it.
            ports.cipher.fetch_missed(&ActAs::Bot).await
        };
        if let Err(failure) = sounded.await {
            tracing::debug!(%failure, "could not sound the homeserver");
        }
    }
}
