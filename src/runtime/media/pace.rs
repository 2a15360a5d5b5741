//! How long a file may take: no limit on the whole, since files have all sizes, but a longest silence
//! and a least rate, so that nobody holds a lane with a byte now and then.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};

use super::Mover;
use crate::{
    domain::limits,
    port::{
        Clock,
        media::{MediaBytes, MediaFailure},
    },
};

impl Mover {
    /// The same bytes, or [`MediaFailure::TooSlow`].
    pub(super) fn paced(&self, source: MediaBytes) -> MediaBytes {
        let pace = Pace { source, clock: Arc::clone(&self.ports.clock), waited_ms: 0, bytes: 0 };
        stream::unfold(Some(pace), |pace| async { pace?.next().await }).boxed()
    }
}

struct Pace {
    source: MediaBytes,
    clock: Arc<dyn Clock>,
    /// The time that was spent waiting for the source, and not for whoever takes the bytes.
    waited_ms: u64,
    bytes: u64,
}

type Piece = Result<bytes::Bytes, MediaFailure>;

impl Pace {
    /// After a failure nothing more comes.
    async fn next(mut self) -> Option<(Piece, Option<Self>)> {
        let asked = self.clock.now();
        let piece = tokio::select! {
            biased;
            piece = self.source.next() => piece?,
            () = self.clock.sleep(limits::MEDIA_SILENCE_MAX) => Err(MediaFailure::TooSlow),
        };
        // No single wait is longer, whatever becomes of the clock.
        let waited = (self.clock.now() - asked).min(limits::millis(limits::MEDIA_SILENCE_MAX));
        self.waited_ms += u64::try_from(waited).unwrap_or(0);
        match piece {
            Ok(piece) => {
                self.bytes += piece.len() as u64;
                if self.is_too_slow() {
                    return Some((Err(MediaFailure::TooSlow), None));
                }
                Some((Ok(piece), Some(self)))
            }
            Err(failure) => Some((Err(failure), None)),
        }
    }

    fn is_too_slow(&self) -> bool {
        let waited = Duration::from_millis(self.waited_ms);
        waited > limits::MEDIA_RATE_GRACE
            && self.bytes < waited.as_secs().saturating_mul(limits::MEDIA_RATE_MIN)
    }
}
