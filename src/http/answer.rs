//! Answers in the form of the Matrix specification: a status, an `errcode`, a sentence.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::port::Failure;

/// Success, with nothing to say.
pub(super) fn done() -> Response {
    Json(json!({})).into_response()
}

pub(super) fn refused(status: StatusCode, errcode: &str, error: &str) -> Response {
    (status, Json(json!({"errcode": errcode, "error": error}))).into_response()
}

pub(super) fn forbidden() -> Response {
    refused(
        StatusCode::FORBIDDEN,
        "M_FORBIDDEN",
        "The hs_token is wrong or missing: registration.yaml on the homeserver and the bridge's \
         configuration must have the same.",
    )
}

pub(super) fn not_found() -> Response {
    refused(StatusCode::NOT_FOUND, "M_NOT_FOUND", "Not one of ours.")
}

/// [`later`], and why in the log, unless the adapter says it there.
pub(super) fn failed(what: &'static str, failure: &Failure) -> Response {
    if failure.is_told() {
        tracing::debug!(%failure, "{what}");
    } else {
        tracing::error!(%failure, "{what}");
    }
    later()
}

/// "Later": the other side keeps what it has and comes again.
pub(super) fn later() -> Response {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "M_LIMIT_EXCEEDED",
        "The bridge cannot take this now; please send it again.",
    )
}
