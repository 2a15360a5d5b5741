//! What the bridge is, and the person's login.

use axum::{Extension, Json, extract::State};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Face, ProvisioningFace,
    access::{As, Person},
    read::InPath,
    refusal::{NotFound, Refusal, Refused},
    to_its_end,
};
use crate::{
    domain::{
        bridged::{ActAs, Login, Timestamp},
        consent::login::LoginState,
    },
    runtime::ConnectionState,
};

/// The one way to log in: reading what it means, and agreeing.
pub(super) const FLOW: &str = "consent";

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

/// A way to log in.
#[derive(Serialize, ToSchema)]
struct LoginFlow {
    name: &'static str,
    description: &'static str,
    id: &'static str,
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
            ConnectionState::Paused => (
                StateEvent::BadCredentials,
                Some("You may not use this bridge at the moment: ask its operator.".to_owned()),
            ),
        };
        Self { state_event, timestamp, message }
    }
}

fn flows() -> Vec<LoginFlow> {
    vec![LoginFlow {
        name: "Consent",
        description: "Read what connecting to WhatsApp means, and agree to it.",
        id: FLOW,
    }]
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

/// What this API can do.
#[derive(Serialize, ToSchema)]
struct Capabilities {
    resolve_identifier: ResolveCapabilities,
    /// Nothing: the network has no groups for bridges.
    #[schema(value_type = Object)]
    group_creation: Value,
}

/// How people of the network are found.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the names and types are bridgev2's")]
struct ResolveCapabilities {
    create_dm: bool,
    lookup_phone: bool,
    lookup_email: bool,
    lookup_username: bool,
    any_phone: bool,
    contact_list: bool,
    search: bool,
}

/// What this API can do.
#[utoipa::path(
    get, path = "/v3/capabilities", operation_id = "getCapabilities", tag = "auth", params(As),
    responses((status = 200, description = "What can be done.", body = Capabilities), Refused)
)]
pub(super) async fn capabilities() -> Json<impl Serialize> {
    Json(Capabilities {
        resolve_identifier: ResolveCapabilities {
            create_dm: true,
            lookup_phone: true,
            lookup_email: false,
            lookup_username: false,
            any_phone: false,
            contact_list: true,
            search: false,
        },
        group_creation: json!({}),
    })
}

/// The ways to log in.
#[derive(Serialize, ToSchema)]
struct LoginFlows {
    flows: Vec<LoginFlow>,
}

/// The ways to log in.
#[utoipa::path(
    get, path = "/v3/login/flows", operation_id = "getLoginFlows", tag = "auth", params(As),
    responses((status = 200, description = "The ways to log in.", body = LoginFlows), Refused)
)]
pub(super) async fn login_flows() -> Json<impl Serialize> {
    Json(LoginFlows { flows: flows() })
}

/// The ids of the person's logins: none or one.
#[derive(Serialize, ToSchema)]
struct LoginIds {
    login_ids: Vec<String>,
}

/// The ids of the person's logins.
#[utoipa::path(
    get, path = "/v3/logins", operation_id = "getLoginIDs", tag = "auth", params(As),
    responses((status = 200, description = "None or one.", body = LoginIds), Refused)
)]
pub(super) async fn logins(
    State(face): Face,
    person: Person,
) -> Result<Json<impl Serialize>, Refusal> {
    let login = face.logins.of(&person).await?;
    Ok(Json(LoginIds { login_ids: login.into_iter().map(|login| login.id.0).collect() }))
}

/// Nothing to say.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {}

/// Leaves the network; the keys are deleted when it confirms, which may be later.
#[utoipa::path(
    post, path = "/v3/logout/{loginID}", operation_id = "logout", tag = "auth",
    params(("loginID" = String, Path, description = "The id of the login, or `all`."), As),
    responses((status = 200, description = "The person is leaving.", body = Done), Refused, NotFound)
)]
pub(super) async fn logout(
    State(face): Face,
    Extension(person): Person,
    InPath(id): InPath<String>,
) -> Result<Json<Done>, Refusal> {
    if id != "all" {
        login(&face, &person, Some(&id)).await?;
    }
    let logins = face.logins.clone();
    to_its_end(async move { logins.leave(&person, None).await }).await?;
    Ok(Json(Done {}))
}

/// The person's login: the one that they name, or theirs.
pub(super) async fn login(
    face: &ProvisioningFace,
    person: &ruma::UserId,
    id: Option<&str>,
) -> Result<Login, Refusal> {
    match (face.logins.of(person).await?, id) {
        (Some(login), None) => Ok(login),
        (Some(login), Some(id)) if login.id.0 == id => Ok(login),
        (None, None) => Err(Refusal::not_logged_in()),
        (_, Some(_)) => Err(Refusal::not_found("You have no login with this id.")),
    }
}
