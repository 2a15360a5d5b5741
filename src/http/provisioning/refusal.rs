//! What the API says when it does not do what was asked: a Matrix error with a sentence.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::port::{Failure, Retry};

/// To whom the operator's rules say no, before it is known that it is they who ask.
pub(super) const NOT_ALLOWED: &str = "You may not use this bridge at the moment: ask its operator.";

/// An error in the form of the Matrix specification.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body {
    /// What kind of error it is, for programs.
    #[schema(examples("M_UNKNOWN_TOKEN"))]
    errcode: &'static str,
    /// What went wrong and what to do, for people.
    error: String,
    /// The parameter or field that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'static, str>>,
    /// When to come again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Body,
}

impl Refusal {
    fn new(status: StatusCode, errcode: &'static str, error: impl Into<String>) -> Self {
        let body = Body { errcode, error: error.into(), field: None, retry_after_ms: None };
        Self { status, body }
    }

    /// A parameter or a field that is not what it must be. The sentence starts with its name.
    pub(super) fn invalid(field: impl Into<Cow<'static, str>>, must: &str) -> Self {
        Self::about("M_INVALID_PARAM", field.into(), must)
    }

    pub(super) fn missing(field: &'static str) -> Self {
        Self::about("M_MISSING_PARAM", field.into(), "is missing")
    }

    fn about(errcode: &'static str, field: Cow<'static, str>, wrong: &str) -> Self {
        let error = format!("`{field}` {wrong}.");
        let mut refusal = Self::new(StatusCode::BAD_REQUEST, errcode, error);
        refusal.body.field = Some(field);
        refusal
    }

    pub(super) fn not_json(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", error)
    }

    pub(super) fn too_large() -> Self {
        let error = "The body is larger than any that is needed here.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", error)
    }

    pub(super) fn no_token() -> Self {
        let error = "Say who you are: `Authorization: Bearer` and a token.";
        Self::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", error)
    }

    pub(super) fn unknown_token() -> Self {
        let error = "The token is not one of this person, or it has run out: get a new one.";
        Self::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", error)
    }

    pub(super) fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", error)
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", error)
    }

    pub(super) fn unrecognized() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "M_UNRECOGNIZED",
            "There is no such operation: see `/v3/openapi.json`.",
        )
    }

    pub(super) fn no_such_method() -> Self {
        let error = "This operation has another method: see `/v3/openapi.json`.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", error)
    }

    /// What managers of bridgev2 look for.
    pub(super) fn not_logged_in() -> Self {
        let error = "You are not connected to WhatsApp: start a login first.";
        Self::new(StatusCode::BAD_REQUEST, "FI.MAU.NOT_LOGGED_IN", error)
    }

    /// Possible, but not as things stand.
    pub(super) fn bad_state(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "M_BAD_STATE", error)
    }

    /// As the bot says it; another code, so that programs know when to come again.
    pub(super) fn being_erased() -> Self {
        let error = "The bridge is deleting everything that it keeps of you; nothing else goes \
                     before it is done. Start a login afterwards if you want to begin anew.";
        Self::new(StatusCode::CONFLICT, "EU.CAUSEWAY.BEING_ERASED", error)
    }

    pub(super) fn blocked_contact() -> Self {
        Self::bad_state("You have blocked this contact: unblock them first.")
    }

    pub(super) fn too_fast(wait: Duration) -> Self {
        Self::again_in(wait, "Too many requests: wait a little and try again.")
    }

    /// The day's limit of the operator.
    pub(super) fn too_many_contacts(limit: u64, wait: Duration) -> Self {
        let error = format!(
            "You have started chats with {limit} new contacts today, as many as this bridge allows: \
             try again tomorrow. Contacts that you have already are not affected."
        );
        Self::again_in(wait, error)
    }

    fn again_in(wait: Duration, error: impl Into<String>) -> Self {
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", error);
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        refusal.body.retry_after_ms = Some(wait);
        refusal
    }

    pub(super) fn later() -> Self {
        let error = "The bridge cannot do this now: please try again in a minute.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "M_LIMIT_EXCEEDED", error)
    }

    pub(super) fn broken() -> Self {
        let error = "The bridge failed; its operator finds the reason in the log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        tracing::error!(%failure, "could not do what the provisioning API was asked for");
        match failure.retry {
            Retry::Later => Self::later(),
            Retry::Never => Self::broken(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, body } = self;
        let wait = body.retry_after_ms.map(|wait| wait.div_ceil(1_000).to_string());
        let mut response = (status, Json(body)).into_response();
        if let Some(wait) = wait.and_then(|wait| wait.parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

/// What every operation may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum Refused {
    /// A parameter or a field is not what it must be; the answer names it.
    #[response(status = 400)]
    Invalid(Body),
    /// No token, or one that is not this person's.
    #[response(status = 401)]
    Unauthorized(Body),
    /// The operator has not allowed this person to use the bridge.
    #[response(status = 403)]
    Forbidden(Body),
    /// Not as things stand, for instance while everything of the person is being deleted
    /// (`EU.CAUSEWAY.BEING_ERASED`); the sentence says what to do.
    #[response(status = 409)]
    Conflict(Body),
    /// Too many requests, or too many new contacts today; `retry_after_ms` says when to come again.
    #[response(status = 429)]
    TooFast(Body),
    /// The bridge failed.
    #[response(status = 500)]
    Broken(Body),
    /// Not now.
    #[response(status = 503)]
    Later(Body),
}

/// Some name in the path is not one of this person's.
#[derive(IntoResponses)]
#[response(status = 404, description = "There is no such thing of this person.")]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct NotFound(Body);

/// The body is too large.
#[derive(IntoResponses)]
#[response(status = 413, description = "The body is too large.")]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct TooLarge(Body);
