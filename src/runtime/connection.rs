//! The supervised connection of one login: enlist, connect, take in, reconnect with back-off.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use ruma::UserId;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{
    hints::Hints,
    intake::{Answer, Intake},
    outbox::Outbox,
    ports::Ports,
    prekeys,
    rooms::bounded_name,
    stop::Stop,
    typing::TypingNews,
};
use crate::{
    domain::{
        bridged::{Login, LoginState},
        ids::{LoginId, PortalKey, RemoteUser},
        item::Destination,
        limits,
    },
    port::{
        Failure, NetworkLink, Retry,
        network::{
            ConnectFailure, Connected, Credentials, Inbound, Introduction, LoginKeys, StanzaRef,
        },
        storage::Change,
    },
};

/// What a person is told of their connection. The reasons are for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionState {
    #[default]
    Connecting,
    Connected,
    /// Will be tried again.
    Waiting {
        reason: String,
    },
    /// The network said no.
    Refused {
        reason: String,
    },
}

/// The live connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Links {
    // Never held across an await.
    slots: Arc<Mutex<BTreeMap<LoginId, Slot>>>,
}

#[derive(Default)]
struct Slot {
    link: Option<Arc<dyn NetworkLink>>,
    state: watch::Sender<ConnectionState>,
    wake: Arc<Notify>,
    transition: Arc<tokio::sync::Mutex<()>>,
}

impl Links {
    /// The connection of a login, if it has one now.
    pub fn link(&self, login: &LoginId) -> Option<Arc<dyn NetworkLink>> {
        self.with(login, |slot| slot.link.clone())
    }

    pub fn state(&self, login: &LoginId) -> ConnectionState {
        self.with(login, |slot| slot.state.borrow().clone())
    }

    /// To wait for a change of the state.
    pub(crate) fn watch(&self, login: &LoginId) -> watch::Receiver<ConnectionState> {
        self.with(login, |slot| slot.state.subscribe())
    }

    /// Connect now instead of at the end of the back-off: the network says that something waits.
    pub fn wake(&self, login: &LoginId) {
        self.with(login, |slot| slot.wake.notify_one());
    }

    /// Held by whoever reads the state of a login and acts on it, so that nobody who read an older
    /// state undoes that the person left. Never held while the network is asked.
    pub(crate) fn transition(&self, login: &LoginId) -> Arc<tokio::sync::Mutex<()>> {
        self.with(login, |slot| Arc::clone(&slot.transition))
    }

    fn wake_of(&self, login: &LoginId) -> Arc<Notify> {
        self.with(login, |slot| Arc::clone(&slot.wake))
    }

    fn set(&self, login: &LoginId, state: ConnectionState, link: Option<Arc<dyn NetworkLink>>) {
        self.with(login, |slot| {
            slot.link = link;
            slot.state.send_replace(state);
        });
    }

    fn with<T>(&self, login: &LoginId, read: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock().expect("no holder of this lock can panic");
        read(slots.entry(login.clone()).or_default())
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links(…)")
    }
}

/// Keeps one login connected until it is removed or the stop comes.
pub(crate) struct Connection {
    pub(crate) ports: Ports,
    pub(crate) hints: Hints,
    pub(crate) links: Links,
    pub(crate) intake: Intake,
    pub(crate) typing: TypingNews,
    pub(crate) login: LoginId,
    pub(crate) backoff: limits::Backoff,
    pub(crate) stop: Stop,
}

/// What to do after one round.
enum Next {
    /// At once: the state of the login moved on.
    Again,
    /// After a pause.
    Pause(ConnectionState),
    /// The login is gone.
    End,
}

impl Connection {
    pub(crate) async fn run(self: Arc<Self>) {
        let wake = self.links.wake_of(&self.login);
        let mut attempt = 0;
        while !self.stop.begun() {
            let pause = match self.round(&mut attempt).await {
                Ok(Next::Again) => continue,
                Ok(Next::End) => return,
                Ok(Next::Pause(state)) => self.pause(state, &mut attempt),
                Err(failure) => {
                    let reason = failure.to_string();
                    self.pause(ConnectionState::Waiting { reason }, &mut attempt)
                }
            };
            tokio::select! {
                () = self.stop.soft() => return,
                () = wake.notified() => {}
                () = self.ports.clock.sleep(pause) => {}
            }
        }
    }

