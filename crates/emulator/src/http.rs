//! The network's HTTP face: enlistment of partners and the network's own key set (network facts 1.4, 1.6), and the host of
//! media. It must not know the chat channel.

mod enlist;
mod media;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use jsonwebtoken::jwk::JwkSet;

use crate::{limits::ENLISTMENT_BYTES_MAX, network::Network};

/// The routes of this face.
pub(crate) fn routes(network: Arc<Network>) -> Router {
    Router::new()
        .route("/3p/interop_reg", post(enlist::enlist))
        .route("/.well-known/jwks", get(key_set))
        .route("/mms/{kind}/{hash}", post(media::upload))
        .route("/v/{*path}", get(media::download))
        .route("/interop/whatsapp/download/{integrator}/{*rest}", get(media::relay))
        .layer(DefaultBodyLimit::max(ENLISTMENT_BYTES_MAX))
        .with_state(network)
}

async fn key_set(State(network): State<Arc<Network>>) -> Json<JwkSet> {
    Json(network.signer.key_set().clone())
}
