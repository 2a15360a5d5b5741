//! The adapter to the interop network: enlistment, the identity token, the chat connection.
//!
//! It turns what the ports ask into the network's words and the network's words into the domain's
//! items. It must not know Matrix rooms, storage or what the bridge decides; what is not public about
//! the network stands in [`NetworkProfile`] and nowhere else. No number, JID or token of a person
//! reaches its logs or errors.

mod connection;
mod enlist;
mod entropy;
mod handshake;
mod http;
mod inbound;
mod link;
mod media;
mod profile;
mod push;
mod requests;
#[cfg(test)]
mod tests;
mod token;
mod transport;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use causeway_wire::{
    jid::{Jid, Server},
    noise::KeyPair,
    payload::InteropLogin,
    stanza::{Personal, Query},
};
use ruma::UserId;
use serde_json::Value;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::{
    connection::{Connection, Parts},
    entropy::Random,
    handshake::Hello,
    link::Link,
    push::PushVerifier,
    token::IdentityToken,
};
pub use self::{
    profile::{
        BlocklistForm, FanOut, JidForm, Lookup, NetworkProfile, Patience, PushProof, ReportForm,
        TokenClaims, Unenlist, Version,
    },
    token::{TokenKey, TokenKeys},
};
use crate::{
    domain::{
        bridged::Timestamp,
        capability::Capabilities,
        ids::{LoginId, RemoteUser, StorageRef},
        phone::Phone,
    },
    port::{
        Clock, Entropy, Failure, InteropNetwork,
        media::{Download, MediaFailure},
        network::{ConnectFailure, Connected, Credentials, RemoteFile},
    },
};

/// An ordinary client says that it is active, or the network holds back what waits for it. Whether
/// partners need it is not public, so a refusal is no reason to leave. The answer comes after
/// everything that the network sends at once, and that is read only once the caller has the
/// connection: waiting for it here would wait for ever behind a full mailbox.
async fn go_active(connection: Arc<Connection>, login: LoginId) {
    match connection.ask(Query::SetActive(true)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(login = login.0, code = error.code, "the network has no active mode");
        }
        Err(failure) => tracing::debug!(login = login.0, %failure, "could not go active"),
    }
}

