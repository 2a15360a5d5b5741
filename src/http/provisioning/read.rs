//! Reading requests, with refusals in the form of the Matrix specification that name what is wrong.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        path::ErrorKind,
        rejection::{BytesRejection, PathRejection},
    },
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What stands in the path.
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(read) = read.map_err(|rejection| {
            Refusal::invalid(unreadable(&rejection), "must be UTF-8 in percent-encoding")
        })?;
        Ok(Self(read))
    }
}

/// The parameter that cannot be read. All of them are text, so that only the encoding may be wrong.
fn unreadable(rejection: &PathRejection) -> String {
    if let PathRejection::FailedToDeserializePathParams(failed) = rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = failed.kind()
    {
        return key.clone();
    }
    "path".to_owned()
}

/// The login that the query names, if it names one.
pub(super) struct NamedLogin(pub(super) Option<String>);

#[derive(Deserialize)]
struct LoginParameter {
    login_id: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedLogin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Query::from_request_parts(parts, state).await;
        let once = "must be in the query once, in UTF-8";
        let Query(LoginParameter { login_id }) =
            read.map_err(|_| Refusal::invalid("login_id", once))?;
        Ok(Self(login_id))
    }
}

/// A JSON body, whatever type it says it has: old managers say none. No body is one without fields.
pub(super) struct InBody(Map<String, Value>);

impl InBody {
    /// A field that must be there, and be text.
    pub(super) fn text(&self, field: &'static str) -> Result<&str, Refusal> {
        match self.0.get(field) {
            None | Some(Value::Null) => Err(Refusal::missing(field)),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Refusal::invalid(field, "must be text")),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for InBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(_) => Refusal::too_large(),
                _ => Refusal::not_json("The body could not be read."),
            })?;
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let read = serde_json::from_slice(&body);
        // The parser's own sentence may quote the body.
        read.map(Self).map_err(|_| Refusal::not_json("The body must be a JSON object."))
    }
}
