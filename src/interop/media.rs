//! Files on the network's media server, and the paths of those that we host (network facts 1.7).
//!
//! A message names the place of its file, and a stranger wrote the message: what it names is fetched
//! from the one media server of the profile or not at all. No redirect is followed.

use futures_util::StreamExt as _;
use http::StatusCode;
use tokio::time::timeout;
use url::{Position, Url};

use super::{NetworkProfile, http::away};
use crate::{
    domain::ids::StorageRef,
    port::{
        Failure,
        media::{Download, MediaFailure},
        network::RemoteFile,
    },
};

/// Bytes of a path with its query. Those of the network's own apps have a few hundred.
pub(super) const PATH_BYTES_MAX: usize = 2048;

const WHAT: &str = "downloading a file";

/// The path that a message names for a file that we host.
pub(super) fn hosted_path(integrator_id: u16, name: &StorageRef) -> String {
    format!("/interop/whatsapp/download/{integrator_id}/{}/", name.as_str())
}

pub(super) async fn download(
    client: &reqwest::Client,
    profile: &NetworkProfile,
    from: &RemoteFile,
) -> Result<Download, MediaFailure> {
    let url = place(&profile.media_url, from).ok_or(MediaFailure::NotAllowed)?;
    let late = || Failure::later(format!("{WHAT}: no answer"));
    let answer = timeout(profile.patience.request, client.get(url).send()).await;
    let answer = answer.map_err(|_| late())?.map_err(|error| away(WHAT, error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(refusal(status));
    }
    let length = answer.content_length();
    let bytes = answer.bytes_stream();
    let bytes = bytes.map(|piece| piece.map_err(|error| away(WHAT, error).into()));
    Ok(Download { length, bytes: bytes.boxed() })
}

fn refusal(status: StatusCode) -> MediaFailure {
    match status {
        // The network's media server forbids what has expired.
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => MediaFailure::Gone,
        status if status.is_redirection() => MediaFailure::NotAllowed,
        status => {
            let text = format!("{WHAT}: HTTP {}", status.as_u16());
            let may_pass = status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            if may_pass { Failure::later(text).into() } else { Failure::never(text).into() }
        }
    }
}

/// The address of a file; `None` when it is not for us to fetch.
pub(super) fn place(server: &Url, from: &RemoteFile) -> Option<Url> {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&from.direct_path), given(&from.url)) {
        (Some(path), _) => at(server, &path),
        (None, Some(url)) => {
            let url = Url::parse(&url).ok()?;
            // Scheme, host and port; and nobody's name or password in front of them.
            let is_there = url[..Position::BeforePath] == server[..Position::BeforePath];
            at(server, is_there.then(|| &url[Position::BeforePath..])?)
        }
        (None, None) => None,
    }
}

/// A path at the media server, taken literally: one that an URL's rules would change into another is
/// not one that an honest app writes.
fn at(server: &Url, path: &str) -> Option<Url> {
    let is_plain = path.len() <= PATH_BYTES_MAX
        && path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (segments, _query) = path.split_once('?').unwrap_or((path, ""));
    let hides = |escape: &str| segments.to_ascii_lowercase().contains(escape);
    if !is_plain || segments.contains("//") || ["%2e", "%2f", "%5c"].into_iter().any(hides) {
        return None;
    }
    let base = server.as_str().trim_end_matches('/');
    let url = Url::parse(&format!("{base}{path}")).ok()?;
    (url.as_str().strip_prefix(base) == Some(path) && url.fragment().is_none()).then_some(url)
}
