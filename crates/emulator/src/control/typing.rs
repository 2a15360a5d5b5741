//! Typing of people: letting them, and what they saw.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{
    Problem,
    people::{account_of, actor_of},
};
use crate::{
    network::Network,
    person::Typed,
    router::Activity,
    world::{AccountId, DeviceKey},
};

type Shared = State<Arc<Network>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypingOrder {
    to: String,
    state: Activity,
}

/// `POST /people/{phone}/typing`: this person types, records, or stops.
pub(super) async fn start(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(order): Json<TypingOrder>,
) -> Result<StatusCode, Problem> {
    let actor = actor_of(&network, &phone)?;
    let to = account_of(&network, &order.to)?;
    let from = DeviceKey::primary(AccountId::Person(actor.phone));
    network.send_typing(from, to, order.state);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /people/{phone}/typing`: what this person saw, oldest first.
pub(super) async fn seen(
    State(network): Shared,
    Path(phone): Path<String>,
) -> Result<Json<Vec<Typed>>, Problem> {
    Ok(Json(actor_of(&network, &phone)?.typing.all()))
}
