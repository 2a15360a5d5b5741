//! Logins: a person comes with their consent, stays connected, and leaves with their keys deleted.

mod oversight;
mod report;

pub use oversight::{Overview, Quota};
pub use report::ReportOutcome;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use ruma::{EventId, OwnedRoomId, OwnedUserId, UserId};
use tokio_util::task::TaskTracker;

use super::{
    chats::{Chats, Opened},
    commit::commit,
    connection::{Connection, ConnectionState, Links},
    consents::Consents,
    export::Exports,
    hints::Hints,
    identities::Identities,
    intake::Intake,
    ports::Ports,
    rooms::Rooms,
    speech::Speech,
    stop::Stop,
    transition,
    typing::TypingNews,
};
use crate::{
    domain::{
        bridged::{ActAs, Login, LoginState, Portal},
        choices::Choices,
        consent::{Act, CONSENT_TEXT_VERSION, Entry, login::LoginEvent},
        ids::{GhostKey, LoginId, PortalKey, RemoteUser},
        limits,
        phone::Phone,
        verification::{Answer, Verification},
    },
    port::{
        Failure,
        network::{LoginKeys, Resolved},
        room_cipher::{Fingerprints, PersonDevices},
        storage::Change,
    },
    signal::{OurIdentity, SignedPreKey},
};

/// Starts, finds and ends logins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logins {
    ports: Ports,
    hints: Hints,
    links: Links,
    chats: Chats,
    consents: Consents,
    exports: Exports,
    identities: Identities,
    backoff: limits::Backoff,
    stop: Stop,
    tasks: TaskTracker,
    /// Whose connection is supervised: two of one login would drive each other out for ever. Never
    /// held across an await.
    supervised: Arc<Mutex<BTreeSet<LoginId>>>,
    /// Held from looking for a person's login to adding it: of two sessions of one person that agree at
    /// once, one makes the login and the other finds it.
    arrival: Arc<tokio::sync::Mutex<()>>,
}

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

/// What became of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveOutcome {
    Left,
    /// The network has not confirmed yet; it goes on by itself.
    StillTrying,
    NotLoggedIn,
}

/// What became of the person's word on a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOutcome {
    Said,
    /// There is nothing to compare.
    Nothing,
    /// There are several codes, so it is not clear which is meant; nothing was said.
    Several,
}

impl Logins {
    pub fn new(
        ports: &Ports,
        hints: &Hints,
        links: &Links,
        rooms: &Rooms,
        backoff: limits::Backoff,
        stop: Stop,
    ) -> Self {
        let consents = Consents::new(ports.clone(), hints.clone());
        Self {
            ports: ports.clone(),
            hints: hints.clone(),
            links: links.clone(),
            chats: Chats::new(ports, rooms, &consents),
            consents,
            exports: Exports::new(ports.clone(), hints.clone()),
            identities: Identities::new(ports, hints, links),
            backoff,
            stop,
            tasks: TaskTracker::new(),
            supervised: Arc::default(),
            arrival: Arc::default(),
        }
    }

    /// Connects every login there is.
    pub async fn start_all(&self) -> Result<(), Failure> {
        for login in self.ports.storage.logins().await? {
            self.supervise(login.id);
        }
        Ok(())
    }

