use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::{
    http::{self, ANSWER_BYTES_MAX},
    profile::{PushProof, TokenClaims},
    push::{BEARER_BYTES_MAX, CLOCK_SKEW_S, PushVerifier},
    token::TokenKey,
};
use super::token_key;
use crate::port::Retry;

const NOW: i64 = 1_750_000_000_000;
const AUDIENCE: &str = "https://bridge.example";

pub(super) async fn serve(router: Router) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().unwrap()
}

/// A network that serves its key set, and how often it did.
struct KeySet {
    key: TokenKey,
    verifier: PushVerifier,
    fetched: Arc<AtomicUsize>,
}

async fn key_set() -> KeySet {
    let (key, fetched) = (token_key(), Arc::new(AtomicUsize::new(0)));
    let (set, count) = (json!({"keys": [key.public()]}).to_string(), fetched.clone());
    let route = get(move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(set.clone())
    });
    let keys_url = serve(Router::new().route("/", route)).await;
    let proof =
        PushProof { keys_url, issuer: "WHATSAPP".to_owned(), audience: AUDIENCE.to_owned() };
    let client = http::client(Duration::from_secs(5)).unwrap();
    KeySet { key, verifier: PushVerifier::new(client, proof), fetched }
}

fn bearer(key: &TokenKey, issuer: &str, audience: &str) -> String {
    bearer_at(key, issuer, audience, NOW)
}

fn bearer_at(key: &TokenKey, issuer: &str, audience: &str, now: i64) -> String {
    let claims = TokenClaims {
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        lifetime: Duration::from_hours(1),
    };
    key.sign("x", &claims, now).unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_push_of_the_network_is_believed_until_it_expires() {
    let network = key_set().await;
    let good = bearer(&network.key, "WHATSAPP", AUDIENCE);
    let verify = |now| network.verifier.verify(&good, now);
    let start = NOW - CLOCK_SKEW_S * 1_000;
    let end = NOW + (3_600 + CLOCK_SKEW_S) * 1_000;
    assert!(verify(start - 1_000).await.is_err());
    verify(start).await.unwrap();
    verify(NOW).await.unwrap();
    verify(end).await.unwrap();
    assert_eq!(verify(end + 1_000).await.unwrap_err().to_string(), "the push token has expired");
    assert_eq!(network.fetched.load(Ordering::Relaxed), 1, "the key set is kept");
}

#[tokio::test]
async fn a_push_for_or_by_somebody_else_is_refused() {
    let network = key_set().await;
    for (issuer, audience) in [("WHATSAPP", "https://other.example"), ("SOMEBODY", AUDIENCE)] {
        let token = bearer(&network.key, issuer, audience);
        let failure = network.verifier.verify(&token, NOW).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
    }
    let good = bearer(&network.key, "WHATSAPP", AUDIENCE);
    let (head, _) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{head}.AAAA");
    assert!(network.verifier.verify(&unsigned, NOW).await.is_err());
    assert!(network.verifier.verify(&"a".repeat(BEARER_BYTES_MAX), NOW).await.is_err());
    let too_long = "a".repeat(BEARER_BYTES_MAX + 1);
    let failure = network.verifier.verify(&too_long, NOW).await.unwrap_err();
    assert!(failure.to_string().contains("bytes"), "{failure}");
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_a_minute() {
    let network = key_set().await;
    let stranger = bearer(&TokenKey::generate().unwrap(), "WHATSAPP", AUDIENCE);
    for (now, fetched) in [(NOW, 1), (NOW + 59_999, 1), (NOW + 60_000, 2), (NOW + 60_001, 2)] {
        assert!(network.verifier.verify(&stranger, now).await.is_err());
        assert_eq!(network.fetched.load(Ordering::Relaxed), fetched, "{now}");
    }
}

#[tokio::test]
async fn a_key_set_is_believed_for_a_day() {
    let network = key_set().await;
    let day = 24 * 3_600 * 1_000;
    let good = |now| bearer_at(&network.key, "WHATSAPP", AUDIENCE, now);
    for (now, fetched) in [(NOW, 1), (NOW + day - 1, 1), (NOW + day, 2)] {
        network.verifier.verify(&good(now), now).await.unwrap();
        assert_eq!(network.fetched.load(Ordering::Relaxed), fetched, "{now}");
    }
}

#[tokio::test]
async fn an_answer_has_the_longest_length_and_not_one_more() {
    let answer = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
    let router = Router::new()
        .route("/longest", get(move || std::future::ready(answer(ANSWER_BYTES_MAX))))
        .route("/longer", get(move || std::future::ready(answer(ANSWER_BYTES_MAX + 1))))
        .route("/busy", get(|| std::future::ready(axum::http::StatusCode::BAD_GATEWAY)));
    let url = serve(router).await;
    let client = http::client(Duration::from_secs(5)).unwrap();
    let ask = |path| http::exchange::<Value>(client.get(url.join(path).unwrap()), "a question");
    ask("longest").await.unwrap();
    assert_eq!(ask("longer").await.unwrap_err().retry, Retry::Never);
    assert_eq!(ask("busy").await.unwrap_err().retry, Retry::Later);
    assert_eq!(ask("missing").await.unwrap_err().retry, Retry::Never);
}
