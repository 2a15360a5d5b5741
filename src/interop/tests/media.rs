use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use assert_matches::assert_matches;
use axum::{
    Router,
    body::Body,
    extract::RawQuery,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::yield_now;
use url::Url;

use super::{
    super::{
        Interop, NetworkProfile,
        media::{PATH_BYTES_MAX, place},
    },
    http::serve,
    interop, patience,
};
use crate::{
    domain::ids::StorageRef,
    port::{
        InteropNetwork as _, Retry,
        media::{Download, MediaFailure},
        network::RemoteFile,
    },
};

fn path(path: &str) -> RemoteFile {
    RemoteFile { direct_path: Some(path.to_owned()), url: None }
}

fn url(url: &str) -> RemoteFile {
    RemoteFile { direct_path: None, url: Some(url.to_owned()) }
}

fn where_is(server: &str, from: &RemoteFile) -> Option<String> {
    place(&Url::parse(server).unwrap(), from).map(String::from)
}

#[test]
fn a_path_is_fetched_from_the_media_server() {
    let server = "https://mmg.whatsapp.net";
    let longest = format!("/{}", "a".repeat(PATH_BYTES_MAX - 1));
    for good in [
        "/v/t62.7118-24/1_2_n.enc?ccb=11-4&oh=01_Q5A%3D&oe=66AB&_nc_sid=5e03e0&u=https://x//y",
        "/v/t1",
        "/v/..t",
        "/",
        "/v/a.b..c/~d(e)!*:@f",
        &longest,
    ] {
        assert_eq!(where_is(server, &path(good)), Some(format!("{server}{good}")), "{good}");
        assert_eq!(
            where_is(server, &url(&format!("{server}{good}"))),
            Some(format!("{server}{good}"))
        );
    }
    let below = where_is("http://127.0.0.1:81/media/", &path("/v/t1"));
    assert_eq!(below.as_deref(), Some("http://127.0.0.1:81/media/v/t1"));
}

/// Each of these could lead a request to where the sender of the message wants it.
#[test]
fn no_other_place_is_fetched_from() {
    let server = "https://mmg.whatsapp.net";
    let too_long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
    for bad in [
        "v/t1",
        "//evil.example/v",
        "/v//t1",
        "///evil.example",
        "/\\evil.example/v",
        "\\\\evil.example",
        "@evil.example/v",
        ".evil.example/v",
        ":8080/v",
        "http://127.0.0.1/v",
        "https://mmg.whatsapp.net/v/t1",
        "/v/../admin",
        "/../v",
        "/v/..",
        "/v/./t",
        "/v/%2e%2e/admin",
        "/v/%2E./admin",
        "/v/..%2fadmin",
        "/v/..%5Cadmin",
        "/v/t1#fragment",
        "/v/t 1",
        "/v/t\n1",
        "/v/t\r\nHost: evil.example",
        "/v/t\u{0}1",
        "/v/\u{e9}",
        "/v/<t>",
        " /v/t1",
        &too_long,
    ] {
        assert_eq!(where_is(server, &path(bad)), None, "{bad:?}");
    }
    for bad in [
        "http://mmg.whatsapp.net/v/t1",
        "https://mmg.whatsapp.net:444/v/t1",
        "https://user@mmg.whatsapp.net/v/t1",
        "https://mmg.whatsapp.net@evil.example/v/t1",
        "https://mmg.whatsapp.net.evil.example/v/t1",
        "https://media.cdn.whatsapp.net/v/t1",
        "https://127.0.0.1/v/t1",
        "https://[::1]/v/t1",
        "https://2130706433/v/t1",
        "https://localhost/v/t1",
        "https://169.254.169.254/latest/meta-data",
        "https://mmg.whatsapp.net/v//t1",
        "https://mmg.whatsapp.net/v/t1#fragment",
        "ftp://mmg.whatsapp.net/v/t1",
        "file:///etc/passwd",
        "/v/t1",
        "mmg.whatsapp.net/v/t1",
        "",
    ] {
        assert_eq!(where_is(server, &url(bad)), None, "{bad:?}");
    }
    assert_eq!(where_is(server, &RemoteFile { direct_path: None, url: None }), None);
}

#[test]
fn a_path_is_preferred_and_a_bad_one_is_not_made_up_for() {
    let server = "https://mmg.whatsapp.net";
    let both = |path: &str, url: &str| RemoteFile {
        direct_path: Some(path.to_owned()),
        url: Some(url.to_owned()),
    };
    let here = "https://mmg.whatsapp.net/b";
    assert_eq!(where_is(server, &both("/a", here)).as_deref(), Some("https://mmg.whatsapp.net/a"));
    assert_eq!(
        where_is(server, &both("/a", "https://evil.example/b")).unwrap(),
        format!("{server}/a")
    );
    assert_eq!(where_is(server, &both("//a", here)), None);
    assert_eq!(where_is(server, &both("", here)).as_deref(), Some(here));
}

#[test]
fn a_hosted_file_has_the_documented_path() {
    let profile = NetworkProfile::documented("https://bridge.example", 12);
    let name = StorageRef::from_random([0; 32]);
    let expected = format!("/interop/whatsapp/download/12/{}/", "A".repeat(43));
    assert_eq!(interop(profile).hosted_path(&name), expected);
}

/// An adapter whose media server answers `GET /v/t1` with this.
async fn media_server(
    answer: impl Fn(Option<String>) -> Response + Clone + Send + Sync + 'static,
) -> Interop {
    let route = get(move |RawQuery(query): RawQuery| std::future::ready(answer(query)));
    media_server_of(Router::new().route("/v/t1", route)).await
}

async fn media_server_of(router: Router) -> Interop {
    interop(NetworkProfile {
        media_url: serve(router).await,
        patience: patience(),
        ..NetworkProfile::documented("https://bridge.example", 12)
    })
}

async fn fetch(interop: &Interop) -> Result<Download, MediaFailure> {
    interop.download_media(&path("/v/t1?oh=1")).await
}

#[tokio::test]
async fn a_file_comes_as_a_stream_with_its_length() {
    let server = media_server(|query| {
        assert_eq!(query.as_deref(), Some("oh=1"));
        Body::from("ciphertext").into_response()
    })
    .await;
    let Download { length, bytes } = fetch(&server).await.unwrap();
    assert_eq!(length, Some(10));
    let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"ciphertext");
}

