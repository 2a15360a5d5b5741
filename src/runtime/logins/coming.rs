//! Coming: a person agrees, and is connected; or they want to be connected again.

use ruma::{EventId, UserId};

use super::Logins;
use crate::{
    domain::{
        bridged::{Login, LoginState},
        consent::{Act, CONSENT_TEXT_VERSION, Entry, login::LoginEvent},
        ids::LoginId,
        limits,
    },
    port::{Failure, network::LoginKeys, storage::Change},
    runtime::{connection::ConnectionState, speech::Speech, transition},
    signal::{OurIdentity, SignedPreKey},
};

/// What became of opting in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    Connected,
    /// It goes on by itself; this is how it stands.
    StillTrying(ConnectionState),
    /// The person had agreed before, perhaps a moment ago in another session of theirs: this answer
    /// began nothing.
    Already(ConnectionState),
    /// As many people are logged in as the operator allows; nothing was stored.
    Full,
}

/// What became of the wish to be connected again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconnectOutcome {
    /// Now, or it was all along.
    Connected,
    /// It goes on by itself, unless the state says otherwise.
    StillTrying(ConnectionState),
    /// The network has forgotten the person: they have to agree once more.
    Lapsed,
    Leaving,
    NotLoggedIn,
}

impl Logins {
    /// The person agreed: the consent is stored with the keys that it is for, in one commit.
    /// `cause` is the event in which they said so.
    pub async fn agree(
        &self,
        person: &UserId,
        cause: Option<&EventId>,
    ) -> Result<StartOutcome, Failure> {
        let began = {
            let _held = self.arrival.lock().await;
            if self.is_being_erased(person).await? {
                return Err(Failure::later("everything of the person is being deleted"));
            }
            match self.of(person).await? {
                None if !self.has_room(person).await? => return Ok(StartOutcome::Full),
                None => Ok(self.add(person, cause).await?),
                Some(login) if self.renew(&login, cause).await? => Ok(login.id),
                Some(login) => Err(login.id),
            }
        };
        match began {
            Ok(login) => self.await_connection(&login).await,
            Err(login) => {
                self.await_connection(&login).await?;
                Ok(StartOutcome::Already(self.links.state(&login)))
            }
        }
    }

    /// The caller holds the arrival until the login is added.
    async fn has_room(&self, person: &UserId) -> Result<bool, Failure> {
        let logins = self.ports.storage.logins().await?;
        Ok(self.ports.rules.has_room(person, &logins))
    }

    async fn add(&self, person: &UserId, cause: Option<&EventId>) -> Result<LoginId, Failure> {
        let login = Login {
            id: self.new_id(),
            person: person.to_owned(),
            network_id: None,
            state: LoginState::None.after(LoginEvent::Agreed),
        };
        let (id, keys) = (login.id.clone(), self.new_keys()?);
        let agreed = self.opted_in(&login, cause);
        let added = Change::LoginAdded { login, keys };
        self.ports.storage.commit(vec![agreed, added]).await?;
        self.supervise(id.clone());
        Ok(id)
    }

    /// A login that lapsed is enlisted again, with its keys, rooms and sessions. `false` if it has not
    /// lapsed.
    async fn renew(&self, login: &Login, cause: Option<&EventId>) -> Result<bool, Failure> {
        let transition = self.links.transition(&login.id);
        let _held = transition.lock().await;
        let login = self.ports.storage.login(&login.id).await?;
        let Some((login, renewed)) = login.and_then(|login| {
            let renewed = transition::change(&login, LoginEvent::Agreed)?;
            Some((login, renewed))
        }) else {
            return Ok(false);
        };
        let mut changes = vec![self.opted_in(&login, cause), renewed];
        let speech = Speech::new(self.ports.clone());
        for portal in self.ports.storage.portals_of(&login.id).await? {
            changes.extend(speech.back(&portal.key).await?);
        }
        self.ports.storage.commit(changes).await?;
        self.links.rouse(&login.id);
        self.supervise(login.id);
        Ok(true)
    }

    fn opted_in(&self, login: &Login, cause: Option<&EventId>) -> Change {
        let entry = self.entry(login, Act::OptedIn, cause);
        Change::LedgerAdded(Entry { text_version: Some(CONSENT_TEXT_VERSION), ..entry })
    }

    /// Whether the text that the person agreed to last is the one of now.
    pub async fn has_agreed(&self, person: &UserId) -> Result<bool, Failure> {
        self.consents.has_agreed(person).await
    }

    /// Connects again a login that was replaced, or that waits for its next attempt.
    pub async fn reconnect(&self, person: &UserId) -> Result<ReconnectOutcome, Failure> {
        let Some(login) = self.of(person).await? else { return Ok(ReconnectOutcome::NotLoggedIn) };
        match login.state {
            LoginState::None => return Ok(ReconnectOutcome::NotLoggedIn),
            LoginState::Lapsed => return Ok(ReconnectOutcome::Lapsed),
            LoginState::Leaving => return Ok(ReconnectOutcome::Leaving),
            LoginState::Enlisting | LoginState::Active => {}
        }
        if self.links.link(&login.id).is_none() {
            self.links.rouse(&login.id);
        }
        self.await_connection(&login.id).await?;
        Ok(match self.links.state(&login.id) {
            ConnectionState::Connected => ReconnectOutcome::Connected,
            state => ReconnectOutcome::StillTrying(state),
        })
    }

    async fn await_connection(&self, login: &LoginId) -> Result<StartOutcome, Failure> {
        let mut state = self.links.watch(login);
        let settled = |state: &ConnectionState| match state {
            ConnectionState::Connected
            | ConnectionState::Refused { .. }
            | ConnectionState::Replaced
            | ConnectionState::Lapsed
            | ConnectionState::Paused => true,
            ConnectionState::Connecting | ConnectionState::Waiting { .. } => false,
        };
        tokio::select! {
            biased;
            changed = state.wait_for(settled) => { drop(changed); }
            () = self.ports.clock.sleep(limits::CONNECT_WAIT) => {}
        }
        Ok(match self.links.state(login) {
            ConnectionState::Connected => StartOutcome::Connected,
            state => StartOutcome::StillTrying(state),
        })
    }

    fn new_id(&self) -> LoginId {
        let mut bytes = [0; 8];
        self.ports.entropy.fill(&mut bytes);
        LoginId(hex::encode(bytes))
    }

    fn new_keys(&self) -> Result<LoginKeys, Failure> {
        let mut rng = self.ports.rng();
        let mut noise = [0; 32];
        self.ports.entropy.fill(&mut noise);
        let identity = OurIdentity::generate(&mut rng);
        let now = u64::try_from(self.ports.clock.now()).unwrap_or(0);
        let signed_prekey = SignedPreKey::generate(1, &identity, now, &mut rng)
            .map_err(|error| Failure::never("could not make a signed prekey").because(error))?;
        Ok(LoginKeys { noise, identity, signed_prekey })
    }
}
