//! The partner's server: its key set, its tokens, its push endpoint, its files.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use causeway_emulator::DEFAULT_AUDIENCE;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

pub(crate) struct PartnerServer {
    pub(crate) base_url: String,
    key: EncodingKey,
    pushes: Mutex<mpsc::Receiver<String>>,
    files: Files,
}

/// By storage reference.
type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

impl PartnerServer {
    pub(crate) async fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some("partner".to_owned());
        let key_set = json!({ "keys": [jwk] });
        let (sender, pushes) = mpsc::channel(100);
        let files = Files::default();
        let routes = Router::new()
            .route(
                "/.well-known/oauth/openid/jwks",
                get(move || std::future::ready(Json(key_set.clone()))),
            )
            .route("/push", post(push))
            .with_state(sender)
            .merge(Router::new().route("/{reference}", get(file)).with_state(Arc::clone(&files)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { base_url, key, pushes: Mutex::new(pushes), files }
    }

    /// Serves these bytes under a reference from now on.
    pub(crate) async fn host(&self, reference: &str, bytes: Vec<u8>) {
        self.files.lock().await.insert(reference.to_owned(), bytes);
    }

    /// A token for a user of this partner.
    #[expect(clippy::disallowed_methods, reason = "a token is checked against the real clock")]
    pub(crate) fn token(&self, user: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": self.base_url, "aud": DEFAULT_AUDIENCE, "sub": user, "iat": now, "exp": now + 600,
        });
        let header = Header { kid: Some("partner".to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &self.key).unwrap()
    }

    /// Whom the next push is for.
    pub(crate) async fn next_push(&self) -> String {
        let mut pushes = self.pushes.lock().await;
        let next = pushes.recv();
        tokio::time::timeout(std::time::Duration::from_secs(10), next).await.unwrap().unwrap()
    }
}

async fn push(
    State(pushes): State<mpsc::Sender<String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) {
    assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer "));
    pushes.send(body["to"].as_str().unwrap().to_owned()).await.unwrap();
}

/// The whole file, or `bytes=FIRST-LAST` of it.
async fn file(
    State(files): State<Files>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Response {
    let files = files.lock().await;
    let Some(bytes) = files.get(&reference) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(range) = headers.get(header::RANGE) else { return bytes.clone().into_response() };
    let (first, last) = range.to_str().unwrap()["bytes=".len()..].split_once('-').unwrap();
    let part = bytes[first.parse().unwrap()..=last.parse().unwrap()].to_vec();
    let shown = format!("bytes {first}-{last}/{}", bytes.len());
    (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, shown)], part).into_response()
}
