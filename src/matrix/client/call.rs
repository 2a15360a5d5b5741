//! One call of the client-server API: typed request in, typed response or [`CallFailure`] out.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use ruma::api::{
    AppserviceUserIdentity, IncomingResponse, MatrixVersion, OutgoingRequest,
    OutgoingRequestAppserviceExt, SupportedVersions,
    auth_scheme::{AuthScheme, SendAccessToken},
    path_builder::PathBuilder,
};
use url::Url;

use super::refusal::{CallFailure, Refusal};
use crate::port::{Clock, Failure};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take; the homeserver may have to ask other servers for keys.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of an answer; key queries and missed to-device messages are the large ones.
pub(super) const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest wait that the homeserver may ask for within a call; above it the call fails and the
/// caller's own back-off has its turn.
pub(super) const RATE_LIMIT_WAIT_MAX: Duration = Duration::from_secs(5);
/// The wait when the homeserver does not say how long.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(1);

/// The client-server API, called with our token.
pub(in crate::matrix) struct Api {
    http: reqwest::Client,
    base_url: String,
    as_token: String,
    /// Constant: paths are chosen for what Synapse serves, not for what a server says of itself.
    versions: SupportedVersions,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn new(url: &Url, as_token: String, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Failure::never("building the HTTP client").because(error))?;
        let versions = SupportedVersions {
            versions: [MatrixVersion::V1_1, MatrixVersion::V1_17].into(),
            features: std::collections::BTreeSet::new(),
        };
        Ok(Self { http, base_url: url.as_str().to_owned(), as_token, versions, clock })
    }

    /// Calls an endpoint as `identity`; `what` starts the text of a failure.
    ///
    /// When the homeserver says that we are too fast, the call waits once, as long as it says.
    pub(in crate::matrix) async fn call<R>(
        &self,
        what: &'static str,
        identity: AppserviceUserIdentity<'_>,
        request: R,
    ) -> Result<R::IncomingResponse, CallFailure>
    where
        R: OutgoingRequest + Send,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request: http::Request<Vec<u8>> = request
            .try_into_http_request_with_identity(
                &self.base_url,
                SendAccessToken::Appservice(&self.as_token),
                identity,
                Cow::Borrowed(&self.versions),
            )
            .map_err(|error| {
                Failure::never(format!("{what}: building the request")).because(error)
            })?;
        let response = self.exchange_patiently(what, request).await?;
        R::IncomingResponse::try_from_http_response(response).map_err(|_error| {
            // The error may quote the body. An answer like this comes from a proxy in between.
            Failure::later(format!("{what}: the homeserver's answer is unreadable")).into()
        })
    }

    async fn exchange_patiently(
        &self,
        what: &'static str,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, CallFailure> {
        let refusal = match self.exchange(what, request.clone()).await {
            Err(CallFailure::Refused(refusal)) => refusal,
            other => return other,
        };
        let wait = refusal.retry_after.unwrap_or(RATE_LIMIT_WAIT);
        if refusal.status != StatusCode::TOO_MANY_REQUESTS || wait > RATE_LIMIT_WAIT_MAX {
            return Err(CallFailure::Refused(refusal));
        }
        self.clock.sleep(wait).await;
        self.exchange(what, request).await
    }

    async fn exchange(
        &self,
        what: &'static str,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, CallFailure> {
        // The URL names rooms and users: no place for it in a text that may be logged.
        let away = |error: reqwest::Error| {
            Failure::later(format!("{what}: the homeserver does not answer"))
                .because(error.without_url())
        };
        let request = reqwest::Request::try_from(request).map_err(away)?;
        let mut response = self.http.execute(request).await.map_err(away)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(Failure::never(format!("{what}: the answer is too large")).into());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        if !status.is_success() {
            let refusal = Refusal::read(what, status, response.headers(), &body);
            return Err(CallFailure::Refused(refusal));
        }
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = response.headers().clone();
        Ok(answer)
    }
}
