//! The media service as a host that clients talk to: uploads, downloads, and what partners host (network facts 1.7, 3.8). It
//! must not know who is behind a request.

use std::{ops::Range, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::{
    causes::Causes,
    media::{
        Flaws, MEDIA_HOST, MediaFault, Missing, StoreError, StoredFile, storage_reference, stream,
        upload_folder,
    },
    network::Network,
};

type Shared = State<Arc<Network>>;

/// The query of an upload.
#[derive(Deserialize)]
pub(super) struct UploadQuery {
    #[serde(default)]
    auth: String,
}

/// The answer to an upload.
#[derive(Serialize)]
pub(super) struct Uploaded {
    url: String,
    direct_path: String,
}

/// `POST /mms/{kind}/{base64url of the SHA-256 of the ciphertext}?auth=…&token=…`.
pub(super) async fn upload(
    State(network): Shared,
    Path((kind, hash)): Path<(String, String)>,
    Query(query): Query<UploadQuery>,
    body: Body,
) -> Result<Json<Uploaded>, StatusCode> {
    let folder = upload_folder(&kind).ok_or(StatusCode::NOT_FOUND)?;
    if query.auth != network.media.auth {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let hash = URL_SAFE_NO_PAD.decode(hash.trim_end_matches('=')).ok();
    let sha256: [u8; 32] =
        hash.and_then(|hash| hash.try_into().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let stored = receive(&network, folder, &sha256, body).await.map_err(|error| {
        tracing::info!(error = %Causes(&error), "an upload was refused");
        match error {
            StoreError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            StoreError::Full => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::WrongHash => StatusCode::BAD_REQUEST,
            StoreError::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    })?;
    let direct_path = stored.direct_path;
    Ok(Json(Uploaded { url: format!("https://{MEDIA_HOST}{direct_path}"), direct_path }))
}

async fn receive(
    network: &Network,
    folder: &str,
    sha256: &[u8; 32],
    body: Body,
) -> Result<StoredFile, StoreError> {
    let mut upload = network.media.store.begin().await?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        upload.write(&piece.map_err(std::io::Error::other)?).await?;
    }
    upload.finish(folder, sha256).await
}

/// `GET /v/t…`: a file that somebody uploaded.
pub(super) async fn download(State(network): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let found = network.media.store.find(uri.path(), uri.query().unwrap_or_default());
    let (place, StoredFile { length, .. }) = match found {
        Ok(found) => found,
        Err(Missing::Unknown) => return StatusCode::NOT_FOUND.into_response(),
        Err(Missing::Unsigned) => return StatusCode::FORBIDDEN.into_response(),
    };
    let Some((status, mut part)) = asked_part(&headers, length) else {
        let all = header(CONTENT_RANGE, format!("bytes */{length}"));
        return (StatusCode::RANGE_NOT_SATISFIABLE, [all]).into_response();
    };
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ]);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        headers.extend([header(CONTENT_RANGE, range)]);
    }
    let mut announced = part.end - part.start;
    let mut flaws = Flaws::default();
    match network.media.faults.take(uri.path()) {
        None => {}
        Some(MediaFault::Status(code)) => {
            return StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT).into_response();
        }
        Some(MediaFault::Redirect(to)) => {
            return (StatusCode::FOUND, [header(LOCATION, to)]).into_response();
        }
        Some(MediaFault::Tampered) => flaws.flipped = Some(length / 2),
        Some(MediaFault::Truncated) => flaws.cut_at = Some(part.start + announced / 2),
        Some(MediaFault::BytesPerSecond(speed)) => flaws.bytes_per_second = Some(speed),
        Some(MediaFault::LengthOffBy(by)) => {
            announced = announced.saturating_add_signed(by);
            flaws.cut_at = Some(part.end);
            part.end = part.start + announced;
        }
    }
    headers.insert(CONTENT_LENGTH, announced.into());
    match stream(&place, part, flaws).await {
        Ok(bytes) => {
            let until_stopped = bytes.take_until(network.stop.clone().cancelled_owned());
            (status, headers, Body::from_stream(until_stopped)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a kept file cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The status and the part of a file of `length` bytes that a request asks for; `None` if there is no such part.
fn asked_part(headers: &HeaderMap, length: u64) -> Option<(StatusCode, Range<u64>)> {
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let bounds = asked.and_then(|range| range.split_once('-'));
    // A range that is not understood counts as none, as HTTP has it.
    let (start, end) = match bounds.map(|(from, to)| (from.parse::<u64>(), to.parse::<u64>(), to)) {
        Some((Ok(from), Ok(last), _)) => (from, last.saturating_add(1).min(length)),
        Some((Ok(from), Err(_), "")) => (from, length),
        Some((Err(_), Ok(count), _)) => (length.saturating_sub(count), length),
        _ => return Some((StatusCode::OK, 0..length)),
    };
    (start < end).then_some((StatusCode::PARTIAL_CONTENT, start..end))
}

/// A header; one with a value that no header can have is empty.
fn header(name: HeaderName, value: String) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("")))
}

/// `GET /interop/whatsapp/download/{integrator}/{storage reference}/`: a file that a partner hosts.
pub(super) async fn relay(
    State(network): Shared,
    Path((integrator, rest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let ours = network.with(|world| world.integrator_number()).to_string();
    let Some(reference) = storage_reference(&rest).filter(|_| integrator == ours) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match network.media.partner.fetch(reference, headers.get(RANGE)).await {
        // A partner serves its files itself: the network follows nobody elsewhere.
        Ok(hosted) if hosted.status.is_redirection() => StatusCode::BAD_GATEWAY.into_response(),
        Ok(hosted) => {
            let (status, headers) = (hosted.status, hosted.headers.clone());
            let until_stopped = hosted.bytes().take_until(network.stop.clone().cancelled_owned());
            (status, headers, Body::from_stream(until_stopped)).into_response()
        }
        Err(error) => {
            tracing::info!(error = %Causes(&error.without_url()), "a partner's file cannot be fetched");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: &'static str) -> Option<(u16, Range<u64>)> {
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
        asked_part(&headers, 100).map(|(status, part)| (status.as_u16(), part))
    }

    #[test]
    fn a_range_is_one_part_of_the_file() {
        assert_eq!(part("bytes=0-0"), Some((206, 0..1)));
        assert_eq!(part("bytes=90-"), Some((206, 90..100)));
        assert_eq!(part("bytes=90-500"), Some((206, 90..100)));
        assert_eq!(part("bytes=-10"), Some((206, 90..100)));
        assert_eq!(part("bytes=100-"), None);
        assert_eq!(part("bytes=5-4"), None);
        for other in ["lines=1-2", "bytes=", "bytes=a-b", "bytes=1-2,4-5"] {
            assert_eq!(part(other), Some((200, 0..100)), "{other}");
        }
    }
}
