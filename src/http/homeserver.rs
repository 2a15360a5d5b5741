//! The homeserver's face (application service API): transactions, ping, queries.

mod thirdparty;

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use ruma::{OwnedUserId, RoomAliasId, UserId};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use subtle::ConstantTimeEq;

use super::answer;
use crate::{
    domain::{item::KeyChanges, limits},
    runtime::{Answer, Directory, Intake, Transaction},
};

/// What the homeserver's listener needs.
#[derive(Clone)]
pub struct HomeserverFace {
    pub intake: Intake,
    pub directory: Directory,
    pub hs_token: Arc<str>,
}

impl fmt::Debug for HomeserverFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HomeserverFace(…)")
    }
}

impl HomeserverFace {
    /// The routes of the application service API, each behind the `hs_token`.
    pub fn router(self) -> Router {
        let private = Router::new()
            .route("/_matrix/app/v1/transactions/{id}", put(transaction))
            .route("/_matrix/app/v1/ping", post(ping))
            .route("/_matrix/app/v1/users/{id}", get(user))
            .route("/_matrix/app/v1/rooms/{alias}", get(room))
            .route("/_matrix/app/v1/thirdparty/protocol/{protocol}", get(thirdparty::protocol))
            .route("/_matrix/app/v1/thirdparty/user/{protocol}", get(thirdparty::user))
            .route("/_matrix/app/v1/thirdparty/user", get(thirdparty::nothing))
            .route("/_matrix/app/v1/thirdparty/location/{protocol}", get(thirdparty::nothing))
            .route("/_matrix/app/v1/thirdparty/location", get(thirdparty::nothing))
            .layer(axum::middleware::from_fn_with_state(self.clone(), authorized));
        Router::new()
            .route("/health", get(health))
            .merge(private)
            .layer(DefaultBodyLimit::max(limits::TRANSACTION_BYTES_MAX))
            .with_state(self)
    }
}

/// Older homeservers send the token in the query only.
#[derive(Deserialize)]
struct TokenQuery {
    access_token: Option<String>,
}

async fn authorized(
    State(face): State<HomeserverFace>,
    Query(query): Query<TokenQuery>,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let token = bearer.or(query.access_token.as_deref()).unwrap_or_default();
    if token.as_bytes().ct_eq(face.hs_token.as_bytes()).into() {
        next.run(request).await
    } else {
        tracing::warn!("refused a request with a wrong or missing hs_token");
        answer::forbidden()
    }
}

/// `PUT /_matrix/app/v1/transactions/{txnId}`, with the extensions of MSC3202 and MSC4203.
async fn transaction(
    State(face): State<HomeserverFace>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Body>(&body) else {
        return answer::refused(StatusCode::BAD_REQUEST, "M_NOT_JSON", "This is no JSON object.");
    };
    let transaction = parsed(&body);
    // A homeserver that goes away does not stop the intake half-way.
    let intake = face.intake.clone();
    let taken = tokio::spawn(async move { intake.transaction(id, transaction).await });
    match taken.await {
        Ok(Ok(Answer::Acknowledge)) => answer::done(),
        Ok(Err(failure)) => answer::failed("could not take in a transaction", &failure),
        Ok(Ok(Answer::Later)) | Err(_) => answer::later(),
    }
}

/// A transaction with its parts unread: one that cannot be read (anybody can nest deeper than a parser
/// follows) must not spoil the rest, because the homeserver would send all of it again for ever.
type Body = BTreeMap<String, Box<RawValue>>;

