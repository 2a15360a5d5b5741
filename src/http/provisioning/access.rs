//! Who asks: a manager with the shared secret, or a person with an OpenID token of their
//! homeserver. The token is believed for the person whom the request names, and for nobody else.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Extension,
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use ruma::{OwnedServerName, OwnedUserId, UserId};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use super::{Face, ProvisioningRules, refusal::Refusal};
use crate::{
    domain::{address::customer, bridged::Timestamp, limits, rate::Buckets},
    port::{Clock, Homeserver, OpenId, Retry},
    runtime::Ports,
};

const OPENID: &str = "openid:";

/// The person that a request is for. It is there in every request that [`enter`] let in.
pub(super) type Person = Extension<OwnedUserId>;

/// Who is let in, and how often.
pub(super) struct Access {
    rules: Rules,
    openid: Arc<dyn OpenId>,
    homeserver: Arc<dyn Homeserver>,
    clock: Arc<dyn Clock>,
    /// None of these locks is ever held across an await.
    persons: Mutex<Buckets<OwnedUserId>>,
    addresses: Mutex<Buckets<IpAddr>>,
    believed: Mutex<Believed>,
    asking: Semaphore,
}

struct Rules {
    server_name: OwnedServerName,
    shared_secret: Option<Arc<str>>,
    /// The operator's, and what the deny lists make of them.
    of_use: crate::runtime::Rules,
}

/// The whole of what a request says of who asks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct As {
    /// The Matrix id of the person that the request is for.
    #[param(required, value_type = String, example = "@alice:example.org")]
    user_id: Option<String>,
}

/// Lets a request in, or not.
pub(super) async fn enter(
    State(face): Face,
    query: Result<Query<As>, axum::extract::rejection::QueryRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let address = address(peer, request.headers());
    let person = face.access.person(bearer(request.headers()), query.ok(), address).await?;
    request.extensions_mut().insert(person);
    Ok(next.run(request).await)
}

impl Access {
    pub(super) fn new(ports: &Ports, openid: Arc<dyn OpenId>, rules: ProvisioningRules) -> Self {
        let ProvisioningRules { server_name, shared_secret } = rules;
        let keys_max = limits::PROVISIONING_KEYS_MAX;
        Self {
            rules: Rules { server_name, shared_secret, of_use: ports.rules.clone() },
            openid,
            homeserver: Arc::clone(&ports.homeserver),
            clock: Arc::clone(&ports.clock),
            persons: Mutex::new(Buckets::new(limits::PROVISIONING_PERSON_RATE, keys_max)),
            addresses: Mutex::new(Buckets::new(limits::PROVISIONING_ADDRESS_RATE, keys_max)),
            believed: Mutex::default(),
            asking: Semaphore::new(limits::OPENID_ASKED_AT_ONCE_MAX),
        }
    }

    async fn person(
        &self,
        bearer: Option<&str>,
        query: Option<Query<As>>,
        address: IpAddr,
    ) -> Result<OwnedUserId, Refusal> {
        let secret = self.rules.shared_secret.as_deref();
        let manager = bearer
            .zip(secret)
            .is_some_and(|(said, secret)| said.as_bytes().ct_eq(secret.as_bytes()).into());
        // Managers ask for many people from one address.
        if !manager {
            self.count_address(address)?;
        }
        let bearer = bearer.ok_or_else(Refusal::no_token)?;
        let token = bearer.strip_prefix(OPENID);
        if !manager && token.is_none() {
            return Err(Refusal::unknown_token());
        }
        let Some(Query(As { user_id })) = query else {
            return Err(Refusal::invalid("user_id", "must be in the query once, in UTF-8"));
        };
        let user_id = user_id.ok_or_else(|| Refusal::missing("user_id"))?;
        let person = OwnedUserId::try_from(user_id).map_err(|_| {
            Refusal::invalid("user_id", "must be a Matrix id like `@alice:example.org`")
        })?;
        // Before another server is asked: nobody makes us ask for people who may not come in.
        self.permit(&person)?;
        if !manager {
            self.believe(&person, token.unwrap_or_default()).await?;
        }
        self.count_person(&person)?;
        Ok(person)
    }

