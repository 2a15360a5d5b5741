//! Who asks: a manager with the shared secret, or a person with an OpenID token of their
//! homeserver. The token is believed for the person whom the request names, and for nobody else.

mod believed;
mod said;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Extension,
    extract::{ConnectInfo, Query, Request, State},
    middleware::Next,
    response::Response,
};
use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use self::believed::Believed;
use super::{
    Face, ProvisioningRules,
    refusal::{NOT_ALLOWED, Refusal},
};
use crate::{
    domain::{address::customer, limits, rate::Buckets},
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
    exports: Mutex<Buckets<OwnedUserId>>,
    believed: Mutex<Believed>,
    /// Apart, so that strangers whose servers take their time do not hold up our own people.
    asking_our_server: Semaphore,
    asking_other_servers: Semaphore,
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
    let (headers, query) = (request.headers(), query.ok());
    let address = said::address(peer, headers);
    let person = face.access.person(said::bearer(headers), query, address).await?;
    if face.logins.is_being_erased(&person).await? {
        return Err(Refusal::being_erased());
    }
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
            exports: Mutex::new(Buckets::new(limits::PROVISIONING_EXPORT_RATE, keys_max)),
            believed: Mutex::default(),
            asking_our_server: Semaphore::new(limits::OPENID_ASKED_AT_ONCE_MAX),
            asking_other_servers: Semaphore::new(limits::OPENID_ASKED_AT_ONCE_MAX),
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
            self.count(&self.addresses, &customer(address))?;
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
        self.permit(&person, manager)?;
        if !manager {
            self.believe(&person, token.unwrap_or_default()).await?;
        }
        self.count(&self.persons, &person)?;
        Ok(person)
    }

    /// Why somebody may not come in is told to whoever has proven to be a manager.
    fn permit(&self, person: &UserId, manager: bool) -> Result<(), Refusal> {
        if self.homeserver.our_user(person).is_some() {
            return Err(Refusal::forbidden("This is a user of the bridge itself."));
        }
        match self.rules.of_use.permission(person) {
            Ok(_) => Ok(()),
            Err(refusal) if manager => Err(Refusal::forbidden(refusal.text())),
            Err(_) => Err(Refusal::forbidden(NOT_ALLOWED)),
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
        let server = person.server_name();
        let Ok(_turn) = self.asking(server).try_acquire() else { return Err(Refusal::later()) };
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

    fn asking(&self, server: &ServerName) -> &Semaphore {
        if server == self.rules.server_name {
            &self.asking_our_server
        } else {
            &self.asking_other_servers
        }
    }

    fn believed(&self) -> std::sync::MutexGuard<'_, Believed> {
        self.believed.lock().expect("no holder of this lock can panic")
    }

    /// A copy of everything is more work than other requests.
    pub(super) fn count_export(&self, person: &OwnedUserId) -> Result<(), Refusal> {
        self.count(&self.exports, person)
    }

    fn count<K: Ord + Clone>(&self, buckets: &Mutex<Buckets<K>>, key: &K) -> Result<(), Refusal> {
        let mut buckets = buckets.lock().expect("no holder of this lock can panic");
        buckets.take(key, self.clock.now()).map_err(Refusal::too_fast)
    }
}
