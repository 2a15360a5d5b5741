//! A file on its way through a [`Reencryption`]: whoever takes the bytes asks for the next, and each
//! question costs one piece of work.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{NotMoved, not_taken, too_large};
use crate::{
    domain::{
        bridged::Timestamp,
        limits,
        moving::{Ceiling, MovingError, Reencryption},
    },
    port::{
        Clock, Failure, Retry,
        media::{MediaBytes, MediaFailure},
    },
};

/// What is known of a file's way while its bytes are somebody else's.
pub(super) struct Flow<Outcome> {
    seen: Arc<Seen<Outcome>>,
    clock: Arc<dyn Clock>,
}

/// Why one attempt ended.
pub(super) enum Stopped {
    /// The source broke off in the middle: worth another attempt at once.
    Cut(Failure),
    NotMoved(NotMoved),
}

struct Seen<Outcome> {
    ended: Mutex<Option<Result<Outcome, Broken>>>,
    /// Whether the source is what is waited for.
    at_source: AtomicBool,
    /// When a piece last went on.
    moved_at: AtomicI64,
}

/// Why the stream broke. Who takes its bytes need not repeat it faithfully, so it is kept here.
enum Broken {
    Source(MediaFailure),
    File(MovingError),
}

impl<Outcome: Send + 'static> Flow<Outcome> {
    /// The flow, and the bytes of the other encryption.
    pub(super) fn start<R: Reencryption<Outcome = Outcome>>(
        source: MediaBytes,
        machine: R,
        clock: &Arc<dyn Clock>,
    ) -> (Self, MediaBytes) {
        let seen = Arc::new(Seen {
            ended: Mutex::new(None),
            at_source: AtomicBool::new(false),
            moved_at: AtomicI64::new(clock.now()),
        });
        let current = Current {
            source,
            machine,
            rest: Bytes::new(),
            seen: Arc::clone(&seen),
            clock: Arc::clone(clock),
        };
        let bytes = stream::unfold(Some(current), |current| async { current?.next().await });
        (Self { seen, clock: Arc::clone(clock) }, bytes.boxed())
    }

    /// Waits for whoever takes the bytes, and says how the file's way ended.
    pub(super) async fn carry<T>(
        self,
        what: &'static str,
        ceiling: &Ceiling,
        taking: impl Future<Output = Result<T, MediaFailure>>,
    ) -> Result<(Outcome, T), Stopped> {
        let stuck = || Failure::later(format!("{what}: the bytes are not taken"));
        let taken = tokio::select! {
            taken = taking => taken,
            () = self.stalls() => Err(stuck().into()),
        };
        let ended = self.seen.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (ended, taken) {
            (Some(Err(broken)), _) => Err(broken.stopped(ceiling)),
            (_, Err(failure)) => Err(not_taken(failure).into()),
            (None, Ok(_)) => Err(NotMoved::Later(stuck()).into()),
            (Some(Ok(outcome)), Ok(taken)) => Ok((outcome, taken)),
        }
    }

    /// Ends when nobody but the taker is to blame that nothing goes on. The source has limits of its
    /// own.
    async fn stalls(&self) {
        loop {
            self.clock.sleep(limits::MEDIA_STALL_MAX / 4).await;
            let since = self.clock.now() - self.seen.moved_at.load(Ordering::Acquire);
            let at_source = self.seen.at_source.load(Ordering::Acquire);
            if !at_source && since > limits::millis(limits::MEDIA_STALL_MAX) {
                return;
            }
        }
    }
}

impl<Outcome> Seen<Outcome> {
    fn end(&self, ended: Result<Outcome, Broken>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    fn moves(&self, now: Timestamp) {
        self.moved_at.store(now, Ordering::Release);
    }
}

impl Broken {
    fn stopped(self, ceiling: &Ceiling) -> Stopped {
        let for_good = match self {
            Self::Source(MediaFailure::Outside(failure)) if failure.retry == Retry::Later => {
                return Stopped::Cut(failure);
            }
            Self::Source(failure) => failure,
            Self::File(MovingError::TooLong) => too_large(ceiling),
            Self::File(error) => {
                tracing::debug!(%error, "a file is damaged");
                MediaFailure::Damaged
            }
        };
        NotMoved::ForGood(for_good).into()
    }
}

impl From<NotMoved> for Stopped {
    fn from(reason: NotMoved) -> Self {
        Self::NotMoved(reason)
    }
}

/// The stream itself.
struct Current<R: Reencryption> {
    source: MediaBytes,
    machine: R,
    /// Of a piece that came larger than what is worked on at once.
    rest: Bytes,
    seen: Arc<Seen<R::Outcome>>,
    clock: Arc<dyn Clock>,
}

type Piece = Result<Bytes, MediaFailure>;

impl<R: Reencryption> Current<R> {
    /// After the last bytes, or a failure, nothing more comes.
    async fn next(mut self) -> Option<(Piece, Option<Self>)> {
        let mut out = Vec::new();
        while out.is_empty() {
            if self.rest.is_empty() {
                match self.ask().await {
                    Some(Ok(piece)) => self.rest = piece,
                    Some(Err(failure)) => return Some(broken(&self.seen, Broken::Source(failure))),
                    None => return self.last(),
                }
            }
            let piece = self.rest.split_to(self.rest.len().min(limits::MEDIA_PIECE_BYTES));
            if let Err(error) = self.machine.update(&piece, &mut out) {
                return Some(broken(&self.seen, Broken::File(error)));
            }
        }
        self.seen.moves(self.clock.now());
        Some((Ok(out.into()), Some(self)))
    }

    async fn ask(&mut self) -> Option<Piece> {
        self.seen.at_source.store(true, Ordering::Release);
        let piece = self.source.next().await;
        self.seen.moves(self.clock.now());
        self.seen.at_source.store(false, Ordering::Release);
        piece
    }

    fn last(self) -> Option<(Piece, Option<Self>)> {
        let Self { source: _, machine, rest: _, seen, clock: _ } = self;
        let mut out = Vec::new();
        match machine.finish(&mut out) {
            Ok(outcome) => seen.end(Ok(outcome)),
            Err(error) => return Some(broken(&seen, Broken::File(error))),
        }
        (!out.is_empty()).then(|| (Ok(out.into()), None))
    }
}

/// What the taker is told says nothing: it is only to stop.
fn broken<R: Reencryption>(seen: &Seen<R::Outcome>, broken: Broken) -> (Piece, Option<Current<R>>) {
    seen.end(Err(broken));
    (Err(Failure::later("the file broke off").into()), None)
}
