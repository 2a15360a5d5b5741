//! A kept file on its way out, with the flaws that a test ordered. It must not know who asked for it.

use std::{io, io::SeekFrom, num::NonZeroU32, ops::Range, path::Path, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    time::sleep,
};

/// Bytes of a piece.
const PIECE: u64 = 128 * 1024;
/// Pieces a second of a slow file: often enough that a reader sees something come all the time.
const DRIPS_PER_SECOND: u32 = 4;
/// Time for what was sent to leave, before a connection is lost on purpose.
const CUT_PAUSE: Duration = Duration::from_millis(200);

/// What is wrong with a file as it is sent. Places count from the start of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// A byte of which one bit is changed.
    pub(crate) flipped: Option<u64>,
    /// Where the connection is lost.
    pub(crate) cut_at: Option<u64>,
    pub(crate) bytes_per_second: Option<NonZeroU32>,
}

struct Outgoing {
    file: File,
    at: u64,
    end: u64,
    flaws: Flaws,
}

/// The bytes of a part of a file. The part may end behind the file if it is cut off before.
pub(crate) async fn stream(
    path: &Path,
    part: Range<u64>,
    flaws: Flaws,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(part.start)).await?;
    let outgoing = Outgoing { file, at: part.start, end: part.end, flaws };
    Ok(stream::try_unfold(outgoing, next))
}

async fn next(mut outgoing: Outgoing) -> io::Result<Option<(Bytes, Outgoing)>> {
    let Flaws { flipped, cut_at, bytes_per_second } = outgoing.flaws;
    let end = cut_at.map_or(outgoing.end, |cut| cut.min(outgoing.end));
    let left = end.saturating_sub(outgoing.at);
    if left == 0 {
        if end == outgoing.end {
            return Ok(None);
        }
        sleep(CUT_PAUSE).await;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let mut size = left.min(PIECE);
    if let Some(speed) = bytes_per_second {
        let drip = (speed.get() / DRIPS_PER_SECOND).max(1);
        sleep(Duration::from_secs(1) * drip / speed.get()).await;
        size = size.min(drip.into());
    }
    let mut piece = vec![0; usize::try_from(size).expect("a piece is small")];
    outgoing.file.read_exact(&mut piece).await?;
    if let Some(place) = flipped.and_then(|place| place.checked_sub(outgoing.at))
        && let Some(byte) = usize::try_from(place).ok().and_then(|place| piece.get_mut(place))
    {
        *byte ^= 1;
    }
    outgoing.at += size;
    Ok(Some((piece.into(), outgoing)))
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    async fn read(part: Range<u64>, flaws: Flaws) -> (Vec<u8>, bool) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let mut got = Vec::new();
        let whole = stream(file.path(), part, flaws)
            .await
            .unwrap()
            .try_for_each(|piece| {
                got.extend_from_slice(&piece);
                std::future::ready(Ok(()))
            })
            .await;
        (got, whole.is_ok())
    }

    #[tokio::test]
    async fn a_part_is_sent_as_it_is() {
        assert_eq!(read(0..10, Flaws::default()).await, (b"0123456789".to_vec(), true));
        assert_eq!(read(3..5, Flaws::default()).await, (b"34".to_vec(), true));
        assert_eq!(read(10..10, Flaws::default()).await, (Vec::new(), true));
    }

    #[tokio::test]
    async fn flaws_are_at_their_place_of_the_file() {
        let flipped = Flaws { flipped: Some(4), ..Flaws::default() };
        assert_eq!(read(3..6, flipped).await, (b"355".to_vec(), true));
        assert_eq!(read(5..7, flipped).await, (b"56".to_vec(), true));
        let cut = Flaws { cut_at: Some(5), ..Flaws::default() };
        assert_eq!(read(3..10, cut).await, (b"34".to_vec(), false));
    }

    #[tokio::test]
    async fn a_slow_file_takes_its_time() {
        let started = tokio::time::Instant::now();
        let slow = Flaws { bytes_per_second: NonZeroU32::new(40), ..Flaws::default() };
        assert_eq!(read(0..10, slow).await, (b"0123456789".to_vec(), true));
        assert!(started.elapsed() >= Duration::from_millis(250));
    }
}
