use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use assert_matches::assert_matches;
use async_trait::async_trait;
use axum::body::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ruma::mxc_uri;
use tokio::task::yield_now;

use super::*;
use crate::{
    domain::{bridged::Timestamp, hosting::LimitOf},
    matrix::{client::media::LIMIT_FRESH_MS, fake_homeserver::reply},
};

fn uri() -> &'static MxcUri {
    mxc_uri!("mxc://remote.example/abc-D_1")
}

fn pieces(pieces: &[&'static str]) -> MediaBytes {
    let pieces: Vec<_> =
        pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
    stream::iter(pieces).boxed()
}

/// A homeserver that says how large an upload may be and answers everything else with `answer`.
async fn server(answer: impl Fn(&Asked) -> Response + Send + 'static) -> FakeHomeserver {
    FakeHomeserver::start(move |asked| match asked.path.as_str() {
        "/_matrix/client/v1/media/config" => ok(&json!({ "m.upload.size": 1000 })),
        _ => answer(asked),
    })
    .await
}

#[tokio::test]
async fn a_file_is_fetched_as_the_ghost_and_comes_as_a_stream() {
    let server = server(|_| Response::new(Body::from("ciphertext"))).await;
    let Download { length, bytes } = server.client().download_media(&ghost(), uri()).await.unwrap();
    assert_eq!(length, Some(10));
    let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"ciphertext");

    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert_eq!(asked.line(), "GET /_matrix/client/v1/media/download/remote.example/abc-D_1");
    assert!(is_masqueraded(asked));
}

#[tokio::test]
async fn a_refused_download_says_what_it_means_for_the_file() {
    for (status, code, expected) in [
        (404, "M_NOT_FOUND", "Gone"),
        (410, "M_UNKNOWN", "Gone"),
        (502, "M_TOO_LARGE", "too large"),
        (413, "M_TOO_LARGE", "too large"),
        (307, "M_UNKNOWN", "NotAllowed"),
        (403, "M_FORBIDDEN", "never"),
        (401, "M_UNKNOWN_TOKEN", "later"),
        (502, "M_UNKNOWN", "later"),
        (504, "M_NOT_YET_UPLOADED", "later"),
    ] {
        let server = server(move |_| refuse(status, code)).await;
        let outcome = server.client().download_media(&ghost(), uri()).await;
        let said = match outcome.unwrap_err() {
            MediaFailure::Gone => "Gone",
            MediaFailure::NotAllowed => "NotAllowed",
            MediaFailure::TooLarge { limit: 1000, whose: LimitOf::Homeserver } => "too large",
            MediaFailure::Outside(failure) if failure.retry == Retry::Later => "later",
            MediaFailure::Outside(_) => "never",
            other => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "{status} {code}");
    }
}