    /// Waits until every connection has ended, after the stop.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub async fn of(&self, person: &UserId) -> Result<Option<Login>, Failure> {
        self.ports.storage.login_of(person).await
    }

    pub fn state(&self, login: &LoginId) -> ConnectionState {
        self.links.state(login)
    }

    pub async fn choices(&self, login: &LoginId) -> Result<Choices, Failure> {
        self.ports.storage.choices(login).await
    }

    /// From now on; the network hears of it when the login connects the next time.
    pub async fn choose(&self, login: &LoginId, choices: Choices) -> Result<(), Failure> {
        let login = login.clone();
        self.ports.storage.commit(vec![Change::ChoicesSaved { login, choices }]).await
    }

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

    /// A line of the ledger about the login.
    fn entry(&self, login: &Login, act: Act, cause: Option<&EventId>) -> Entry {
        Entry {
            person: login.person.clone(),
            login: Some(login.id.clone()),
            ghost: None,
            act,
            text_version: None,
            cause: cause.map(EventId::to_owned),
            at: self.ports.clock.now(),
        }
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
            changed = state.wait_for(settled) => { drop(changed); }
            () = self.ports.clock.sleep(limits::CONNECT_WAIT) => {}
        }
        Ok(match self.links.state(login) {
            ConnectionState::Connected => StartOutcome::Connected,
            state => StartOutcome::StillTrying(state),
        })
    }

    /// Un-enlists and deletes the keys. The ghosts leave the person's rooms, which stay theirs.
    pub async fn leave(
        &self,
        person: &UserId,
        cause: Option<&EventId>,
    ) -> Result<LeaveOutcome, Failure> {
        self.leave_with(person, cause, None).await
    }

    /// The same with a change that belongs into the commit which makes it true.
    async fn leave_with(
        &self,
        person: &UserId,
        cause: Option<&EventId>,
        with: Option<Change>,
    ) -> Result<LeaveOutcome, Failure> {
        let Some(login) = self.of(person).await? else { return Ok(LeaveOutcome::NotLoggedIn) };
        if login.state == LoginState::Lapsed {
            // It is removed at once, and nobody knows its rooms afterwards.
            self.leave_rooms(&login.id).await?;
        }
        let Some(login) = self.leaving(&login.id, cause, with).await? else {
            self.links.rouse(&login.id);
            return Ok(LeaveOutcome::Left);
        };
        self.leave_rooms(&login.id).await?;
        let Some(link) = self.links.link(&login.id) else {
            self.links.rouse(&login.id);
            return Ok(LeaveOutcome::StillTrying);
        };
        let left = link.unenlist().await;
        if let Err(failure) = left {
            tracing::warn!(login = login.id.0, %failure, "could not un-enlist; will try again");
            link.close().await;
            return Ok(LeaveOutcome::StillTrying);
        }
        let confirmed = transition::change(&login, LoginEvent::UnenlistConfirmed);
        self.ports.storage.commit(confirmed.into_iter().collect()).await?;
        link.close().await;
        Ok(LeaveOutcome::Left)
    }

    /// The login as it is after the wish to leave; `None` if it is gone.
    async fn leaving(
        &self,
        login: &LoginId,
        cause: Option<&EventId>,
        with: Option<Change>,
    ) -> Result<Option<Login>, Failure> {
        let transition = self.links.transition(login);
        let _held = transition.lock().await;
        let Some(login) = self.ports.storage.login(login).await? else { return Ok(None) };
        let change = transition::change(&login, LoginEvent::LeaveAsked);
        if let Some(change) = change {
            let left = Change::LedgerAdded(self.entry(&login, Act::OptedOut, cause));
            let changes = [left, change].into_iter().chain(with).collect();
            commit(&self.ports, &self.hints, changes).await?;
        }
        let state = login.state.after(LoginEvent::LeaveAsked);
        Ok((state != LoginState::None).then_some(Login { state, ..login }))
    }

    async fn leave_rooms(&self, login: &LoginId) -> Result<(), Failure> {
        for Portal { key, room } in self.ports.storage.portals_of(login).await? {
            let Some(room) = room else { continue };
            let ghost = ActAs::Ghost(key.ghost);
            if let Err(failure) = self.ports.homeserver.leave(&ghost, &room).await {
                tracing::warn!(%room, %failure, "a ghost could not leave a room");
            }
        }
        Ok(())
    }

    /// The person wants nothing of them kept. It goes on by itself ([`erase`](super::erase)), whatever
    /// is out of reach at the moment, and until it is done nobody logs them in.
    pub async fn erase(&self, person: &UserId) -> Result<(), Failure> {
        // Whoever agrees at the same time has agreed before or hears of this.
        let _held = self.arrival.lock().await;
        let (person, at) = (person.to_owned(), self.ports.clock.now());
        self.ports.storage.commit(vec![Change::ErasureAsked { person, at }]).await?;
        self.hints.erasures().notify_one();
        Ok(())
    }

    pub async fn is_being_erased(&self, person: &UserId) -> Result<bool, Failure> {
        Ok(self.ports.storage.erasure_of(person).await?.is_some())
    }

    /// Everything that is kept of a person, for them to take.
    pub fn exports(&self) -> &Exports {
        &self.exports
    }

    /// How the person stands to their contacts, and the memory of it.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// The keys of their contacts, and what they say of them.
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The person's own Matrix devices.
    pub async fn devices_of(&self, person: &UserId) -> Result<PersonDevices, Failure> {
        self.ports.cipher.devices_of(person).await
    }

    /// The person says whether the code that they compare is the same on both sides.
    pub async fn compare(&self, person: &UserId, is_same: bool) -> Result<CompareOutcome, Failure> {
        let comparing = self.ports.cipher.comparing(person);
        // Of several, somebody else may have begun one: a word for all of them would confirm it.
        if is_same && comparing.len() > 1 {
            return Ok(CompareOutcome::Several);
        }
        let answer = if is_same { Answer::Same } else { Answer::Different };
        let mut outcome = CompareOutcome::Nothing;
        for Verification { who, flow, .. } in comparing {
            if self.ports.cipher.answer_verification(&who, person, &flow, answer).await? {
                outcome = CompareOutcome::Said;
            }
        }
        Ok(outcome)
    }

    /// The bot's Matrix keys.
    pub async fn fingerprints(&self) -> Result<Fingerprints, Failure> {
        self.ports.cipher.fingerprints(&ActAs::Bot).await
    }

    /// The ghost that stands for somebody on the network.
    pub fn ghost_of(&self, user: &RemoteUser) -> GhostKey {
        self.ports.namer.ghost_key(user)
    }

    /// The name that a contact gave themselves.
    pub async fn name_of(&self, ghost: &GhostKey) -> Result<Option<String>, Failure> {
        let ghost = self.ports.storage.ghost(ghost).await?;
        Ok(ghost.and_then(|ghost| ghost.display_name))
    }

    /// By what a chat can be named in Matrix: its ghost's id, and its room's.
    pub async fn addresses(&self, portal: &PortalKey) -> Result<Vec<String>, Failure> {
        let ghost = self.ports.homeserver.user_id(&ActAs::Ghost(portal.ghost.clone()));
        let room = self.ports.storage.portal(portal).await?.and_then(|portal| portal.room);
        Ok([ghost.to_string()].into_iter().chain(room.map(|room| room.to_string())).collect())
    }

    /// What a phone number is on the network; `None` while the login is not connected.
    pub async fn resolve(&self, login: &LoginId, phone: &str) -> Result<Option<Resolved>, Failure> {
        match self.links.link(login) {
            Some(link) => link.resolve(phone).await.map(Some),
            None => Ok(None),
        }
    }

    /// The person opens a chat: its room, made when it does not exist, with the person invited. A
    /// contact who is new counts against the person's day, in the commit that approves them.
    pub async fn open_chat(
        &self,
        login: &Login,
        user: &RemoteUser,
        cause: Option<&EventId>,
    ) -> Result<Opened, Failure> {
        self.chats.open(login, user, cause).await
    }

    /// The room of a chat that the person is in already.
    pub async fn joined_chat(
        &self,
        login: &Login,
        user: &RemoteUser,
    ) -> Result<Option<OwnedRoomId>, Failure> {
        self.chats.joined(login, user).await
    }

    /// A phone number as a person typed it, or what is wrong with it in words.
    pub fn read_number(&self, typed: &str) -> Result<Phone, String> {
        Phone::read(typed, self.ports.region).map_err(|wrong| wrong.sentence(self.ports.region))
    }

    /// Connects now whoever the network has something for; `false` if nobody is called so.
    pub async fn wake(&self, person: &OwnedUserId) -> Result<bool, Failure> {
        let login = self.of(person).await?;
        if let Some(login) = &login {
            self.links.wake(&login.id);
        }
        Ok(login.is_some())
    }

    fn supervise(&self, login: LoginId) {
        let supervised = Arc::clone(&self.supervised);
        let begun =
            supervised.lock().expect("no holder of this lock can panic").insert(login.clone());
        if !begun {
            return;
        }
        let connection = Arc::new(Connection {
            intake: Intake::new(self.ports.clone(), self.hints.clone(), &self.links),
            typing: TypingNews::to_matrix(&self.ports),
            ports: self.ports.clone(),
            hints: self.hints.clone(),
            links: self.links.clone(),
            login: login.clone(),
            backoff: self.backoff,
            stop: self.stop.clone(),
        });
        self.tasks.spawn(async move {
            // A panic ends one connection, not the supervision of its login.
            while let Err(ended) = tokio::spawn(Arc::clone(&connection).run()).await {
                tracing::error!(login = login.0, panicked = ended.is_panic(), "a connection broke");
                connection.ports.clock.sleep(connection.backoff.max).await;
            }
            supervised.lock().expect("no holder of this lock can panic").remove(&login);
        });
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
