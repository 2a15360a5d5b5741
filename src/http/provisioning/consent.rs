//! What the person agreed to, asked and took back, and how they stand to a contact from now on.

use axum::{Extension, Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Face,
    access::{As, Person},
    account::login,
    chats::{Contact, Through},
    read::{InBody, InPath, NamedLogin},
    refusal::{NotFound, Refusal, Refused, TooLarge},
    to_its_end,
};
use crate::domain::{
    bridged::Timestamp,
    consent::{ContactEvent, ContactState, Entry},
    ids::{GhostKey, PortalKey},
};

/// One line of the ledger.
#[derive(Serialize, ToSchema)]
struct Line {
    /// What was done: `opted-in`, `opted-out`, `requested`, `approved`, `declined`, `paused`,
    /// `resumed`, `blocked`, `unblocked`, `reported`, `revoked`, `expired`, `confirmed`, `verified`,
    /// `differed` or `lapsed`.
    #[schema(examples("opted-in"))]
    act: &'static str,
    /// In milliseconds since the Unix epoch.
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_id: Option<String>,
    /// The contact that it is about; nothing if it is about the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    /// Which consent text was agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_version: Option<u32>,
    /// The Matrix event by which it was done, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        let Entry { person: _, login, ghost, act, text_version, cause, at } = entry;
        Self {
            act: act.name(),
            at,
            login_id: login.map(|login| login.0),
            contact: ghost.map(|ghost| ghost.0),
            text_version,
            event_id: cause.map(String::from),
        }
    }
}

/// The person's ledger, oldest first.
#[derive(Serialize, ToSchema)]
struct Ledger {
    entries: Vec<Line>,
}

/// Everything that the person agreed to, asked and took back.
#[utoipa::path(
    get, path = "/v3/consent", operation_id = "getConsent", tag = "consent", params(As),
    responses((status = 200, description = "The ledger, oldest first.", body = Ledger), Refused)
)]
pub(super) async fn ledger(
    State(face): Face,
    person: Person,
) -> Result<Json<impl Serialize>, Refusal> {
    let entries = face.logins.consents().ledger(&person).await?;
    Ok(Json(Ledger { entries: entries.into_iter().map(Line::from).collect() }))
}

/// What the person wants of a contact.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Wish {
    action: Action,
}

/// What can be wanted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its description is used")]
enum Action {
    /// Accepts a request: the contact's messages come.
    Approve,
    /// Lets the contact's messages wait.
    Pause,
    /// Lets them through again.
    Resume,
    /// Hears nothing of the contact any more.
    Block,
    /// Lets a contact ask again.
    Unblock,
}

fn event(action: &str) -> Result<ContactEvent, Refusal> {
    match action {
        "approve" => Ok(ContactEvent::Started),
        "pause" => Ok(ContactEvent::Paused),
        "resume" => Ok(ContactEvent::Resumed),
        "block" => Ok(ContactEvent::Blocked),
        "unblock" => Ok(ContactEvent::Unblocked),
        _ => Err(Refusal::invalid(
            "action",
            "must be `approve`, `pause`, `resume`, `block` or `unblock`",
        )),
    }
}

/// Changes how the person stands to a contact.
#[utoipa::path(
    post, path = "/v3/consent/{contact}", operation_id = "setConsent", tag = "consent",
    params(
        ("contact" = String, Path, description = "The `id` of one of the person's contacts."),
        Through, As,
    ),
    request_body(content = Wish, example = json!({"action": "pause"})),
    responses(
        (status = 200, description = "How they stand now.", body = Contact),
        Refused, NotFound, TooLarge,
    )
)]
pub(super) async fn act(
    State(face): Face,
    Extension(person): Person,
    InPath(contact): InPath<String>,
    NamedLogin(login_id): NamedLogin,
    wish: InBody,
) -> Result<Json<Contact>, Refusal> {
    let event = event(wish.text("action")?)?;
    let login = login(&face, &person, login_id.as_deref()).await?;
    let portal = PortalKey { login: login.id, ghost: GhostKey(contact) };
    let consents = face.logins.consents().clone();
    match consents.of(&portal).await? {
        ContactState::Unknown => {
            return Err(Refusal::not_found(
                "You have no contact with this id: see `/v3/contacts`.",
            ));
        }
        ContactState::Blocked if event == ContactEvent::Started => {
            return Err(Refusal::blocked_contact());
        }
        _ => {}
    }
    let moved = portal.clone();
    to_its_end(async move { consents.act(&moved, event, None).await }).await?;
    Ok(Json(face.contact(&portal, None).await?))
}