fn parsed(body: &Body) -> Transaction {
    let read = |name: &str| -> Value {
        let part = body.get(name).and_then(|part| serde_json::from_str(part.get()).ok());
        part.unwrap_or_default()
    };
    let users = |names: &Value| -> Vec<OwnedUserId> {
        let names = names.as_array().map(Vec::as_slice).unwrap_or_default();
        names.iter().filter_map(|id| OwnedUserId::try_from(id.as_str()?).ok()).collect()
    };
    // What cannot be read goes on as its text: no event, and as such set aside.
    let unread = |item: &RawValue| Value::String(item.get().to_owned());
    let events = list(body, "events")
        .iter()
        .map(|item| serde_json::from_str(item.get()).unwrap_or_else(|_| unread(item)))
        .collect();
    let to_device = list(body, "de.sorunome.msc2409.to_device")
        .iter()
        .filter_map(|item| serde_json::from_str(item.get()).ok())
        .collect();
    let lists = read("org.matrix.msc3202.device_lists");
    let keys = KeyChanges {
        to_device,
        device_lists_changed: users(&lists["changed"]),
        device_lists_left: users(&lists["left"]),
        one_time_key_counts: read("org.matrix.msc3202.device_one_time_keys_count"),
        unused_fallback_key_types: read("org.matrix.msc3202.device_unused_fallback_key_types"),
    };
    // The stable name since version 1.13 of the specification, and the one before (MSC2409).
    let names = ["ephemeral", "de.sorunome.msc2409.ephemeral"];
    let ephemeral = names.into_iter().map(|name| list(body, name)).find(|list| !list.is_empty());
    let ephemeral = ephemeral.unwrap_or_default();
    let ephemeral = ephemeral.iter().filter_map(|item| serde_json::from_str(item.get()).ok());
    Transaction { events, keys, ephemeral: ephemeral.collect() }
}

fn list(body: &Body, name: &str) -> Vec<Box<RawValue>> {
    let part = body.get(name).and_then(|part| serde_json::from_str(part.get()).ok());
    part.unwrap_or_default()
}

/// `GET /health`, for whoever watches the process: 503 and the reason while nothing can be taken in.
async fn health(State(face): State<HomeserverFace>) -> Response {
    match face.intake.trouble() {
        None => "ok".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

/// `POST /_matrix/app/v1/ping`
async fn ping() -> Response {
    answer::done()
}

/// `GET /_matrix/app/v1/users/{userId}`: whether the user is one of ours.
async fn user(State(face): State<HomeserverFace>, Path(id): Path<String>) -> Response {
    let Ok(id) = UserId::parse(id) else { return answer::not_found() };
    match face.directory.exists(&id).await {
        Ok(true) => answer::done(),
        Ok(false) => answer::not_found(),
        Err(failure) => answer::failed("could not look for one of our users", &failure),
    }
}

/// `GET /_matrix/app/v1/rooms/{roomAlias}`: rooms are never made because somebody asks for one.
async fn room(Path(alias): Path<String>) -> Response {
    let _well_formed = RoomAliasId::parse(alias).is_ok();
    answer::not_found()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transaction_keeps_what_is_well_formed() {
        let body = json!({
            "events": [1, {"type": "x"}],
            "de.sorunome.msc2409.to_device": [{"type": "m.room_key_request"}],
            "org.matrix.msc3202.device_lists": {"changed": ["@a:b.c", "no id", 3]},
            "de.sorunome.msc2409.ephemeral": [{"type": "m.typing"}, {"type": "m.receipt"}],
        });
        let transaction = parsed(&serde_json::from_str(&body.to_string()).unwrap());
        assert_eq!(transaction.events.len(), 2);
        assert_eq!(transaction.keys.to_device.len(), 1);
        assert_eq!(transaction.ephemeral.len(), 2);
        assert_eq!(transaction.keys.device_lists_changed.len(), 1);
        assert!(parsed(&Body::new()).keys.is_empty());
    }

    #[test]
    fn ephemeral_events_under_both_names_are_read_once() {
        let body = json!({"ephemeral": [1], "de.sorunome.msc2409.ephemeral": [1]});
        let transaction = parsed(&serde_json::from_str(&body.to_string()).unwrap());
        assert_eq!(transaction.ephemeral, [json!(1)]);
    }
}
