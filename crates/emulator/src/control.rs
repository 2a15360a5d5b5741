//! The loopback control face: people, scripts, faults, and a look at everything (HTTP and JSON). It is for tests and
//! developers; nothing on the network can reach it.

mod faults;
mod media;
mod partners;
mod people;
mod typing;

use std::{fmt::Display, sync::Arc};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{limits::CONTROL_BYTES_MAX, network::Network};

/// The routes of this face.
pub(crate) fn routes(network: Arc<Network>) -> Router {
    Router::new()
        .route("/people", post(people::create))
        .route("/people/{phone}", get(people::show).patch(people::change))
        .route("/people/{phone}/send", post(people::send))
        .route("/people/{phone}/send_media", post(media::send))
        .route("/people/{phone}/send_raw", post(media::send_raw))
        .route("/people/{phone}/received/{id}/file", get(media::file))
        .route("/people/{phone}/received", get(people::received))
        .route("/people/{phone}/receipts/{id}", get(people::receipts))
        .route("/people/{phone}/reactions/{id}", get(people::reactions))
        .route("/people/{phone}/read", post(people::read))
        .route("/people/{phone}/typing", post(typing::start).get(typing::seen))
        .route("/people/{phone}/pair", post(people::pair))
        .route("/partners/{id}", get(partners::show))
        .route("/partners/{id}/disconnect", post(partners::disconnect))
        .route("/partners/{id}/replace", post(partners::replace))
        .route("/partners/{id}/unenlist", post(partners::unenlist))
        .route("/faults", post(faults::order).get(faults::list).delete(faults::clear))
        .route("/state", get(partners::state))
        .layer(DefaultBodyLimit::max(CONTROL_BYTES_MAX))
        .with_state(network)
}

/// A request that cannot be served, with a sentence that says why.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    error: String,
}

impl Problem {
    fn new(status: StatusCode, error: impl Display) -> Self {
        Self { status, error: format!("{error}") }
    }

    fn not_found(error: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    fn bad(error: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}

/// A phone number as people write it: digits, perhaps with a `+`.
fn phone_of(text: &str) -> Result<u64, Problem> {
    let digits = text.trim_start_matches('+');
    digits.parse().map_err(|_| Problem::bad("a phone number is digits"))
}
