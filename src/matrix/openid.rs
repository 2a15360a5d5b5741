//! Asks homeservers whose OpenID token one is (client-server API, OpenID).
//!
//! The token and the server's name come from somebody who is not known yet. A server that the
//! operator named is asked where the operator says; any other one is found by its name and asked
//! only at addresses of the public internet.

mod discovery;
mod guard;

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use http::StatusCode;
use ruma::{OwnedServerName, OwnedUserId, ServerName};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use self::guard::Asker;
use crate::{
    domain::limits,
    port::{Failure, OpenId},
};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Homeservers that are asked at a known address.
#[derive(Clone, Debug, Default)]
pub struct OpenIdOptions {
    /// Our own one among them.
    pub servers: BTreeMap<OwnedServerName, Url>,
}

/// The adapter of [`OpenId`].
pub struct OpenIdServers {
    servers: BTreeMap<OwnedServerName, Url>,
    /// For addresses that the operator gave.
    known: reqwest::Client,
    /// For addresses that strangers gave.
    strange: Asker,
}

impl fmt::Debug for OpenIdServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenIdServers").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl OpenIdServers {
    /// Builds the HTTP clients; nothing is sent.
    pub fn new(options: OpenIdOptions) -> Result<Self, Failure> {
        let OpenIdOptions { servers } = options;
        let known = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Failure::never("building the HTTP client").because(error))?;
        Ok(Self { servers, known, strange: Asker::new()? })
    }

    async fn ask(&self, server: &ServerName, token: &str) -> Result<Answer, Failure> {
        if let Some(base) = self.servers.get(server) {
            return read(self.known.get(question(base, token)?)).await;
        }
        let base = discovery::base_url(&self.strange, server).await?;
        read(self.strange.get(question(&base, token)?)?).await
    }
}

#[async_trait]
impl OpenId for OpenIdServers {
    async fn userinfo(
        &self,
        server: &ServerName,
        token: &str,
    ) -> Result<Option<OwnedUserId>, Failure> {
        let asked = timeout(limits::OPENID_WAIT, self.ask(server, token)).await;
        let answer = asked.map_err(|_| away())??;
        person(&answer, server)
    }
}

/// What a server said of a token.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: OwnedUserId,
}

fn person(answer: &Answer, server: &ServerName) -> Result<Option<OwnedUserId>, Failure> {
    match answer.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
            return Ok(None);
        }
        StatusCode::NOT_FOUND => {
            return Err(Failure::later(
                "the homeserver does not answer questions about OpenID tokens at this address \
                 (Synapse: the listener needs the resource `openid` or `federation`)",
            ));
        }
        status => {
            return Err(Failure::later(format!("a homeserver answered {status} about a token")));
        }
    }
    let Ok(UserInfo { sub }) = serde_json::from_slice(&answer.body) else {
        return Err(Failure::later("a homeserver's answer about a token is unreadable"));
    };
    if sub.server_name() != server {
        return Err(Failure::never("a homeserver named a person of another one"));
    }
    Ok(Some(sub))
}

fn question(base: &Url, token: &str) -> Result<Url, Failure> {
    let address =
        format!("{}/_matrix/federation/v1/openid/userinfo", base.as_str().trim_end_matches('/'));
    let mut url = Url::parse(&address)
        .map_err(|error| Failure::never("a homeserver's address is none").because(error))?;
    url.query_pairs_mut().append_pair("access_token", token);
    Ok(url)
}

/// The whole answer, if it is as small as such answers are.
async fn read(request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    // The error's URL would hold the token.
    let gone = |error: reqwest::Error| away().because(error.without_url());
    let mut answer = request.send().await.map_err(gone)?;
    let (status, mut body) = (answer.status(), Vec::new());
    while let Some(piece) = answer.chunk().await.map_err(gone)? {
        if body.len() + piece.len() > limits::OPENID_ANSWER_BYTES_MAX {
            return Err(Failure::never("a homeserver's answer about a token is too large"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, body })
}

fn away() -> Failure {
    Failure::later("a homeserver that was asked about a token does not answer")
}

#[cfg(test)]
mod tests;
