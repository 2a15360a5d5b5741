//! The network's face: the public key set, pushes and hosted files (network facts 1.3, 1.6,
//! 1.7).

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ruma::OwnedUserId;
use serde::Deserialize;

use super::{HostedFiles, answer};
use crate::{
    domain::limits,
    port::{Clock, InteropNetwork, Retry},
    runtime::Logins,
};

/// What the public listener needs.
#[derive(Clone)]
pub struct NetworkFace {
    pub network: Arc<dyn InteropNetwork>,
    pub clock: Arc<dyn Clock>,
    pub logins: Logins,
    pub hosted: HostedFiles,
}

impl fmt::Debug for NetworkFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkFace(…)")
    }
}

impl NetworkFace {
    pub fn router(self) -> Router {
        let hosted = self.hosted.clone().router();
        Router::new()
            .route("/.well-known/oauth/openid/jwks", get(key_set))
            .route("/push", post(push))
            .layer(DefaultBodyLimit::max(limits::PUBLIC_BODY_BYTES_MAX))
            .with_state(self)
            .merge(hosted)
    }
}

/// `GET /.well-known/oauth/openid/jwks`
async fn key_set(State(face): State<NetworkFace>) -> Response {
    Json(face.network.key_set()).into_response()
}

#[derive(Deserialize)]
struct Push {
    /// The identifier that the person is known by: their Matrix id.
    to: String,
}

/// `POST /push`: something waits for somebody who is not connected.
async fn push(State(face): State<NetworkFace>, headers: HeaderMap, body: Bytes) -> Response {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(bearer) = bearer else { return unauthorized() };
    if let Err(failure) = face.network.verify_push(bearer, face.clock.now()).await {
        tracing::warn!(%failure, "refused a push");
        return match failure.retry {
            Retry::Later => answer::later(),
            Retry::Never => unauthorized(),
        };
    }
    let Ok(Push { to }) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(person) = OwnedUserId::try_from(to) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match face.logins.wake(&person).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => {
            tracing::error!(%failure, "could not look for the login of a push");
            answer::later()
        }
    }
}

fn unauthorized() -> Response {
    answer::refused(
        StatusCode::UNAUTHORIZED,
        "M_UNAUTHORIZED",
        "A push needs a bearer token signed by the network.",
    )
}