    fn permit(&self, person: &UserId) -> Result<(), Refusal> {
        if self.homeserver.our_user(person).is_some() {
            return Err(Refusal::forbidden("This is a user of the bridge itself."));
        }
        match self.rules.of_use.permission(person) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Refusal::forbidden(refusal.text())),
        }
    }

    /// Asks the person's homeserver whose token it is, if it has not said so just now.
    async fn believe(&self, person: &UserId, token: &str) -> Result<(), Refusal> {
        if token.is_empty() || token.len() > limits::OPENID_TOKEN_BYTES_MAX {
            return Err(Refusal::unknown_token());
        }
        let key = Believed::key(person, token);
        if self.believed().knows(&key, self.clock.now()) {
            return Ok(());
        }
        let Ok(_turn) = self.asking.try_acquire() else { return Err(Refusal::later()) };
        let server = person.server_name();
        match self.openid.userinfo(server, token).await {
            Ok(Some(owner)) if owner == person => {
                self.believed().add(key, self.clock.now());
                Ok(())
            }
            Ok(_) => Err(Refusal::unknown_token()),
            // Our own homeserver is away, and so is nobody's fault who asks.
            Err(failure) if failure.retry == Retry::Later && server == self.rules.server_name => {
                tracing::warn!(%failure, "could not ask our homeserver about an OpenID token");
                Err(Refusal::later())
            }
            Err(failure) => {
                tracing::debug!(%server, %failure, "could not ask about an OpenID token");
                Err(Refusal::unknown_token())
            }
        }
    }

    fn believed(&self) -> std::sync::MutexGuard<'_, Believed> {
        self.believed.lock().expect("no holder of this lock can panic")
    }

    fn count_address(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut addresses = self.addresses.lock().expect("no holder of this lock can panic");
        addresses.take(&customer(address), self.clock.now()).map_err(Refusal::too_fast)
    }

    fn count_person(&self, person: &OwnedUserId) -> Result<(), Refusal> {
        let mut persons = self.persons.lock().expect("no holder of this lock can panic");
        persons.take(person, self.clock.now()).map_err(Refusal::too_fast)
    }
}

/// Tokens that a homeserver has vouched for, by their hash, and until when that counts.
#[derive(Default)]
struct Believed(BTreeMap<[u8; 32], Timestamp>);

impl Believed {
    /// Of the token and the person both: one person's token is nobody else's.
    fn key(person: &UserId, token: &str) -> [u8; 32] {
        // A Matrix id has no line break.
        Sha256::new().chain_update(person).chain_update("\n").chain_update(token).finalize().into()
    }

    fn knows(&self, key: &[u8; 32], now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|until| now < *until)
    }

    fn add(&mut self, key: [u8; 32], now: Timestamp) {
        self.0.retain(|_, until| now < *until);
        if self.0.len() < limits::OPENID_TOKENS_MAX {
            self.0.insert(key, now + limits::millis(limits::OPENID_TOKEN_KEPT));
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Where a request comes from. A proxy of the same machine says for whom it asks; what others say of
/// themselves is their word alone.
fn address(peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    if !customer(peer).is_loopback() && !peer.is_loopback() {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let nearest = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    nearest.and_then(|address| address.trim().parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_of_the_same_machine_speaks_for_others() {
        let of = |peer: Option<&str>, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            address(peer.map(|peer| peer.parse().unwrap()), &headers).to_string()
        };
        assert_eq!(of(Some("127.0.0.1"), &["9.9.9.9, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(Some("::1"), &["9.9.9.9", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(Some("127.0.0.1"), &[]), "127.0.0.1");
        assert_eq!(of(Some("127.0.0.1"), &["nobody"]), "127.0.0.1");
        assert_eq!(of(Some("5.6.7.8"), &["1.2.3.4"]), "5.6.7.8");
        assert_eq!(of(None, &["1.2.3.4"]), "0.0.0.0");
    }

    #[test]
    fn tokens_that_are_believed_at_the_limit_and_one_past_it() {
        let mut believed = Believed::default();
        let person = ruma::user_id!("@alice:example.org");
        let key = |n: usize| Believed::key(person, &n.to_string());
        for n in 0..=limits::OPENID_TOKENS_MAX {
            believed.add(key(n), 0);
        }
        let kept = limits::millis(limits::OPENID_TOKEN_KEPT);
        assert!(believed.knows(&key(limits::OPENID_TOKENS_MAX - 1), kept - 1));
        assert!(!believed.knows(&key(limits::OPENID_TOKENS_MAX), 0), "one too many is asked again");
        assert!(!believed.knows(&key(0), kept));
        believed.add(key(limits::OPENID_TOKENS_MAX), kept);
        assert_eq!(believed.0.len(), 1);
    }

    #[test]
    fn a_header_holds_one_token() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("bearer openid:abc").as_deref(), Some("openid:abc"));
        for other in ["Bearer", "Bearer ", "abc", "Basic abc", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
