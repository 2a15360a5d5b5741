//! `GET /{storage_ref}`: a hosted file, for the network to fetch (network facts 1.7).
//!
//! Whoever knows the name gets the ciphertext, so there is one answer for a name that is malformed,
//! unknown or expired, and nothing lists names. A file is given out in pieces at the reader's pace;
//! a reader that stands still loses its place.

use std::{fmt, ops::Range, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    answer,
    range::{Wanted, wanted},
};
use crate::{
    domain::{hosting::HostedMedia, ids::StorageRef, limits},
    port::{Clock, Failure, MediaStore, Storage, media::MediaBytes},
    runtime::Ports,
};

/// What the public listener needs to give out hosted files. Cheap to clone.
#[derive(Clone)]
pub struct HostedFiles {
    storage: Arc<dyn Storage>,
    store: Arc<dyn MediaStore>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for HostedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostedFiles(…)")
    }
}

impl HostedFiles {
    pub fn new(ports: &Ports) -> Self {
        Self {
            storage: Arc::clone(&ports.storage),
            store: Arc::clone(&ports.media),
            clock: Arc::clone(&ports.clock),
            places: Arc::new(Semaphore::new(limits::DOWNLOADS_AT_ONCE_MAX)),
        }
    }

    pub(super) fn router(self) -> Router {
        Router::new().route("/{storage_ref}", get(download).head(describe)).with_state(self)
    }

    /// The row of a path that names a file which may be fetched now.
    async fn hosted(&self, uri: &Uri) -> Result<Option<HostedMedia>, Failure> {
        // The path as it was sent: a name has no other spelling.
        let Some(name) = uri.path().strip_prefix('/').and_then(StorageRef::parse) else {
            return Ok(None);
        };
        let media = self.storage.hosted_media(&name).await?;
        Ok(media.filter(|media| self.clock.now() < media.expires_at))
    }
}

/// `HEAD /{storage_ref}`
async fn describe(State(files): State<HostedFiles>, uri: Uri) -> Response {
    match files.hosted(&uri).await {
        Ok(Some(media)) => (StatusCode::OK, described(media.length)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => unavailable(&failure),
    }
}

/// `GET /{storage_ref}`
async fn download(State(files): State<HostedFiles>, uri: Uri, headers: HeaderMap) -> Response {
    let media = match files.hosted(&uri).await {
        Ok(Some(media)) => media,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(failure) => return unavailable(&failure),
    };
    let range = match wanted(&headers, media.length) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => {
            let content_range = format!("bytes */{}", media.length);
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, content_range)])
                .into_response();
        }
    };
    let Ok(place) = Arc::clone(&files.places).try_acquire_owned() else {
        tracing::warn!("refused a download for now: as many as may be are under way");
        return later();
    };
    match files.store.get(&media.name, range.clone()).await {
        Ok(Some(stored)) if stored.length == media.length => {
            let length = range.as_ref().map_or(media.length, |range| range.end - range.start);
            let body = at_the_readers_pace(files.clock, stored.bytes, length, place);
            answered(media.length, range.as_ref(), body)
        }
        Ok(stored) => {
            let found = stored.is_some();
            tracing::error!(name = ?media.name, found, "a hosted file is not what was hosted");
            StatusCode::NOT_FOUND.into_response()
        }
        Err(failure) => unavailable(&failure),
    }
}

/// A body of exactly `length` bytes, or one that fails. The place is kept until the end.
fn at_the_readers_pace(
    clock: Arc<dyn Clock>,
    mut bytes: MediaBytes,
    length: u64,
    place: OwnedSemaphorePermit,
) -> Body {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let _place = place;
        while let Some(piece) = bytes.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(failure) => {
                    tracing::warn!(%failure, "a download of a hosted file broke off");
                    return;
                }
            };
            tokio::select! {
                sent = sender.send(piece) => if sent.is_err() { return },
                () = clock.sleep(limits::DOWNLOAD_STANDSTILL_MAX) => {
                    tracing::debug!("a reader of a hosted file stood still");
                    return;
                }
            }
        }
    });
    Body::from_stream(stream::try_unfold((receiver, length), async |(mut receiver, left)| {
        match receiver.recv().await {
            Some(piece) => {
                let left = left.checked_sub(piece.len() as u64).ok_or(BrokenOff)?;
                Ok(Some((piece, (receiver, left))))
            }
            None if left == 0 => Ok(None),
            // The connection must not end as if this were all.
            None => Err(BrokenOff),
        }
    }))
}

/// The rest of a file did not come; the reader sees a broken connection.
#[derive(Debug, thiserror::Error)]
#[error("the file broke off")]
struct BrokenOff;

fn answered(length: u64, range: Option<&Range<u64>>, body: Body) -> Response {
    match range {
        None => (StatusCode::OK, described(length), body).into_response(),
        Some(Range { start, end }) => {
            let content_range = format!("bytes {start}-{}/{length}", end - 1);
            let content_range = [(header::CONTENT_RANGE, content_range)];
            (StatusCode::PARTIAL_CONTENT, described(end - start), content_range, body)
                .into_response()
        }
    }
}

/// `length` is of what is sent.
fn described(length: u64) -> AppendHeaders<[(header::HeaderName, String); 5]> {
    AppendHeaders([
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // It expires here; no copy in between shall outlive it.
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ])
}

fn unavailable(failure: &Failure) -> Response {
    tracing::error!(%failure, "could not give out a hosted file");
    later()
}

fn later() -> Response {
    let seconds = limits::DOWNLOAD_RETRY_AFTER.as_secs().to_string();
    ([(header::RETRY_AFTER, seconds)], answer::later()).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::{domain::bridged::Timestamp, port::media::MediaFailure};

    /// On it every patience ends at once, or never.
    struct Patience {
        ends: bool,
    }

    #[async_trait]
    impl Clock for Patience {
        fn now(&self) -> Timestamp {
            0
        }

        async fn sleep(&self, _pause: Duration) {
            if !self.ends {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A body of three pieces and perhaps a failure, said to have `length` bytes.
    fn body(places: &Arc<Semaphore>, ends: bool, broken: bool, length: u64) -> Body {
        let failure = broken.then_some(Err(MediaFailure::Gone));
        let pieces = ["one", "two", "six"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let place = Arc::clone(places).try_acquire_owned().unwrap();
        let bytes = stream::iter(pieces.into_iter().chain(failure)).boxed();
        at_the_readers_pace(Arc::new(Patience { ends }), bytes, length, place)
    }

    #[tokio::test]
    async fn a_body_is_whole_or_fails() {
        let places = Arc::new(Semaphore::new(1));
        for (broken, length, whole) in
            [(false, 9, true), (false, 8, false), (false, 10, false), (true, 12, false)]
        {
            drop(places.acquire().await.unwrap());
            let read = axum::body::to_bytes(body(&places, false, broken, length), 100).await;
            assert_eq!(read.is_ok_and(|bytes| bytes == "onetwosix"), whole, "{broken} {length}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_stands_still_loses_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let unread = body(&places, true, false, 9);
        // The place is free although the body is still there to be read.
        let _place = places.acquire().await.unwrap();
        assert!(axum::body::to_bytes(unread, 100).await.is_err());
    }
}
