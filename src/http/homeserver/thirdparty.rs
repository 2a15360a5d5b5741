//! The lookup of third-party users (application service API): which ghost a phone number has.
//!
//! What a lookup may and may not tell is decided in `runtime/directory.rs`.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::HomeserverFace;
use crate::{
    domain::{ids::PROTOCOL, phone},
    http::answer,
    runtime::Found,
};

/// The one field that names a person.
const PHONE: &str = "phone";

/// What clients check a number with before they ask: anything that could be one.
const PHONE_PATTERN: &str = r"\+?[0-9 ()./-]{3,40}";

#[derive(Deserialize)]
pub(super) struct UserQuery {
    phone: Option<String>,
}

/// `GET /_matrix/app/v1/thirdparty/protocol/{protocol}`: how people of the network are named.
pub(super) async fn protocol(Path(protocol): Path<String>) -> Response {
    if protocol != PROTOCOL {
        return answer::not_found();
    }
    Json(json!({
        "user_fields": [PHONE],
        "location_fields": [],
        // Demanded by the specification; the bridge hosts no picture.
        "icon": "",
        "field_types": {
            PHONE: {"regexp": PHONE_PATTERN, "placeholder": phone::EXAMPLE},
        },
        "instances": [{"network_id": PROTOCOL, "desc": "WhatsApp", "fields": {}}],
    }))
    .into_response()
}

/// `GET /_matrix/app/v1/thirdparty/user/{protocol}?phone=…`: the ghost of a number.
pub(super) async fn user(
    State(face): State<HomeserverFace>,
    Path(protocol): Path<String>,
    Query(UserQuery { phone }): Query<UserQuery>,
) -> Response {
    let Some(phone) = phone.filter(|_| protocol == PROTOCOL) else { return answer::not_found() };
    match face.directory.ghost_of(&phone).await {
        Ok(Found::Ghost { user, phone }) => {
            let fields = json!({PHONE: format!("+{}", phone.digits())});
            Json(json!([{"userid": user, "protocol": PROTOCOL, "fields": fields}])).into_response()
        }
        Ok(Found::Wrong(wrong)) => {
            let sentence = face.directory.sentence(wrong);
            answer::refused(StatusCode::NOT_FOUND, "M_NOT_FOUND", &sentence)
        }
        Ok(Found::Later) => answer::later(),
        Err(failure) => answer::failed("could not look a number up", &failure),
    }
}

/// `GET /_matrix/app/v1/thirdparty/user?userid=…`: the number of a ghost, which is told to nobody; and
/// `…/thirdparty/location…`: the network has no public rooms.
pub(super) async fn nothing() -> Response {
    Json(json!([])).into_response()
}
