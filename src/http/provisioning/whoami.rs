//! What the bridge is, and how the person's login stands.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Face,
    access::{As, Person},
    account::{LoginFlow, flows},
    refusal::{NOT_ALLOWED, Refusal, Refused},
};
use crate::{
    domain::{
        bridged::{ActAs, Login, Timestamp},
        consent::login::LoginState,
    },
    runtime::ConnectionState,
};

pub(super) const REPLACED: &str = "You are connected from somewhere else: start a login with this \
    `login_id` to be connected here again.";
pub(super) const LAPSED: &str = "WhatsApp has forgotten you, as it does after 30 days without a \
    connection: start a login to come back, with your rooms as they are.";

/// The bridge and the person's login.
#[derive(Serialize, ToSchema)]
struct Whoami {
    network: BridgeName,
    login_flows: Vec<LoginFlow>,
    /// The server name of the bridge's homeserver.
    homeserver: String,
    /// The Matrix id of the bot.
    bridge_bot: String,
    /// What commands may begin with.
    command_prefix: &'static str,
    /// The room in which the person talks to the bot, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    management_room: Option<String>,
    logins: Vec<WhoamiLogin>,
}

/// The network that the bridge leads to.
#[derive(Serialize, ToSchema)]
struct BridgeName {
    displayname: &'static str,
    network_url: &'static str,
    /// An `mxc://` address, or nothing.
    network_icon: &'static str,
    network_id: &'static str,
    beeper_bridge_type: &'static str,
}

/// A login and how it stands.
#[derive(Serialize, ToSchema)]
struct WhoamiLogin {
    id: String,
    name: String,
    profile: Profile,
    state: BridgeState,
}

/// As whom contacts see the person.
#[derive(Serialize, ToSchema)]
struct Profile {
    username: String,
}

/// How a connection stands.
#[derive(Serialize, ToSchema)]
struct BridgeState {
    state_event: StateEvent,
    /// When this was looked up, in milliseconds since the Unix epoch.
    timestamp: Timestamp,
    /// The reason, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum StateEvent {
    Connecting,
    Connected,
    TransientDisconnect,
    BadCredentials,
}

impl BridgeState {
    fn of(login: &Login, connection: ConnectionState, timestamp: Timestamp) -> Self {
        let (state_event, message) = match connection {
            _ if login.state == LoginState::Leaving => (
                StateEvent::TransientDisconnect,
                Some("You are leaving: WhatsApp has not confirmed yet.".to_owned()),
            ),
            ConnectionState::Connecting => (StateEvent::Connecting, None),
            ConnectionState::Connected => (StateEvent::Connected, None),
            ConnectionState::Waiting { reason } => (StateEvent::TransientDisconnect, Some(reason)),
            ConnectionState::Refused { reason } => (StateEvent::BadCredentials, Some(reason)),
            ConnectionState::Replaced => (StateEvent::BadCredentials, Some(REPLACED.to_owned())),
            ConnectionState::Lapsed => (StateEvent::BadCredentials, Some(LAPSED.to_owned())),
            ConnectionState::Paused => (StateEvent::BadCredentials, Some(NOT_ALLOWED.to_owned())),
        };
        Self { state_event, timestamp, message }
    }
}

/// The bridge, and how the person's login stands.
#[utoipa::path(
    get, path = "/v3/whoami", operation_id = "whoami", tag = "auth", params(As),
    responses((status = 200, description = "The bridge and the person's login.", body = Whoami), Refused)
)]
pub(super) async fn whoami(
    State(face): Face,
    person: Person,
) -> Result<Json<impl Serialize>, Refusal> {
    let storage = &face.ports.storage;
    let management_room = storage.management_room(&person).await?.map(String::from);
    let login = face.logins.of(&person).await?;
    let now = face.ports.clock.now();
    let logins = login.into_iter().map(|login| WhoamiLogin {
        state: BridgeState::of(&login, face.logins.state(&login.id), now),
        id: login.id.0,
        name: login.person.to_string(),
        profile: Profile { username: login.person.into() },
    });
    Ok(Json(Whoami {
        network: BridgeName {
            displayname: "WhatsApp",
            network_url: "https://www.whatsapp.com",
            network_icon: "",
            network_id: "whatsapp",
            beeper_bridge_type: "eu.causeway.whatsapp",
        },
        login_flows: flows(),
        homeserver: face.server_name.to_string(),
        bridge_bot: face.ports.homeserver.user_id(&ActAs::Bot).into(),
        command_prefix: "!",
        management_room,
        logins: logins.collect(),
    }))
}