    fn pause(&self, state: ConnectionState, attempt: &mut u32) -> Duration {
        *attempt = attempt.saturating_add(1);
        let pause = self.backoff.pause(*attempt);
        let after_ms = pause.as_millis();
        tracing::warn!(login = self.login.0, ?state, after_ms, "not connected; will try again");
        self.links.set(&self.login, state, None);
        pause
    }

    async fn round(&self, attempt: &mut u32) -> Result<Next, Failure> {
        let Some(login) = self.ports.storage.login(&self.login).await? else {
            return Ok(Next::End);
        };
        let Some(keys) = self.ports.storage.login_keys(&self.login).await? else {
            return Err(Failure::never("the login has no keys"));
        };
        let credentials = Credentials {
            login: login.id.clone(),
            person: login.person.clone(),
            network_id: login.network_id.clone(),
            keys,
            introduction: self.introduction(&login.person).await?,
        };
        match login.state {
            LoginState::Enlisting => self.enlist(&credentials).await,
            LoginState::Active | LoginState::Leaving => self.connect(&credentials, attempt).await,
        }
    }

    async fn introduction(&self, person: &UserId) -> Result<Introduction, Failure> {
        // A name is no reason to stay away.
        let display_name = match self.ports.homeserver.display_name(person).await {
            Ok(name) => name.map(|name| bounded_name(&name)).filter(|name| !name.is_empty()),
            Err(failure) => {
                tracing::debug!(login = self.login.0, %failure, "could not read the profile");
                None
            }
        };
        let choices = self.ports.storage.choices(&self.login).await?;
        Ok(Introduction { display_name, read_receipts: choices.read_receipts })
    }

    async fn enlist(&self, credentials: &Credentials) -> Result<Next, Failure> {
        let network_id = match self.ports.network.enlist(credentials).await {
            Ok(network_id) => network_id,
            Err(failure) if failure.retry == Retry::Never => {
                let reason = failure.to_string();
                return Ok(Next::Pause(ConnectionState::Refused { reason }));
            }
            Err(failure) => return Err(failure),
        };
        let login = self.login.clone();
        let mut changes = vec![Change::LoginEnlisted { login: login.clone(), network_id }];
        // Whoever left meanwhile has left: the next round un-enlists.
        let transition = self.links.transition(&login);
        let _held = transition.lock().await;
        let current = self.ports.storage.login(&login).await?;
        if current.is_some_and(|current| current.state == LoginState::Enlisting) {
            changes.push(Change::LoginStateSet { login, state: LoginState::Active });
        }
        self.ports.storage.commit(changes).await?;
        tracing::info!(login = self.login.0, "enlisted");
        Ok(Next::Again)
    }

    async fn connect(&self, credentials: &Credentials, attempt: &mut u32) -> Result<Next, Failure> {
        let connected = self.ports.network.connect(credentials).await;
        // The person may have left while the connection was made: whoever leaves from here on finds
        // the link, and who left before is seen here.
        let transition = self.links.transition(&self.login);
        let held = transition.lock().await;
        let Some(login) = self.ports.storage.login(&self.login).await? else {
            return Ok(Next::End);
        };
        let connected = match connected {
            Ok(connected) => connected,
            Err(failure) => return self.not_connected(&login, failure).await,
        };
        tracing::info!(login = self.login.0, "connected");
        if login.state == LoginState::Leaving {
            drop(held);
            return self.leave(connected).await;
        }
        *attempt = 0;
        let link = Arc::clone(&connected.link);
        self.links.set(&self.login, ConnectionState::Connected, Some(Arc::clone(&link)));
        drop(held);
        let served = self.serve(connected, &credentials.keys).await;
        link.close().await;
        self.links.set(&self.login, ConnectionState::Connecting, None);
        served?;
        if self.ports.storage.login(&self.login).await?.is_none() {
            return Ok(Next::End);
        }
        let reason = "the connection ended".to_owned();
        Ok(Next::Pause(ConnectionState::Waiting { reason }))
    }

    async fn not_connected(&self, login: &Login, failure: ConnectFailure) -> Result<Next, Failure> {
        match failure {
            ConnectFailure::Away(failure) => Err(failure),
            ConnectFailure::Untrusted(failure) => {
                tracing::error!(login = self.login.0, %failure, "the server is not to be trusted");
                Err(failure)
            }
            ConnectFailure::Refused(failure) => {
                let reason = failure.to_string();
                Ok(Next::Pause(ConnectionState::Refused { reason }))
            }
            ConnectFailure::NotEnlisted(failure) => {
                tracing::warn!(login = self.login.0, %failure, "no longer enlisted");
                let login_id = login.id.clone();
                let change = match login.state {
                    // Also where the answer to enlisting was lost: nobody who left is enlisted once
                    // more to find out. The network forgets who stays away (network facts 1.5).
                    LoginState::Leaving => Change::LoginRemoved(login_id),
                    LoginState::Active | LoginState::Enlisting => {
                        Change::LoginStateSet { login: login_id, state: LoginState::Enlisting }
                    }
                };
                self.ports.storage.commit(vec![change]).await?;
                Ok(Next::Again)
            }
        }
    }

