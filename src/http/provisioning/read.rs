//! Reading requests, with refusals in the form of the Matrix specification.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// What stands in the path.
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(read) = read.map_err(|_| Refusal::invalid("path", "must be UTF-8"))?;
        Ok(Self(read))
    }
}

/// What stands behind the question mark. Fields are text, so that only what is no query fails.
pub(super) struct InQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Query::from_request_parts(parts, state).await;
        let must = "must be UTF-8 and name each parameter once";
        let Query(read) = read.map_err(|_| Refusal::invalid("query", must))?;
        Ok(Self(read))
    }
}

/// A JSON body, whatever type it says it has: old managers say none.
pub(super) struct InBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequest<S> for InBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(_) => Refusal::too_large(),
                _ => Refusal::not_json("The body could not be read."),
            })?;
        let read = serde_json::from_slice(&body);
        // The parser's own sentence may quote the body.
        read.map(Self).map_err(|_| {
            Refusal::not_json("The body must be a JSON object with text in its fields.")
        })
    }
}
