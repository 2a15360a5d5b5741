//! Files and arbitrary messages of simulated people. A file is named, given or made here; what comes is answered for by its
//! hash, so that large files need not travel through this face.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    Problem,
    people::{SentView, account_of, actor_of, unsent},
};
use crate::{
    causes::Causes,
    network::Network,
    person::{self, About, Attachment, Kind, Outgoing, Sample, Source, Wrap},
};

type Shared = State<Arc<Network>>;

/// Where the bytes come from: `{"path": "…"}`, `{"base64": "…"}` or `{"sample": {"size": N, "seed": N}}`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileOrder {
    Path(PathBuf),
    Base64(String),
    Sample(Sample),
}

/// A field in which the message lies about its file.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lie {
    MediaKey,
    Sha256,
    EncSha256,
    Length,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaOrder {
    /// A partner's user-visible id, or the phone number of a person.
    to: String,
    id: Option<String>,
    kind: Kind,
    file: FileOrder,
    mimetype: Option<String>,
    caption: Option<String>,
    file_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    seconds: Option<u32>,
    /// In base64.
    waveform: Option<String>,
    /// In base64.
    thumbnail: Option<String>,
    wrap: Option<Wrap>,
    lie: Option<Lie>,
    /// What the message names instead of the path of the upload.
    direct_path: Option<String>,
    /// What the message names instead of the URL of the upload.
    url: Option<String>,
}

#[derive(Serialize)]
pub(super) struct MediaSent {
    id: String,
    /// Where the file is, whatever the message says.
    direct_path: String,
    /// Of the file in the clear, in hexadecimal.
    sha256: String,
    length: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOrder {
    to: String,
    id: Option<String>,
    /// An encoded protobuf `Message` without padding, in hexadecimal.
    message: String,
    /// The `type` of the stanza.
    #[serde(default = "text")]
    kind: String,
    /// The `mediatype` of the envelope.
    media_type: Option<String>,
    /// The `edit` of the stanza.
    edit: Option<String>,
}

fn text() -> String {
    "text".to_owned()
}

#[derive(Serialize)]
pub(super) struct FileView {
    /// Of the file in the clear, in hexadecimal.
    sha256: String,
    length: u64,
}

/// `POST /people/{phone}/send_media`: encrypts, uploads and sends a file.
pub(super) async fn send(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(mut order): Json<MediaOrder>,
) -> Result<Json<MediaSent>, Problem> {
    let actor = actor_of(&network, &phone)?;
    let to = account_of(&network, &order.to)?;
    let kind = order.kind;
    let (source, about) = (source_of(&order.file)?, about_of(&mut order)?);
    let uploaded = person::upload(&network.media.store, kind, &source).await;
    let mut file = uploaded.map_err(|error| Problem::bad(Causes(&error)))?;
    let (direct_path, sha256, length) = (file.direct_path.clone(), hex(&file.sha256), file.length);
    match order.lie {
        None => {}
        Some(Lie::MediaKey) => file.media_key[0] ^= 1,
        Some(Lie::Sha256) => file.sha256[0] ^= 1,
        Some(Lie::EncSha256) => file.enc_sha256[0] ^= 1,
        Some(Lie::Length) => file.length += 1,
    }
    file.url = order.url.or(file.url);
    file.direct_path = order.direct_path.unwrap_or(file.direct_path);
    let message = Outgoing {
        padded: person::padded(person::encode(&Attachment { kind, about, file }, order.wrap)),
        kind: "media".to_owned(),
        media_type: Some(kind.envelope().to_owned()),
        edit: None,
    };
    let id = actor.send(&network, to, message, order.id).await.map_err(unsent)?;
    Ok(Json(MediaSent { id, direct_path, sha256, length }))
}

/// `POST /people/{phone}/send_raw`: sends whatever it is told to.
pub(super) async fn send_raw(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(order): Json<RawOrder>,
) -> Result<Json<SentView>, Problem> {
    let actor = actor_of(&network, &phone)?;
    let to = account_of(&network, &order.to)?;
    let encoded =
        bytes_of(&order.message).ok_or_else(|| Problem::bad("the message is not hexadecimal"))?;
    let RawOrder { kind, media_type, edit, .. } = order;
    let message = Outgoing { padded: person::padded(encoded), kind, media_type, edit };
    let id = actor.send(&network, to, message, order.id).await.map_err(unsent)?;
    Ok(Json(SentView { id }))
}

/// `GET /people/{phone}/received/{id}/file`: has the person's phone download and check the file of a message.
pub(super) async fn file(
    State(network): Shared,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Json<FileView>, Problem> {
    let actor = actor_of(&network, &phone)?;
    let attachment = actor
        .transcript
        .attachment(&id)
        .ok_or_else(|| Problem::not_found("the person has no file under this message id"))?;
    let file = person::download(&network, &attachment)
        .await
        .map_err(|error| Problem::new(StatusCode::BAD_GATEWAY, Causes(&error)))?;
    Ok(Json(FileView { sha256: hex(&file.sha256), length: file.length }))
}

fn source_of(file: &FileOrder) -> Result<Source, Problem> {
    Ok(match file {
        FileOrder::Path(path) => Source::Path(path.clone()),
        FileOrder::Base64(text) => Source::Bytes(decoded(text)?),
        FileOrder::Sample(sample) => Source::Sample(*sample),
    })
}

fn about_of(order: &mut MediaOrder) -> Result<About, Problem> {
    Ok(About {
        mimetype: order.mimetype.take(),
        caption: order.caption.take(),
        file_name: order.file_name.take(),
        width: order.width,
        height: order.height,
        seconds: order.seconds,
        waveform: order.waveform.as_deref().map(decoded).transpose()?,
        thumbnail: order.thumbnail.as_deref().map(decoded).transpose()?,
    })
}

fn decoded(base64: &str) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(base64).map_err(|_| Problem::bad("a field is not base64 with padding"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_it_is_written() {
        assert_eq!(bytes_of(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        assert_eq!(bytes_of(""), Some(Vec::new()));
        assert_eq!(bytes_of("abc"), None);
        assert_eq!(bytes_of("0g"), None);
    }
}
