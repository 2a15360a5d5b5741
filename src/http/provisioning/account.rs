//! What this API can do, and the person's login: whether there is one, and leaving.

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
use crate::domain::bridged::Login;

/// The one way to log in: reading what it means, and agreeing.
pub(super) const FLOW: &str = "consent";

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

/// A way to log in.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginFlow {
    name: &'static str,
    description: &'static str,
    id: &'static str,
}

pub(super) fn flows() -> Vec<LoginFlow> {
    vec![LoginFlow {
        name: "Consent",
        description: "Read what connecting to WhatsApp means, and agree to it.",
        id: FLOW,
    }]
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
        (_, Some(_)) => {
            Err(Refusal::not_found("You have no login with this id: see `/v3/logins`."))
        }
    }
}
