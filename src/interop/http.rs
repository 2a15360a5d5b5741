//! HTTP towards the network: one client, with time limits, and bodies that are bounded before they
//! are parsed.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::port::Failure;

/// Bytes of an answer from the network's HTTP faces: an enlistment's is one line, a key set has few
/// keys.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(super) fn client(patience: Duration) -> Result<reqwest::Client, Failure> {
    build(reqwest::Client::builder().timeout(patience), patience)
}

/// A client for files, which take as long as they take once they have begun.
pub(super) fn media_client(patience: Duration) -> Result<reqwest::Client, Failure> {
    build(reqwest::Client::builder(), patience)
}

fn build(builder: reqwest::ClientBuilder, patience: Duration) -> Result<reqwest::Client, Failure> {
    // The chat channel knows no proxy either, and the environment is read in one place only.
    builder
        .no_proxy()
        .connect_timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Failure::never("the HTTP client could not be made").because(error))
}

/// Whoever should answer does not. An error with the address would also show the query.
pub(super) fn away(what: &str, error: reqwest::Error) -> Failure {
    Failure::later(format!("{what}: no answer")).because(error.without_url())
}

/// Sends a request and reads its JSON answer; `what` names the exchange in errors.
pub(super) async fn exchange<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
    what: &str,
) -> Result<T, Failure> {
    let away = |error| away(what, error);
    let mut answer = request.send().await.map_err(away)?;
    let status = answer.status();
    if !status.is_success() {
        let text = format!("{what}: HTTP {}", status.as_u16());
        let may_pass = status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS;
        return Err(if may_pass { Failure::later(text) } else { Failure::never(text) });
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(away)? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(Failure::never(format!(
                "{what}: an answer of more than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        body.extend_from_slice(&piece);
    }
    serde_json::from_slice(&body)
        .map_err(|_| Failure::never(format!("{what}: the answer is not what it should be")))
}