#[tokio::test]
async fn a_refusal_says_what_it_means_for_the_file() {
    for (status, expected) in [
        (403, "Gone"),
        (404, "Gone"),
        (410, "Gone"),
        (301, "NotAllowed"),
        (304, "NotAllowed"),
        (401, "never"),
        (416, "never"),
        (408, "later"),
        (429, "later"),
        (500, "later"),
        (503, "later"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = media_server(move |_| status.into_response()).await;
        let said = match fetch(&server).await.unwrap_err() {
            MediaFailure::Gone => "Gone",
            MediaFailure::NotAllowed => "NotAllowed",
            MediaFailure::Outside(failure) if failure.retry == Retry::Later => "later",
            MediaFailure::Outside(_) => "never",
            other => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "{status}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = reached.clone();
    let inside = get(move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready("a secret of the bridge's own network")
    });
    let elsewhere = serve(Router::new().route("/", inside.clone())).await;
    for target in [elsewhere.as_str(), "/inside", "http://169.254.169.254/latest/meta-data"] {
        let target = target.to_owned();
        let redirect = get(move || {
            std::future::ready((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target.clone())]))
        });
        let router = Router::new().route("/v/t1", redirect).route("/inside", inside.clone());
        let server = media_server_of(router).await;
        assert_matches!(fetch(&server).await, Err(MediaFailure::NotAllowed));
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_file_that_is_not_at_the_media_server_is_not_asked_for() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = reached.clone();
    let server = media_server_of(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready("")
    }))
    .await;
    for from in [path("//127.0.0.1/v"), path("/v/../v"), url("http://127.0.0.1:1/v/t1")] {
        assert_matches!(server.download_media(&from).await, Err(MediaFailure::NotAllowed));
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_download_that_breaks_off_says_so() {
    let server = media_server(|_| {
        let half = stream::iter([Ok(Bytes::from_static(b"half"))]);
        let broken = async {
            // What came before is written meanwhile.
            yield_now().await;
            Err(io::Error::other("broken"))
        };
        let pieces = half.chain(stream::once(broken));
        let mut answer = Body::from_stream(pieces).into_response();
        answer.headers_mut().insert("content-length", "8".parse().unwrap());
        answer
    })
    .await;
    let Download { length, bytes } = fetch(&server).await.unwrap();
    assert_eq!(length, Some(8));
    let pieces: Vec<_> = bytes.collect().await;
    assert_matches!(
        pieces.last(),
        Some(Err(MediaFailure::Outside(failure))) if failure.retry == Retry::Later
    );
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_later_and_not_named() {
    let server = interop(NetworkProfile {
        media_url: "http://127.0.0.1:1/".parse().unwrap(),
        patience: patience(),
        ..NetworkProfile::documented("https://bridge.example", 12)
    });
    let failure = assert_matches!(fetch(&server).await, Err(MediaFailure::Outside(it)) => it);
    assert_eq!(failure.retry, Retry::Later);
    let source = std::error::Error::source(&failure).unwrap();
    assert!(!format!("{failure} {source} {source:?}").contains("/v/t1"), "paths stay out of logs");
}
