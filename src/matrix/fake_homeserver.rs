//! A homeserver for unit tests: it records what it is asked and answers what the test says.
//!
//! It proves the shape of our requests and what we make of answers; that a real homeserver takes
//! them is the integration tests' to prove.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use ruma::server_name;
use serde_json::{Value, json};
use url::Url;

use super::client::{MatrixHomeserver, MatrixOptions};
use crate::{domain::bridged::Timestamp, port::Clock};

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With its escapes resolved, so that tests can be read.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    /// The body as it came, JSON or not.
    pub(super) bytes: Bytes,
}

impl Asked {
    /// Method and path, which is what tests look for.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Script = Box<dyn FnMut(&Asked) -> Response + Send>;

struct Shared {
    asked: Mutex<Vec<Asked>>,
    script: Mutex<Script>,
}

pub(super) struct FakeHomeserver {
    shared: Arc<Shared>,
    url: Url,
    server: tokio::task::JoinHandle<()>,
}

impl FakeHomeserver {
    pub(super) async fn start(script: impl FnMut(&Asked) -> Response + Send + 'static) -> Self {
        let shared =
            Arc::new(Shared { asked: Mutex::default(), script: Mutex::new(Box::new(script)) });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { shared, url, server }
    }

    /// A client of this homeserver.
    pub(super) fn client(&self) -> MatrixHomeserver {
        self.client_with_clock(Arc::new(Impatient::default()))
    }

    pub(super) fn client_with_clock(&self, clock: Arc<dyn Clock>) -> MatrixHomeserver {
        client_of(self.url.clone(), clock)
    }

    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

impl Drop for FakeHomeserver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(super) fn client_of(url: Url, clock: Arc<dyn Clock>) -> MatrixHomeserver {
    let options = MatrixOptions {
        url,
        server_name: server_name!("example.org").to_owned(),
        as_token: "TOKEN".to_owned(),
        appservice_id: "causeway".to_owned(),
        bot_localpart: "whatsappbot".to_owned(),
        ghost_prefix: "whatsapp_".to_owned(),
    };
    MatrixHomeserver::new(options, clock).unwrap()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let url = Url::parse("http://fake/").unwrap().join(&uri.to_string()).unwrap();
    let asked = Asked {
        method: method.to_string(),
        path: unescaped(url.path()),
        query: url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect(),
        authorization: headers
            .get(AUTHORIZATION)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        bytes: body,
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let mut script = shared.script.lock().unwrap();
    script(&asked)
}

/// A path's escapes, by the rules of a query's, which are the ones at hand.
fn unescaped(path: &str) -> String {
    let plus_safe = path.replace('+', "%2B");
    let mut url = Url::parse("http://fake/").unwrap();
    url.set_query(Some(&format!("path={plus_safe}")));
    url.query_pairs().next().unwrap().1.into_owned()
}

pub(super) fn ok(body: &Value) -> Response {
    reply(200, body)
}

pub(super) fn reply(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(body.clone())).into_response()
}

pub(super) fn refuse(status: u16, error_code: &str) -> Response {
    reply(status, &json!({ "errcode": error_code, "error": "something that quotes SECRET" }))
}

/// A clock whose pauses take no time; it keeps them for the test to see.
#[derive(Debug, Default)]
pub(super) struct Impatient {
    pub(super) slept: Mutex<Vec<std::time::Duration>>,
}

#[async_trait]
impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        0
    }

    async fn sleep(&self, pause: std::time::Duration) {
        self.slept.lock().unwrap().push(pause);
    }
}
