//! Files on the homeserver, as streams: nothing here holds more of one than a piece.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use http::StatusCode;
use ruma::{
    MxcUri, OwnedMxcUri,
    api::client::{
        authenticated_media::{get_content, get_media_config},
        media::create_content,
    },
};
use serde::Deserialize;

use super::{
    CallFailure, MatrixHomeserver,
    call::{away, unreadable, whole},
};
use crate::{
    domain::{
        bridged::{ActAs, Timestamp},
        hosting::LimitOf,
    },
    port::{
        Failure,
        media::{Download, MediaBytes, MediaFailure},
    },
};

/// For how long an answer about the largest upload is believed, in milliseconds. It changes when
/// somebody edits the homeserver's configuration.
pub(super) const LIMIT_FRESH_MS: Timestamp = 10 * 60 * 1_000;

/// Encrypted, a file is of no type that the homeserver could know.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The largest upload and when we were told.
#[derive(Debug, Default)]
pub(super) struct KnownLimit(Mutex<Option<(Timestamp, u64)>>);

#[derive(Deserialize)]
struct MediaConfig {
    /// Absent if the homeserver does not say.
    #[serde(rename = "m.upload.size")]
    upload_size: Option<u64>,
}

impl MatrixHomeserver {
    pub(super) async fn known_media_limit(&self) -> Result<u64, Failure> {
        let now = self.api.clock().now();
        let known = *self.media_limit.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, limit)) = known.filter(|(at, _)| now - at < LIMIT_FRESH_MS) {
            return Ok(limit);
        }
        let what = "asking for the largest upload";
        let bot = self.names.user_id(&ActAs::Bot);
        let request = get_media_config::v1::Request::new();
        let answer = self.api.open(what, self.identity(&bot), request).await?;
        let answer = whole(what, answer).await?;
        let config: MediaConfig =
            serde_json::from_slice(answer.body()).map_err(|_error| unreadable(what))?;
        let limit = config.upload_size.unwrap_or(u64::MAX);
        *self.media_limit.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, limit));
        Ok(limit)
    }

    pub(super) async fn open_media(
        &self,
        who: &ActAs,
        uri: &MxcUri,
    ) -> Result<Download, MediaFailure> {
        let what = "downloading a file";
        // A URI that names nothing names nothing that could be there.
        let request = get_content::v1::Request::from_uri(uri).map_err(|_| MediaFailure::Gone)?;
        let user = self.names.user_id(who);
        let answer = match self.api.open(what, self.identity(&user), request).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.refused(failure, None).await),
        };
        let length = answer.content_length();
        let away = move |error| MediaFailure::Outside(away(what, error));
        let bytes = answer.bytes_stream().map(move |piece| piece.map_err(away));
        Ok(Download { length, bytes: bytes.boxed() })
    }

    pub(super) async fn store_media(
        &self,
        who: &ActAs,
        length: u64,
        bytes: MediaBytes,
    ) -> Result<OwnedMxcUri, MediaFailure> {
        let mut request = create_content::v3::Request::new(Vec::new());
        request.content_type = Some(UNKNOWN_TYPE.to_owned());
        let user = self.names.user_id(who);
        let body = (length, reqwest::Body::wrap_stream(bytes));
        match self.api.upload("uploading a file", self.identity(&user), request, body).await {
            Ok(answer) => Ok(answer.content_uri),
            Err(failure) => Err(self.refused(failure, Some(length)).await),
        }
    }

    /// Why a file does not come or is not taken; `uploaded` is the length of one that is not taken.
    async fn refused(&self, failure: CallFailure, uploaded: Option<u64>) -> MediaFailure {
        let CallFailure::Refused(refusal) = &failure else { return Failure::from(failure).into() };
        let is_too_large = refusal.error_code.as_deref() == Some("M_TOO_LARGE")
            || refusal.status == StatusCode::PAYLOAD_TOO_LARGE;
        match refusal.status {
            _ if is_too_large => {
                let known = match self.known_media_limit().await {
                    Ok(limit) => limit,
                    Err(failure) => return failure.into(),
                };
                // Something in front of the homeserver may have a smaller limit, which it keeps to
                // itself.
                let limit = uploaded.map_or(known, |length| known.min(length.saturating_sub(1)));
                MediaFailure::TooLarge { limit, whose: LimitOf::Homeserver }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE if uploaded.is_none() => MediaFailure::Gone,
            status if status.is_redirection() => MediaFailure::NotAllowed,
            _ => Failure::from(failure).into(),
        }
    }
}
