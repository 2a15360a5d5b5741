//! One call of the client-server API: typed request in, typed response or [`CallFailure`] out.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::{StatusCode, header::CONTENT_LENGTH};
use ruma::api::{
    AppserviceUserIdentity, IncomingResponse, MatrixVersion, OutgoingRequest,
    OutgoingRequestAppserviceExt, SupportedVersions,
    auth_scheme::{AuthScheme, SendAccessToken},
    path_builder::PathBuilder,
};
use tokio::time::timeout;
use url::Url;

use super::refusal::{CallFailure, Refusal};
use crate::port::{Clock, Failure};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take, but for files that come with it; the homeserver may have to ask other
/// servers for keys.
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

    /// The clock that calls wait by.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
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
        let request = self.request(what, identity, request)?;
        let answer = self.patiently(|| self.exchange(what, &request)).await?;
        R::IncomingResponse::try_from_http_response(answer).map_err(|_error| unreadable(what))
    }

    /// The same, up to the head of the answer: what follows it is the caller's to read, for as long
    /// as it takes.
    pub(super) async fn open<R>(
        &self,
        what: &'static str,
        identity: AppserviceUserIdentity<'_>,
        request: R,
    ) -> Result<reqwest::Response, CallFailure>
    where
        R: OutgoingRequest + Send,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request = self.request(what, identity, request)?;
        let open = || async {
            let request = convert(what, request.clone())?;
            timeout(CALL_TIMEOUT, self.answer(what, request)).await.unwrap_or_else(|_| {
                Err(Failure::later(format!("{what}: the homeserver does not answer")).into())
            })
        };
        self.patiently(open).await
    }

    /// Calls an endpoint with a body of `length` bytes that comes as a stream and takes as long as
    /// it takes. What is gone cannot be sent again, so that being too fast is the caller's to wait
    /// for.
    pub(super) async fn upload<R>(
        &self,
        what: &'static str,
        identity: AppserviceUserIdentity<'_>,
        request: R,
        (length, body): (u64, reqwest::Body),
    ) -> Result<R::IncomingResponse, CallFailure>
    where
        R: OutgoingRequest + Send,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request = self.request(what, identity, request)?;
        let mut request = convert(what, request)?;
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        *request.body_mut() = Some(body);
        let answer = self.answer(what, request).await?;
        let answer = whole(what, answer).await?;
        R::IncomingResponse::try_from_http_response(answer).map_err(|_error| unreadable(what))
    }

    fn request<R>(
        &self,
        what: &'static str,
        identity: AppserviceUserIdentity<'_>,
        request: R,
    ) -> Result<http::Request<Vec<u8>>, CallFailure>
    where
        R: OutgoingRequest + Send,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let token = SendAccessToken::Appservice(&self.as_token);
        let versions = Cow::Borrowed(&self.versions);
        request
            .try_into_http_request_with_identity(&self.base_url, token, identity, versions)
            .map_err(|error| {
                Failure::never(format!("{what}: building the request")).because(error).into()
            })
    }

    async fn patiently<T, A>(&self, attempt: impl Fn() -> A + Send) -> Result<T, CallFailure>
    where
        A: Future<Output = Result<T, CallFailure>> + Send,
    {
        let refusal = match attempt().await {
            Err(CallFailure::Refused(refusal)) => refusal,
            other => return other,
        };
        let wait = refusal.retry_after.unwrap_or(RATE_LIMIT_WAIT);
        if refusal.status != StatusCode::TOO_MANY_REQUESTS || wait > RATE_LIMIT_WAIT_MAX {
            return Err(CallFailure::Refused(refusal));
        }
        self.clock.sleep(wait).await;
        attempt().await
    }

    async fn exchange(
        &self,
        what: &'static str,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, CallFailure> {
        let mut request = convert(what, request.clone())?;
        *request.timeout_mut() = Some(CALL_TIMEOUT);
        let answer = self.answer(what, request).await?;
        whole(what, answer).await
    }

    /// Sends a request and reads the head of an answer, which is a success.
    async fn answer(
        &self,
        what: &'static str,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, CallFailure> {
        let answer = self.http.execute(request).await.map_err(|error| away(what, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let answer = whole(what, answer).await?;
        let refusal = Refusal::read(what, answer.status(), answer.headers(), answer.body());
        Err(CallFailure::Refused(refusal))
    }
}

/// Reads the body of an answer that is no file.
pub(super) async fn whole(
    what: &'static str,
    mut answer: reqwest::Response,
) -> Result<http::Response<Vec<u8>>, CallFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| away(what, error))? {
        if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Err(Failure::never(format!("{what}: the answer is too large")).into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = http::Response::new(body);
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = answer.headers().clone();
    Ok(whole)
}

fn convert(
    what: &'static str,
    request: http::Request<Vec<u8>>,
) -> Result<reqwest::Request, CallFailure> {
    reqwest::Request::try_from(request).map_err(|error| away(what, error).into())
}

/// The URL names rooms and users: no place for it in a text that may be logged.
pub(super) fn away(what: &'static str, error: reqwest::Error) -> Failure {
    Failure::later(format!("{what}: the homeserver does not answer")).because(error.without_url())
}

/// The error may quote the body. An answer like this comes from a proxy in between.
pub(super) fn unreadable(what: &'static str) -> CallFailure {
    Failure::later(format!("{what}: the homeserver's answer is unreadable")).into()
}