#[tokio::test]
async fn an_uri_that_names_nothing_is_not_asked_for() {
    let server = server(|_| refuse(404, "M_NOT_FOUND")).await;
    for uri in ["https://remote.example/abc", "mxc://remote.example/../abc", "mxc://"] {
        let outcome = server.client().download_media(&ghost(), uri.into()).await;
        assert_matches!(outcome, Err(MediaFailure::Gone));
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_redirected_download_does_not_carry_the_token_away() {
    let server = server(|_| {
        let mut response = refuse(308, "M_UNKNOWN");
        response.headers_mut().insert("location", HeaderValue::from_static("/elsewhere"));
        response
    })
    .await;
    let outcome = server.client().download_media(&ghost(), uri()).await;
    assert_matches!(outcome, Err(MediaFailure::NotAllowed));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_download_that_breaks_off_says_so() {
    let server = server(|_| {
        let half = stream::iter([Ok(Bytes::from_static(b"half"))]);
        let broken = async {
            // What came before is written meanwhile.
            yield_now().await;
            Err(io::Error::other("broken"))
        };
        let pieces = half.chain(stream::once(broken));
        let mut answer = Response::new(Body::from_stream(pieces));
        answer.headers_mut().insert("content-length", HeaderValue::from_static("8"));
        answer
    })
    .await;
    let download = server.client().download_media(&ghost(), uri()).await.unwrap();
    let pieces: Vec<_> = download.bytes.collect().await;
    let failure = assert_matches!(pieces.last(), Some(Err(MediaFailure::Outside(it))) => it);
    assert_eq!(failure.retry, Retry::Later);
    let source = std::error::Error::source(failure).unwrap();
    assert!(!format!("{failure} {source:?}").contains("remote.example"), "the URL stays out");
}

#[tokio::test]
async fn being_too_fast_is_waited_for_before_a_download() {
    let answers = Mutex::new(vec![Response::new(Body::from("x")), too_fast(700)]);
    let server = server(move |_| answers.lock().unwrap().pop().unwrap()).await;
    let clock = Arc::new(Impatient::default());
    let client = server.client_with_clock(clock.clone());
    client.download_media(&ghost(), uri()).await.unwrap();
    assert_eq!(*clock.slept.lock().unwrap(), [Duration::from_millis(700)]);
}

#[tokio::test]
async fn a_file_is_uploaded_as_the_ghost_with_its_length_and_no_type() {
    for file in [&["cipher", "text"][..], &[], &[""]] {
        let server = server(|_| ok(&json!({ "content_uri": "mxc://example.org/new" }))).await;
        let whole = file.concat();
        let length = u64::try_from(whole.len()).unwrap();
        let uri = server.client().upload_media(&ghost(), length, pieces(file)).await.unwrap();
        assert_eq!(uri, "mxc://example.org/new");

        let [asked] = &server.asked()[..] else { panic!("one call") };
        assert_eq!(asked.line(), "POST /_matrix/media/v3/upload");
        assert!(is_masqueraded(asked));
        assert_eq!(asked.bytes, whole);
        assert_eq!(asked.headers["content-type"], "application/octet-stream");
        assert_eq!(asked.headers["content-length"], length.to_string().as_str());
    }
}

#[tokio::test]
async fn a_stream_that_fails_or_ends_early_uploads_nothing() {
    let failing = pieces(&["half"]).chain(stream::iter([Err(MediaFailure::Damaged)])).boxed();
    for bytes in [failing, pieces(&["half"]), pieces(&[])] {
        let server = server(|_| ok(&json!({ "content_uri": "mxc://example.org/new" }))).await;
        server.client().upload_media(&ghost(), 8, bytes).await.unwrap_err();
        assert!(server.asked().iter().all(|asked| asked.bytes.len() < 8));
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_names_a_limit_below_it() {
    for (length, limit) in [(4, 3), (2000, 1000)] {
        let server = server(|_| refuse(413, "M_TOO_LARGE")).await;
        let bytes = stream::iter([Ok(Bytes::from(vec![0; usize::try_from(length).unwrap()]))]);
        let outcome = server.client().upload_media(&ghost(), length, bytes.boxed()).await;
        assert_matches!(
            outcome,
            Err(MediaFailure::TooLarge { limit: known, whose: LimitOf::Homeserver }) if known == limit
        );
    }
}

#[tokio::test]
async fn a_refused_upload_says_whether_to_try_again() {
    for (status, code, retry) in [
        (429, "M_LIMIT_EXCEEDED", Retry::Later),
        (500, "M_UNKNOWN", Retry::Later),
        (403, "M_FORBIDDEN", Retry::Never),
        (404, "M_UNRECOGNIZED", Retry::Never),
    ] {
        let server = server(move |_| refuse(status, code)).await;
        let outcome = server.client().upload_media(&ghost(), 4, pieces(&["file"])).await;
        assert_matches!(outcome, Err(MediaFailure::Outside(failure)) if failure.retry == retry);
        assert_eq!(server.asked().len(), 1, "what was sent is gone");
    }
}

/// A clock that stands where the test puts it.
#[derive(Default)]
struct Standing(AtomicI64);

#[async_trait]
impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0.load(Ordering::SeqCst)
    }

    async fn sleep(&self, _pause: Duration) {}
}

#[tokio::test]
async fn the_largest_upload_is_asked_for_once_in_a_while() {
    let server = server(|_| refuse(404, "M_UNRECOGNIZED")).await;
    let clock = Arc::new(Standing::default());
    let client = server.client_with_clock(clock.clone());
    for (now, calls) in [(0, 1), (LIMIT_FRESH_MS - 1, 1), (LIMIT_FRESH_MS, 2)] {
        clock.0.store(now, Ordering::SeqCst);
        assert_eq!(client.media_limit().await.unwrap(), 1000);
        assert_eq!(server.asked().len(), calls, "{now}");
    }
    let asked = &server.asked()[0];
    assert_eq!(asked.parameter("user_id"), Some("@whatsappbot:example.org"));
}

#[tokio::test]
async fn a_homeserver_that_names_no_largest_upload_has_none() {
    let server = FakeHomeserver::start(|_| ok(&json!({}))).await;
    assert_eq!(server.client().media_limit().await.unwrap(), u64::MAX);
    let server = FakeHomeserver::start(|_| reply(200, &json!("<html>"))).await;
    assert_eq!(server.client().media_limit().await.unwrap_err().retry, Retry::Later);
}