/// The interop network, as one profile describes it.
pub struct Interop {
    profile: Arc<NetworkProfile>,
    /// Never held across an await.
    keys: RwLock<Arc<TokenKeys>>,
    http: reqwest::Client,
    /// For files alone: it has no time limit on the whole.
    media: reqwest::Client,
    push: PushVerifier,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Interop {
    /// Nothing is connected yet. `keys` sign the identity tokens of everyone.
    pub fn new(
        profile: NetworkProfile,
        keys: impl Into<TokenKeys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Failure> {
        let http = http::client(profile.patience.request)?;
        let media = http::media_client(profile.patience.connect)?;
        let push = PushVerifier::new(http.clone(), profile.push.clone());
        let keys = RwLock::new(Arc::new(keys.into()));
        Ok(Self { profile: Arc::new(profile), keys, http, media, push, clock, entropy })
    }

    /// From now on these are published, and sign.
    pub fn use_token_keys(&self, keys: TokenKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn token_keys(&self) -> Arc<TokenKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn token(&self, person: &UserId, now: Timestamp) -> Result<IdentityToken, Failure> {
        self.token_keys().signing().sign(person.as_str(), &self.profile.token, now)
    }

    async fn open(&self, who: &Credentials, me: Jid) -> Result<Connected, ConnectFailure> {
        let now = self.clock.now();
        let payload = self.payload(who, &me, now).map_err(ConnectFailure::Refused)?;
        let (mut reader, mut writer) =
            transport::dial(&self.profile).await.map_err(ConnectFailure::Away)?;
        let hello = Hello {
            static_keys: KeyPair::from_private(who.keys.noise),
            payload: &payload,
            now_s: u64::try_from(now.div_euclid(1_000)).unwrap_or_default(),
        };
        let mut random = Random(self.entropy.as_ref());
        let (sealer, opener) =
            handshake::log_in(&self.profile, hello, &mut random, &mut reader, &mut writer).await?;
        let (connection, inbound) = Connection::start(Parts {
            login: who.login.clone(),
            me,
            form: self.profile.jid_form,
            patience: self.profile.patience,
            clock: self.clock.clone(),
            id_prefix: self.id_prefix(),
            reader,
            writer,
            sealer,
            opener,
        });
        let link = Link::new(connection.clone(), self.profile.clone());
        tokio::spawn(go_active(connection, who.login.clone()));
        Ok(Connected { link: Arc::new(link), inbound })
    }

    /// The client payload with a fresh token: a token outlives one login by little.
    fn payload(
        &self,
        who: &Credentials,
        me: &Jid,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let account = match me.server() {
            Server::Interop(_) => me.user().parse().ok(),
            Server::Phone | Server::Lid | Server::Other(_) => None,
        };
        let account = account
            .ok_or_else(|| Failure::never("the login's network id is no interop account"))?;
        let token = self.token(&who.person, now)?;
        let login = InteropLogin {
            account,
            token: token.as_str().as_bytes().to_vec(),
            read_receipts: self.profile.read_receipts && who.introduction.read_receipts,
            push_name: who.introduction.display_name.clone().map(Personal),
            version: self.profile.protocol_version,
        };
        login
            .encode()
            .map(Zeroizing::new)
            .map_err(|error| Failure::never("the login cannot be written").because(error))
    }

    fn id_prefix(&self) -> String {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        format!("{:08x}", u32::from_be_bytes(bytes))
    }
}

#[async_trait]
impl InteropNetwork for Interop {
    async fn enlist(&self, who: &Credentials) -> Result<RemoteUser, Failure> {
        let token = self.token(&who.person, self.clock.now())?;
        let noise_public = KeyPair::from_private(who.keys.noise).public();
        let url = &self.profile.enlist_url;
        enlist::enlist(&self.http, url, noise_public, &who.keys, &token).await
    }

    async fn connect(&self, who: &Credentials) -> Result<Connected, ConnectFailure> {
        let not_enlisted = |text| ConnectFailure::NotEnlisted(Failure::never(text));
        let network_id = who.network_id.as_ref();
        let network_id = network_id.ok_or_else(|| not_enlisted("the login has no network id"))?;
        let me = network_id.0.parse().map_err(|_| not_enlisted("the network id is damaged"))?;
        timeout(self.profile.patience.connect, self.open(who, me)).await.unwrap_or_else(|_| {
            Err(ConnectFailure::Away(Failure::later("connecting took too long")))
        })
    }

    fn key_set(&self) -> Value {
        self.token_keys().key_set()
    }

    async fn verify_push(&self, bearer: &str, now: Timestamp) -> Result<(), Failure> {
        self.push.verify(bearer, now).await
    }

    async fn download_media(&self, from: &RemoteFile) -> Result<Download, MediaFailure> {
        media::download(&self.media, &self.profile, from).await
    }

    fn user_of_phone(&self, phone: &Phone) -> RemoteUser {
        let jid = Jid::phone(phone.digits()).expect("a phone number is digits");
        RemoteUser(jid.to_string())
    }

    fn hosted_path(&self, name: &StorageRef) -> String {
        media::hosted_path(self.profile.integrator_id, name)
    }

    fn capabilities(&self) -> Capabilities {
        let NetworkProfile { edits, deletes: deletions, .. } = *self.profile;
        Capabilities { edits, deletions }
    }
}

impl fmt::Debug for Interop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, keys, http: _, media: _, push: _, clock: _, entropy: _ } = self;
        f.debug_struct("Interop")
            .field("profile", profile)
            .field("keys", keys)
            .finish_non_exhaustive()
    }
}
