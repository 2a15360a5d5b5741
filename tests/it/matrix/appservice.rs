//! The application service's side of the homeserver: takes transactions while it is up, refuses them
//! while it is down.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{post, put},
};
use causeway::{
    domain::{
        bridged::Timestamp,
        item::{KeyChanges, RawEvent},
    },
    port::{Clock, Entropy},
};
use rand::{TryRng as _, rngs::SysRng};
use ruma::EventId;
use serde_json::{Value, json};
use url::Url;

use crate::support::wait::{PATIENCE, until};

pub(super) const ID: &str = "causeway";
pub(super) const AS_TOKEN: &str = "as-token-of-a-test";

/// What came in, in order.
#[derive(Default)]
struct Taken {
    transactions: Mutex<Vec<Value>>,
    is_down: AtomicBool,
    /// To-device messages of refused transactions.
    refused: AtomicUsize,
}

pub(super) struct Appservice {
    taken: Arc<Taken>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Appservice {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Appservice {
    /// Listens, and writes the registration that leads here.
    pub(super) async fn start(url: &Url, registration: &Path) -> Result<Self> {
        let content = json!({
            "id": ID,
            "url": url.as_str().trim_end_matches('/'),
            "as_token": AS_TOKEN,
            "hs_token": "hs-token-of-a-test",
            "sender_localpart": "whatsapp-interop",
            "rate_limited": false,
            "namespaces": {
                "users": [
                    { "exclusive": true, "regex": "@whatsapp_.*:localhost" },
                    { "exclusive": true, "regex": "@whatsappbot:localhost" },
                ],
                "aliases": [{ "exclusive": true, "regex": "#whatsapp_.*:localhost" }],
                "rooms": [],
            },
            "receive_ephemeral": true,
            "org.matrix.msc3202": true,
            "io.element.msc4190": true,
        });
        fs::write(registration, serde_json::to_vec_pretty(&content)?)?;
        let taken = Arc::new(Taken::default());
        let router = Router::new()
            .route("/_matrix/app/v1/transactions/{id}", put(take))
            .route("/_matrix/app/v1/ping", post(async || Json(json!({}))))
            .with_state(Arc::clone(&taken));
        let listener = tokio::net::TcpListener::bind(url.socket_addrs(|| None)?.as_slice()).await?;
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the listener serves until it is dropped");
        });
        Ok(Self { taken, server })
    }

    pub(super) fn go_down(&self) {
        self.taken.is_down.store(true, Ordering::SeqCst);
    }

    pub(super) fn come_up(&self) {
        self.taken.is_down.store(false, Ordering::SeqCst);
    }

    /// Waits until a transaction with a to-device message was refused.
    pub(super) async fn refused_a_to_device_message(&self) -> Result<()> {
        until("a refused to-device message", PATIENCE, || async {
            Ok((self.taken.refused.load(Ordering::SeqCst) > 0).then_some(()))
        })
        .await
    }

    /// Waits for an event, and takes it with the key changes of every transaction so far.
    pub(super) async fn takes(&self, id: &EventId) -> Result<(RawEvent, Vec<KeyChanges>)> {
        let event = until(&format!("the homeserver to push {id}"), PATIENCE, || async {
            let transactions =
                self.taken.transactions.lock().unwrap_or_else(PoisonError::into_inner);
            let mut events = transactions.iter().flat_map(|body| list(body, "events"));
            Ok(events.find(|event| event["event_id"] == id.as_str()))
        })
        .await?;
        let transactions = std::mem::take(
            &mut *self.taken.transactions.lock().unwrap_or_else(PoisonError::into_inner),
        );
        Ok((RawEvent(event), transactions.iter().map(key_changes).collect()))
    }
}

async fn take(
    State(taken): State<Arc<Taken>>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if taken.is_down.load(Ordering::SeqCst) {
        let lost = list(&body, "de.sorunome.msc2409.to_device").len();
        taken.refused.fetch_add(lost, Ordering::SeqCst);
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "errcode": "M_UNKNOWN" })));
    }
    taken.transactions.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    (StatusCode::OK, Json(json!({})))
}

fn list(body: &Value, field: &str) -> Vec<Value> {
    body.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn key_changes(body: &Value) -> KeyChanges {
    let value = |field: &str| body.get(field).cloned().unwrap_or_default();
    let users = |field: &str| {
        serde_json::from_value(value("org.matrix.msc3202.device_lists")[field].take())
            .unwrap_or_default()
    };
    KeyChanges {
        to_device: list(body, "de.sorunome.msc2409.to_device"),
        device_lists_changed: users("changed"),
        device_lists_left: users("left"),
        one_time_key_counts: value("org.matrix.msc3202.device_one_time_keys_count"),
        unused_fallback_key_types: value("org.matrix.msc3202.device_unused_fallback_key_types"),
    }
}

/// The clock of the machine that the test runs on.
#[derive(Debug)]
pub(super) struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        0
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

#[derive(Debug)]
pub(super) struct RealEntropy;

impl Entropy for RealEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        SysRng.try_fill_bytes(bytes).expect("the machine has randomness");
    }
}
