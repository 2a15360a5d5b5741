//! Requests to addresses that strangers name: encrypted, and to the public internet alone.
//!
//! The check is made on the addresses that are then connected to, so that a name cannot mean one
//! thing when it is checked and another when it is used.

use std::{io, net::SocketAddr, sync::Arc};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::{Attempt, Policy},
};
use url::{Host, Url};

use super::CONNECT_TIMEOUT;
use crate::{domain::address::is_public, port::Failure};

/// How often a file may be elsewhere.
const REDIRECTS_MAX: usize = 3;

/// Asks strangers' addresses. Every request goes through [`may_ask`] and [`PublicNames`].
pub(super) struct Asker {
    plain: Client,
    following: Client,
}

impl Asker {
    pub(super) fn new() -> Result<Self, Failure> {
        let client = |policy| {
            Client::builder()
                .https_only(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(policy)
                .dns_resolver(Arc::new(PublicNames))
                .no_proxy()
                .referer(false)
                .build()
                .map_err(|error| Failure::never("building the HTTP client").because(error))
        };
        Ok(Self { plain: client(Policy::none())?, following: client(Policy::custom(follow))? })
    }

    pub(super) fn get(&self, url: Url) -> Result<reqwest::RequestBuilder, Failure> {
        allowed(&url)?;
        Ok(self.plain.get(url))
    }

    /// The same, and where the answer says that the file is.
    pub(super) fn get_following(&self, url: Url) -> Result<reqwest::RequestBuilder, Failure> {
        allowed(&url)?;
        Ok(self.following.get(url))
    }
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() <= REDIRECTS_MAX && may_ask(attempt.url()) {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn allowed(url: &Url) -> Result<(), Failure> {
    if may_ask(url) {
        Ok(())
    } else {
        Err(Failure::never("a homeserver's address is not one of the public internet"))
    }
}

/// Names are looked at when they are resolved; addresses are not resolved, so here.
fn may_ask(url: &Url) -> bool {
    url.scheme() == "https"
        && match url.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
}

/// Resolves names to public addresses only.
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|it| is_public(it.ip())).collect();
            if public.is_empty() {
                return Err(io::Error::other("the name has no public address").into());
            }
            let public: Addrs = Box::new(public.into_iter());
            Ok(public)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_requests_to_public_addresses() {
        let may = |url: &str| may_ask(&Url::parse(url).unwrap());
        for allowed in ["https://example.org/", "https://1.1.1.1:8448/", "https://[2600::1]/"] {
            assert!(may(allowed), "{allowed}");
        }
        for refused in [
            "http://example.org/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://169.254.169.254/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://10.0.0.1:8448/",
        ] {
            assert!(!may(refused), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_name_of_our_own_network_resolves_to_nothing() {
        let resolved = PublicNames.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_err());
    }
}
