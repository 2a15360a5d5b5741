//! Ordering faults.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::{Problem, phone_of};
use crate::{faults::FaultOrder, network::Network, world::AccountId};

type Shared = State<Arc<Network>>;

/// `POST /faults`.
pub(super) async fn order(
    State(network): Shared,
    Json(order): Json<FaultOrder>,
) -> Result<StatusCode, Problem> {
    let target = order.target.as_deref().map(|target| account_of(&network, target)).transpose()?;
    if let Some(changed) = &order.changed_identity {
        let actor = network
            .actor(phone_of(&changed.phone)?)
            .ok_or_else(|| Problem::not_found("there is no such person"))?;
        actor.change_identity(&network).await;
    }
    let too_many = |full| Problem::new(StatusCode::TOO_MANY_REQUESTS, full);
    network.faults.order(&order, target).map_err(too_many)?;
    if let Some(media) = order.media {
        network.media.faults.order(media).map_err(too_many)?;
    }
    // Connections that are to break do so now, not at the next message.
    network.wake_all();
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /faults`: what still waits.
pub(super) async fn list(State(network): Shared) -> Json<Vec<String>> {
    Json([network.faults.describe(), network.media.faults.describe()].concat())
}

/// `DELETE /faults`.
pub(super) async fn clear(State(network): Shared) -> StatusCode {
    network.faults.clear();
    network.media.faults.clear();
    StatusCode::NO_CONTENT
}

fn account_of(network: &Network, target: &str) -> Result<AccountId, Problem> {
    network
        .with(|world| {
            let partner = world.partner_by_user_visible_id(target);
            let phone = target.trim_start_matches('+').parse().ok();
            let person = phone.filter(|phone| world.person(*phone).is_some());
            partner.map(|held| AccountId::Partner(held.account)).or(person.map(AccountId::Person))
        })
        .ok_or_else(|| Problem::not_found("nobody has this user-visible id or phone number"))
}
