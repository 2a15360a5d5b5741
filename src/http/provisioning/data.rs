//! What is kept of a person: theirs to take, and theirs to have deleted.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Face,
    access::{As, Person},
    account::Done,
    read::InBody,
    refusal::{Refusal, Refused, TooLarge},
    to_its_end,
};

/// The field that must say it, and the one word that makes it happen, as with the bot.
const CONFIRM: &str = "confirm";
const CONFIRMATION: &str = "everything";

/// Everything that is kept of a person: the file that the bot hands over on `export`. The parts are as
/// they are there; names stay, new ones may come. It holds phone numbers of contacts.
#[derive(ToSchema)]
#[schema(as = Export)]
#[expect(dead_code, reason = "only its description is used: the document is `domain::export`")]
pub(super) struct Document {
    /// Raised when a name changes its meaning or goes.
    version: u32,
    /// In UTC, as RFC 3339 has it.
    made_at: String,
    person: String,
    /// The room in which the person talks with the bot.
    #[schema(required)]
    management_room: Option<String>,
    #[schema(required, value_type = Option<Object>)]
    login: Option<Value>,
    #[schema(value_type = Vec<Object>)]
    contacts: Vec<Value>,
    /// The consent ledger, oldest first.
    #[schema(value_type = Vec<Object>)]
    decisions: Vec<Value>,
    /// Newest first, without their words, which are not kept.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    hosted_files: Vec<Value>,
    /// What is only counted: ciphertext and keys.
    #[schema(value_type = Object)]
    counts: Value,
    /// Rooms in which users of the bridge meet the person, or met them.
    rooms: Vec<String>,
}

/// Everything that is kept of the person.
///
/// Their contacts' phone numbers are in it.
#[utoipa::path(
    get, path = "/v3/export", operation_id = "exportData", tag = "data", params(As),
    responses((status = 200, description = "The document.", body = Document), Refused)
)]
pub(super) async fn export(
    State(face): Face,
    Extension(person): Person,
) -> Result<([(HeaderName, &'static str); 1], Bytes), Refusal> {
    face.access.count_export(&person)?;
    let file = face.logins.exports().file(&person).await?.ok_or_else(Refusal::later)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::from_owner(file)))
}

/// The person's word that they mean it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Confirmation {
    confirm: Confirmed,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its description is used")]
enum Confirmed {
    Everything,
}

/// Leaves the network and deletes everything that is kept of the person.
///
/// It cannot be undone: `export` gives a copy first. It goes on by itself; until it is done every request for the person is answered
/// with `EU.CAUSEWAY.BEING_ERASED`.
#[utoipa::path(
    post, path = "/v3/erase", operation_id = "eraseData", tag = "data", params(As),
    request_body(content = Confirmation, example = json!({"confirm": "everything"})),
    responses((status = 202, description = "It has begun.", body = Done), Refused, TooLarge)
)]
pub(super) async fn erase(
    State(face): Face,
    Extension(person): Person,
    body: InBody,
) -> Result<(StatusCode, Json<Done>), Refusal> {
    if body.text(CONFIRM)? != CONFIRMATION {
        let must = "must be `everything`: it deletes all that is kept of you, and cannot be undone; \
                    nothing has changed";
        return Err(Refusal::invalid(CONFIRM, must));
    }
    let (logins, processes) = (face.logins.clone(), Arc::clone(&face.processes));
    let begun = async move {
        logins.erase(&person).await?;
        processes.forget(&person);
        Ok(())
    };
    to_its_end(begun).await?;
    Ok((StatusCode::ACCEPTED, Json(Done {})))
}
