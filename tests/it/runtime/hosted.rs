//! Hosted files over HTTP: the network gets what it asks for, and nobody learns anything by guessing.

use causeway::{
    domain::{
        ids::StorageRef,
        limits::{DOWNLOAD_RETRY_AFTER, DOWNLOADS_AT_ONCE_MAX},
    },
    port::Clock as _,
};
use futures_util::future::join_all;
use reqwest::{Client, Method, Response, StatusCode, Version, header};
use tokio::net::TcpListener;

use super::{
    cleaning::{host, name},
    stage::Stage,
    surroundings::Trouble,
};

struct Public {
    url: String,
    client: Client,
}

impl Public {
    async fn of(stage: &Stage) -> Self {
        let (_, network) = stage.faces();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, network.router()).await });
        Self { url, client: Client::builder().build().unwrap() }
    }

    async fn ask(&self, method: Method, path: &str, range: Option<&str>) -> Response {
        let mut request = self.client.request(method, format!("{}/{path}", self.url));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, name: &StorageRef, range: Option<&str>) -> Response {
        self.ask(Method::GET, name.as_str(), range).await
    }
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Three and a half pieces of the fake store.
fn content() -> Vec<u8> {
    (0..3_500_u32).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn stage_with_a_file() -> (Stage, Public) {
    let (stage, _) = Stage::connected().await;
    let expires_at = stage.clock.now() + 1_000;
    host(&stage, &name(1), content(), expires_at).await;
    let public = Public::of(&stage).await;
    (stage, public)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_file_is_given_out_whole() {
    let (stage, mut public) = stage_with_a_file().await;
    host(&stage, &name(2), Vec::new(), stage.clock.now() + 1_000).await;
    let second = Client::builder().http2_prior_knowledge().build().unwrap();
    for (client, version) in [(public.client.clone(), Version::HTTP_11), (second, Version::HTTP_2)]
    {
        public.client = client;
        let response = public.get(&name(1), None).await;
        assert_eq!((response.status(), response.version()), (StatusCode::OK, version));
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), "3500");
        assert_eq!(header_of(&response, header::CONTENT_TYPE), "application/octet-stream");
        assert_eq!(header_of(&response, header::ACCEPT_RANGES), "bytes");
        assert_eq!(header_of(&response, header::CACHE_CONTROL), "private, no-store");
        assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(response.bytes().await.unwrap(), content());

        let response = public.ask(Method::HEAD, name(1).as_str(), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), "3500");
        assert_eq!(header_of(&response, header::CONTENT_TYPE), "application/octet-stream");
        assert!(response.bytes().await.unwrap().is_empty());

        let response = public.get(&name(2), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), "0");
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_file_is_given_out() {
    let (_stage, public) = stage_with_a_file().await;
    for (range, part, content_range) in [
        ("bytes=0-0", 0..1, "bytes 0-0/3500"),
        ("bytes=999-1000", 999..1_001, "bytes 999-1000/3500"),
        ("bytes=3499-", 3_499..3_500, "bytes 3499-3499/3500"),
        ("bytes=-700", 2_800..3_500, "bytes 2800-3499/3500"),
        ("bytes=0-9999", 0..3_500, "bytes 0-3499/3500"),
    ] {
        let response = public.get(&name(1), Some(range)).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(header_of(&response, header::CONTENT_RANGE), content_range);
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), part.len().to_string());
        assert_eq!(response.bytes().await.unwrap(), content()[part], "{range}");
    }
    let response = public.get(&name(1), Some("bytes=3500-")).await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header_of(&response, header::CONTENT_RANGE), "bytes */3500");
    let response = public.get(&name(1), Some("bytes=0-1,5-6")).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_unknown_and_expired_are_one_answer() {
    let (stage, public) = stage_with_a_file().await;
    let known = name(1).as_str().to_owned();
    // An object without a row is not hosted, however well its name is known.
    stage.media.place(&name(3), content());
    let paths = [
        name(2).as_str().to_owned(),
        name(3).as_str().to_owned(),
        known[..42].to_owned(),
        format!("{known}A"),
        format!("{known}/"),
        format!("%{:X}{}", known.as_bytes()[0], &known[1..]),
        format!("x/{known}"),
        format!("{known}%00"),
        "%ff".to_owned(),
        "..%2f..%2fetc%2fpasswd".to_owned(),
        String::new(),
    ];
    for path in &paths {
        for range in [None, Some("bytes=0-1")] {
            let response = public.ask(Method::GET, path, range).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            let headers: Vec<_> =
                response.headers().keys().map(header::HeaderName::as_str).collect();
            assert_eq!(headers, ["content-length", "date"], "{path}");
            assert!(response.bytes().await.unwrap().is_empty());
        }
        let response = public.ask(Method::HEAD, path, None).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(public.get(&name(1), None).await.status(), StatusCode::OK);
    stage.clock.advance(std::time::Duration::from_secs(1));
    let response = public.get(&name(1), None).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.bytes().await.unwrap().is_empty());
    assert_eq!(public.ask(Method::HEAD, &known, None).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_routes_are_what_they_were() {
    let (_stage, public) = stage_with_a_file().await;
    let key_set = ".well-known/oauth/openid/jwks";
    assert_eq!(public.ask(Method::GET, key_set, None).await.status(), StatusCode::OK);
    let unsigned = public.ask(Method::POST, "push", None).await;
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        let response = public.ask(method, name(1).as_str(), None).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(public.get(&name(1), None).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_downloads_as_may_be_and_one_more() {
    let (stage, public) = stage_with_a_file().await;
    stage.media.reading.close();
    let one = name(1);
    let open = join_all((0..DOWNLOADS_AT_ONCE_MAX).map(|_| public.get(&one, None))).await;
    assert!(open.iter().all(|response| response.status() == StatusCode::OK));
    let refused = public.get(&one, None).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let seconds = DOWNLOAD_RETRY_AFTER.as_secs().to_string();
    assert_eq!(header_of(&refused, header::RETRY_AFTER), seconds);
    // What needs no place is answered still.
    assert_eq!(public.ask(Method::HEAD, one.as_str(), None).await.status(), StatusCode::OK);
    assert_eq!(public.get(&name(2), None).await.status(), StatusCode::NOT_FOUND);
    stage.media.reading.open();
    for response in open {
        assert_eq!(response.bytes().await.unwrap(), content());
    }
    assert_eq!(public.get(&one, None).await.bytes().await.unwrap(), content());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_asked_again_later() {
    let (stage, public) = stage_with_a_file().await;
    *stage.media.trouble.lock().unwrap() = Some(Trouble::Later);
    let response = public.get(&name(1), None).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!header_of(&response, header::RETRY_AFTER).is_empty());
    *stage.media.trouble.lock().unwrap() = None;
    assert_eq!(public.get(&name(1), None).await.status(), StatusCode::OK);
    // The file was lost: the row alone is nothing that could be given out.
    stage.media.remove(&name(1));
    assert_eq!(public.get(&name(1), None).await.status(), StatusCode::NOT_FOUND);
}
