//! Contacts: those that the person has, and new ones by their phone number.

#![expect(unused_qualifications, reason = "of the code that utoipa makes for parameters")]

use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode};
use ruma::UserId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Face, ProvisioningFace,
    access::{As, Person},
    account::login,
    read::{InPath, NamedLogin},
    refusal::{NotFound, Refusal, Refused},
    to_its_end,
};
use crate::{
    domain::{
        bridged::{ActAs, Login},
        ids::{GhostKey, PortalKey, RemoteUser},
    },
    port::network::Resolved,
    runtime::Opened,
};

/// Somebody on the network.
#[derive(Serialize, ToSchema)]
pub(super) struct Contact {
    /// Names the contact within the bridge. It tells no phone number.
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// As what the person asked for them, as an address (`tel:+…`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identifiers: Vec<String>,
    /// The Matrix user that stands for them.
    mxid: String,
    /// The room of the chat with them, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    dm_room_mxid: Option<String>,
    /// How the person stands to them: `unknown`, `requested`, `approved`, `paused`, `declined`,
    /// `revoked`, `expired` or `blocked`.
    #[schema(examples("approved"))]
    consent: &'static str,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Through {
    /// The login to do it through; there is one a person.
    login_id: Option<String>,
}

/// The person's contacts.
#[derive(Serialize, ToSchema)]
struct Contacts {
    contacts: Vec<Contact>,
}

/// The contacts that the person writes to, or who asked to write to them.
#[utoipa::path(
    get, path = "/v3/contacts", operation_id = "getContacts", tag = "snc", params(Through, As),
    responses((status = 200, description = "The contacts.", body = Contacts), Refused, NotFound)
)]
pub(super) async fn contacts(
    State(face): Face,
    person: Person,
    NamedLogin(login_id): NamedLogin,
) -> Result<Json<impl Serialize>, Refusal> {
    let login = login(&face, &person, login_id.as_deref()).await?;
    let known = face.logins.consents().contacts(&login.id).await?;
    let mut contacts = Vec::with_capacity(known.len());
    for ghost in known.into_iter().map(|contact| contact.ghost) {
        let portal = PortalKey { login: login.id.clone(), ghost };
        contacts.push(face.contact(&portal, None).await?);
    }
    Ok(Json(Contacts { contacts }))
}

/// Whom the person looks for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Sought {
    /// A phone number with its country code.
    #[param(example = "+33612345678")]
    identifier: String,
}

/// Looks a phone number up. Nothing is told to its owner.
#[utoipa::path(
    get, path = "/v3/resolve_identifier/{identifier}", operation_id = "resolveIdentifier", tag = "snc",
    params(Sought, Through, As),
    responses(
        (status = 200, description = "They can be reached.", body = Contact),
        Refused, NotFound,
    )
)]
pub(super) async fn resolve_identifier(
    State(face): Face,
    Extension(person): Person,
    InPath(Sought { identifier }): InPath<Sought>,
    NamedLogin(login_id): NamedLogin,
) -> Result<Json<Contact>, Refusal> {
    let found = face.find(&person, login_id.as_deref(), &identifier).await?;
    Ok(Json(face.contact(&found.portal(), Some(&found.digits)).await?))
}

/// Starts a chat with the owner of a phone number, or finds the one that there is.
#[utoipa::path(
    post, path = "/v3/create_dm/{identifier}", operation_id = "createDM", tag = "snc",
    params(Sought, Through, As),
    responses(
        (status = 200, description = "There was a chat already.", body = Contact),
        (status = 201, description = "The chat is new; the person is invited.", body = Contact),
        Refused, NotFound,
    )
)]
pub(super) async fn create_dm(
    State(face): Face,
    Extension(person): Person,
    InPath(Sought { identifier }): InPath<Sought>,
    NamedLogin(login_id): NamedLogin,
) -> Result<(StatusCode, Json<Contact>), Refusal> {
    let found = face.find(&person, login_id.as_deref(), &identifier).await?;
    let known = face.ports.storage.portal(&found.portal()).await?;
    let is_new = known.is_none_or(|portal| portal.room.is_none());
    let Found { login, user, ghost, digits } = found;
    let logins = face.logins.clone();
    let (through, opened) =
        (login.id.clone(), async move { logins.open_chat(&login, &user, None).await });
    match to_its_end(opened).await? {
        Opened::Ready(_) => {}
        Opened::Blocked => {
            return Err(Refusal::blocked_contact());
        }
        Opened::UsedUp { limit, now, again_at } => {
            let wait = u64::try_from(again_at.saturating_sub(now)).unwrap_or(0);
            return Err(Refusal::too_many_contacts(limit, Duration::from_millis(wait)));
        }
    }
    let portal = PortalKey { login: through, ghost };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(face.contact(&portal, Some(&digits)).await?)))
}

/// A person of the network whom a number led to.
struct Found {
    login: Login,
    user: RemoteUser,
    ghost: GhostKey,
    digits: String,
}

impl Found {
    fn portal(&self) -> PortalKey {
        PortalKey { login: self.login.id.clone(), ghost: self.ghost.clone() }
    }
}

impl ProvisioningFace {
    async fn find(
        &self,
        person: &UserId,
        login_id: Option<&str>,
        identifier: &str,
    ) -> Result<Found, Refusal> {
        let number = self.logins.read_number(identifier).map_err(|wrong| {
            let must = "must be a phone number with its country code, like `+33612345678`";
            Refusal::invalid("identifier", &format!("{must}: {wrong}"))
        })?;
        let digits = number.digits().to_owned();
        let login = login(self, person, login_id).await?;
        match self.logins.resolve(&login.id, &digits).await? {
            Some(Resolved::Reachable { user }) => {
                let ghost = self.logins.ghost_of(&user);
                Ok(Found { login, user, ghost, digits })
            }
            Some(Resolved::NotOnNetwork) => Err(Refusal::not_found(
                "That number is not on WhatsApp: check the country code and the digits.",
            )),
            Some(Resolved::NotOptedIn) => Err(Refusal::not_found(
                "That number is on WhatsApp, but its owner has not switched on third-party chats.",
            )),
            None => Err(Refusal::bad_state(
                "The connection to WhatsApp does not stand at the moment: try again in a minute.",
            )),
        }
    }

    /// Someone as the person sees them; `digits` is the number by which the person asked for them.
    pub(super) async fn contact(
        &self,
        portal: &PortalKey,
        digits: Option<&str>,
    ) -> Result<Contact, Refusal> {
        let PortalKey { login: _, ghost } = portal;
        let room = self.ports.storage.portal(portal).await?.and_then(|portal| portal.room);
        Ok(Contact {
            id: ghost.0.clone(),
            name: self.logins.name_of(ghost).await?,
            identifiers: digits.map(|digits| format!("tel:+{digits}")).into_iter().collect(),
            mxid: self.ports.homeserver.user_id(&ActAs::Ghost(ghost.clone())).into(),
            dm_room_mxid: room.map(String::from),
            consent: self.logins.consents().of(portal).await?.name(),
        })
    }
}