    async fn leave(&self, mut connected: Connected) -> Result<Next, Failure> {
        let left = {
            let unenlisted = connected.link.unenlist();
            tokio::pin!(unenlisted);
            loop {
                tokio::select! {
                    left = &mut unenlisted => break left,
                    // Read on, so that the answer can come; nothing of it is acknowledged.
                    Some(_) = connected.inbound.recv() => {}
                }
            }
        };
        connected.link.close().await;
        left?;
        self.ports.storage.commit(vec![Change::LoginRemoved(self.login.clone())]).await?;
        tracing::info!(login = self.login.0, "un-enlisted, keys deleted");
        Ok(Next::End)
    }

    /// Until the connection ends: everything that comes in is durable before it is acknowledged.
    async fn serve(&self, connected: Connected, keys: &LoginKeys) -> Result<(), Failure> {
        let Connected { link, mut inbound } = connected;
        let ending = Stop::default();
        let mut tasks = JoinSet::new();
        let to = Destination::Network(self.login.clone());
        let (ports, hints) = (&self.ports, &self.hints);
        let outbox = Outbox::to_network(ports, hints, to, Arc::clone(&link), ending.clone());
        tasks.spawn(outbox.run());
        tasks.spawn(self.refill(Arc::clone(&link), keys.clone(), None));
        let ended = loop {
            tokio::select! {
                () = self.stop.soft() => break Ok(()),
                received = inbound.recv() => match received {
                    None => break Ok(()),
                    Some(Inbound::PreKeysLow { left }) => {
                        tasks.spawn(self.refill(Arc::clone(&link), keys.clone(), Some(left)));
                    }
                    Some(Inbound::Typing { user, typing }) => self.heard_typing(&user, typing),
                    Some(received) => {
                        if let Err(failure) = self.take_in(&*link, &received).await {
                            break Err(failure);
                        }
                    }
                },
            }
        };
        // What is on its way may finish while the connection lasts.
        ending.begin();
        if !self.stop.begun() {
            ending.enforce();
        }
        while tasks.join_next().await.is_some() {}
        ended
    }

    async fn take_in(&self, link: &dyn NetworkLink, received: &Inbound) -> Result<(), Failure> {
        while self.intake.inbound(&self.login, received).await? == Answer::Later {
            tokio::select! {
                () = self.stop.soft() => return Ok(()),
                () = self.ports.clock.sleep(limits::INBOX_FULL_PAUSE) => {}
            }
        }
        if let Inbound::Message { message, .. } = received {
            // Who has sent what they wrote has stopped writing, whether their app says so or not.
            self.heard_typing(&message.from.user, false);
        }
        match stanza(received) {
            Some(stanza) => link.acknowledge(stanza).await,
            None => Ok(()),
        }
    }

    fn heard_typing(&self, user: &RemoteUser, typing: bool) {
        let ghost = self.ports.namer.ghost_key(user);
        self.typing.heard(&PortalKey { login: self.login.clone(), ghost }, typing);
    }

    fn refill(
        &self,
        link: Arc<dyn NetworkLink>,
        keys: LoginKeys,
        left: Option<u32>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (ports, login) = (self.ports.clone(), self.login.clone());
        async move {
            let left = match left {
                Some(left) => Ok(left),
                None => link.prekey_count().await,
            };
            let filled = match left {
                Ok(left) => prekeys::refill(&ports, &*link, &login, &keys, left).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = filled {
                tracing::warn!(login = login.0, %failure, "could not refill one-time prekeys");
            }
        }
    }
}

fn stanza(received: &Inbound) -> Option<&StanzaRef> {
    match received {
        Inbound::Message { stanza, .. }
        | Inbound::Receipt { stanza, .. }
        | Inbound::IdentityChanged { stanza, .. } => Some(stanza),
        Inbound::Typing { .. } | Inbound::PreKeysLow { .. } => None,
    }
}
