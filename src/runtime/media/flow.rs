//! A file on its way through a [`Reencryption`]: whoever takes the bytes asks for the next, and each
//! question costs one piece of work.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
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
    ceiling: Ceiling,
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
    /// The flow, and the bytes of the other encryption. Waits for the first of them: who takes a file
    /// of a known length asks for no more when it has that length, so the bytes of a file of none, or of
    /// one piece, must be proven before anybody takes them.
    pub(super) async fn start<R: Reencryption<Outcome = Outcome>>(
        source: MediaBytes,
        machine: R,
        ceiling: &Ceiling,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Self, MediaBytes), Stopped> {
        let seen = Arc::new(Seen {
            ended: Mutex::new(None),
            at_source: AtomicBool::new(false),
            moved_at: AtomicI64::new(clock.now()),
        });
        let current = Current {
            source,
            machine,
            rest: Bytes::new(),
            ahead: Vec::new(),
            seen: Arc::clone(&seen),
            clock: Arc::clone(clock),
        };
        let bytes = stream::unfold(Some(current), |current| async { current?.next().await });
        let mut bytes = bytes.boxed().peekable();
        Pin::new(&mut bytes).peek().await;
        let flow = Self { seen, ceiling: *ceiling, clock: Arc::clone(clock) };
        match flow.broken() {
            Some(stopped) => Err(stopped),
            None => Ok((flow, bytes.boxed())),
        }
    }

    /// Waits for whoever takes the bytes, and says how the file's way ended.
    pub(super) async fn carry<T>(
        self,
        what: &'static str,
        taking: impl Future<Output = Result<T, MediaFailure>>,
    ) -> Result<(Outcome, T), Stopped> {
        let stuck = || Failure::later(format!("{what}: the bytes are not taken"));
        let taken = tokio::select! {
            biased;
            taken = taking => taken,
            () = self.stalls() => Err(stuck().into()),
        };
        if let Some(stopped) = self.broken() {
            return Err(stopped);
        }
        let taken = taken.map_err(not_taken)?;
        match self.seen.ended().take() {
            Some(Ok(outcome)) => Ok((outcome, taken)),
            _ => Err(NotMoved::Later(stuck()).into()),
        }
    }

    /// Why the bytes broke off, if they did.
    fn broken(&self) -> Option<Stopped> {
        let broken = self.seen.ended().take_if(|ended| ended.is_err())?.err()?;
        Some(broken.stopped(&self.ceiling))
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
    fn ended(&self) -> MutexGuard<'_, Option<Result<Outcome, Broken>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, ended: Result<Outcome, Broken>) {
        *self.ended() = Some(ended);
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
    /// What is ready. It goes on when more is, or when the file is proven: so its last bytes never
    /// go on before.
    ahead: Vec<u8>,
    seen: Arc<Seen<R::Outcome>>,
    clock: Arc<dyn Clock>,
}

type Piece = Result<Bytes, MediaFailure>;

impl<R: Reencryption> Current<R> {
    /// After the last bytes, or a failure, nothing more comes.
    async fn next(mut self) -> Option<(Piece, Option<Self>)> {
        loop {
            if self.rest.is_empty() {
                match self.ask().await {
                    Some(Ok(piece)) => self.rest = piece,
                    Some(Err(failure)) => return Some(broken(&self.seen, Broken::Source(failure))),
                    None => return self.last(),
                }
            }
            let piece = self.rest.split_to(self.rest.len().min(limits::MEDIA_PIECE_BYTES));
            let mut out = Vec::new();
            if let Err(error) = self.machine.update(&piece, &mut out) {
                return Some(broken(&self.seen, Broken::File(error)));
            }
            if !out.is_empty() {
                let ready = std::mem::replace(&mut self.ahead, out);
                if !ready.is_empty() {
                    self.seen.moves(self.clock.now());
                    return Some((Ok(ready.into()), Some(self)));
                }
            }
        }
    }

    async fn ask(&mut self) -> Option<Piece> {
        self.seen.at_source.store(true, Ordering::Release);
        let piece = self.source.next().await;
        self.seen.moves(self.clock.now());
        self.seen.at_source.store(false, Ordering::Release);
        piece
    }

    fn last(self) -> Option<(Piece, Option<Self>)> {
        let Self { source: _, machine, rest: _, ahead: mut out, seen, clock: _ } = self;
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
