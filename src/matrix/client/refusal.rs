//! What the homeserver answers when it does not do what we asked.
//!
//! Only the status and the error code are kept: the text of an answer may quote what we sent.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use crate::port::Failure;

/// Characters of an error code that are worth showing.
const ERROR_CODE_CHARS_MAX: usize = 64;

/// Why a call has no answer.
#[derive(Debug)]
pub(in crate::matrix) enum CallFailure {
    /// The homeserver read the request and refuses it.
    Refused(Refusal),
    /// Everything else: nobody answered, or nothing readable.
    Other(Failure),
}

/// An answer that is not a success.
#[derive(Debug)]
pub(in crate::matrix) struct Refusal {
    what: &'static str,
    pub(super) status: StatusCode,
    pub(super) error_code: Option<String>,
    /// How long the homeserver wants us to wait.
    pub(super) retry_after: Option<Duration>,
}

/// The standard error body, of which the human text is left unread.
#[derive(Deserialize)]
struct ErrorBody {
    errcode: Option<String>,
    retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(super) fn read(
        what: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let body = serde_json::from_slice(body)
            .unwrap_or(ErrorBody { errcode: None, retry_after_ms: None });
        // The header has whole seconds and takes precedence over the body's deprecated field.
        let in_header = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let retry_after = in_header.or(body.retry_after_ms.map(Duration::from_millis));
        let error_code = body.errcode.map(|code| printable(&code)).filter(|code| !code.is_empty());
        Self { what, status, error_code, retry_after }
    }

    pub(super) fn is(&self, status: StatusCode, error_code: &str) -> bool {
        self.status == status && self.error_code.as_deref() == Some(error_code)
    }

    /// Whether the same request can be taken later. That includes a token that the homeserver
    /// does not know (yet): nothing is wrong with the request then, and an operator will repair it.
    pub(super) fn is_temporary(&self) -> bool {
        self.status.is_server_error()
            || matches!(
                self.status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::REQUEST_TIMEOUT
                    | StatusCode::UNAUTHORIZED
            )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, status, error_code, retry_after: _ } = self;
        let code = error_code.as_deref().unwrap_or("without an error code");
        write!(f, "{what}: the homeserver answered {} {code}", status.as_u16())
    }
}

impl CallFailure {
    /// Whether the homeserver refused with this status and error code.
    pub(in crate::matrix) fn is(&self, status: StatusCode, error_code: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is(status, error_code))
    }
}

impl From<Failure> for CallFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<CallFailure> for Failure {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Refused(refusal) if refusal.is_temporary() => {
                Self::later(refusal.to_string())
            }
            CallFailure::Refused(refusal) => Self::never(refusal.to_string()),
            CallFailure::Other(failure) => failure,
        }
    }
}

fn printable(error_code: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    error_code.chars().filter(is_plain).take(ERROR_CODE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Retry;

    fn refusal(status: u16, body: &str) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read("joining", status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_status_says_whether_to_try_again() {
        for (status, retry) in [
            (400, Retry::Never),
            (401, Retry::Later),
            (403, Retry::Never),
            (404, Retry::Never),
            (408, Retry::Later),
            (429, Retry::Later),
            (500, Retry::Later),
            (502, Retry::Later),
            (524, Retry::Later),
        ] {
            let failure = Failure::from(CallFailure::Refused(refusal(status, "")));
            assert_eq!(failure.retry, retry, "{status}");
        }
    }

    #[test]
    fn the_text_has_the_code_and_nothing_of_the_body() {
        let body = r#"{"errcode":"M_FORBIDDEN","error":"you said: SECRET"}"#;
        let text = refusal(403, body).to_string();
        assert_eq!(text, "joining: the homeserver answered 403 M_FORBIDDEN");
        let odd = refusal(400, r#"{"errcode":"no\nnewline <b>"}"#).to_string();
        assert_eq!(odd, "joining: the homeserver answered 400 nonewlineb");
        let html = refusal(502, "<html>SECRET</html>").to_string();
        assert_eq!(html, "joining: the homeserver answered 502 without an error code");
    }

    #[test]
    fn an_error_code_is_cut_at_its_limit() {
        let code_of = |chars: usize| {
            let body = format!(r#"{{"errcode":"{}"}}"#, "M".repeat(chars));
            refusal(400, &body).error_code.unwrap().len()
        };
        assert_eq!(code_of(ERROR_CODE_CHARS_MAX), ERROR_CODE_CHARS_MAX);
        assert_eq!(code_of(ERROR_CODE_CHARS_MAX + 1), ERROR_CODE_CHARS_MAX);
    }

    #[test]
    fn the_header_wins_over_the_body() {
        let body = br#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}"#;
        let mut headers = HeaderMap::new();
        let read = |headers: &HeaderMap| {
            Refusal::read("x", StatusCode::TOO_MANY_REQUESTS, headers, body).retry_after
        };
        assert_eq!(read(&headers), Some(Duration::from_millis(1500)));
        headers.insert(RETRY_AFTER, "2".parse().unwrap());
        assert_eq!(read(&headers), Some(Duration::from_secs(2)));
        headers.insert(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        assert_eq!(read(&headers), Some(Duration::from_millis(1500)));
    }
}
