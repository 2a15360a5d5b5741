//! The supervised connection of one login: enlist, connect, take in, reconnect with back-off.
//!
//! The network forgets who makes no connection for 30 days (network facts 1.5). Nothing else is to be
//! renewed: a login is kept by being connected, and every one that the network has not ended is
//! connected or tried again within [`limits::RECONNECT_PAUSE_MAX`], whether anybody uses it or not.

mod links;

use std::{sync::Arc, time::Duration};

use ruma::UserId;
use tokio::task::JoinSet;

pub use self::links::{ConnectionState, Links};
use super::{
    blocklist,
    commit::commit,
    consents::Consents,
    hints::Hints,
    intake::{Answer, Intake},
    outbox::Outbox,
    ports::Ports,
    prekeys,
    rooms::bounded_name,
    speech::Speech,
    stop::Stop,
    transition,
    typing::TypingNews,
};
use crate::{
    domain::{
        bridged::{Login, LoginState},
        consent::{Act, Entry, login::LoginEvent},
        ids::{LoginId, PortalKey, RemoteUser},
        item::Destination,
        limits,
        notice::LoginNews,
    },
    port::{
        Failure, NetworkLink, Retry,
        network::{
            ConnectFailure, Connected, Credentials, Inbound, Introduction, LoginKeys, StanzaRef,
        },
        storage::Change,
    },
};

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
    /// When the person wants it: [`Links::rest`] says why not before.
    Rest,
    /// The login is gone.
    End,
}

/// How a connection ended that was served.
enum Ending {
    Closed,
    Replaced,
}

impl Connection {
    pub(crate) async fn run(self: Arc<Self>) {
        let wake = self.links.wake_of(&self.login);
        let mut attempt = 0;
        while !self.stop.begun() {
            let pause = match self.round(&mut attempt).await {
                Ok(Next::Again) => continue,
                Ok(Next::End) => return,
                Ok(Next::Rest) => {
                    attempt = 0;
                    tokio::select! {
                        biased;
                        () = self.stop.soft() => return,
                        () = self.links.rested(&self.login) => continue,
                    }
                }
                Ok(Next::Pause(state)) => self.pause(state, &mut attempt),
                Err(failure) => {
                    let reason = failure.to_string();
                    self.pause(ConnectionState::Waiting { reason }, &mut attempt)
                }
            };
            tokio::select! {
                biased;
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
        if self.is_paused(&login) {
            return self.rest_paused().await;
        }
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
            LoginState::Lapsed => self.rest_lapsed().await,
            LoginState::None => Ok(Next::End),
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
                return self.refused(failure.to_string()).await;
            }
            Err(failure) => return Err(failure),
        };
        let login = self.login.clone();
        let mut changes = vec![Change::LoginEnlisted { login: login.clone(), network_id }];
        // Whoever left meanwhile has left: the next round un-enlists.
        let transition = self.links.transition(&login);
        let _held = transition.lock().await;
        let Some(current) = self.ports.storage.login(&login).await? else { return Ok(Next::End) };
        changes.extend(transition::change(&current, LoginEvent::Enlisted));
        self.ports.storage.commit(changes).await?;
        tracing::info!(login = self.login.0, "enlisted");
        Ok(Next::Again)
    }

    /// The network would not enlist. It is asked again: what it dislikes may be mended, and no connection
    /// of ours costs it more than one now and then.
    async fn refused(&self, reason: String) -> Result<Next, Failure> {
        let transition = self.links.transition(&self.login);
        let _held = transition.lock().await;
        let Some(login) = self.ports.storage.login(&self.login).await? else {
            return Ok(Next::End);
        };
        let change = transition::change(&login, LoginEvent::Refused);
        self.ports.storage.commit(change.into_iter().collect()).await?;
        Ok(Next::Pause(ConnectionState::Refused { reason }))
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
            return self.leave(&login, connected).await;
        }
        if self.is_paused(&login) {
            drop(held);
            connected.link.close().await;
            return Ok(Next::Again);
        }
        *attempt = 0;
        let link = Arc::clone(&connected.link);
        self.links.set(&self.login, ConnectionState::Connected, Some(Arc::clone(&link)));
        drop(held);
        let served = self.serve(connected, &credentials.keys).await;
        link.close().await;
        self.links.set(&self.login, ConnectionState::Connecting, None);
        let ending = served?;
        let held = transition.lock().await;
        let Some(login) = self.ports.storage.login(&self.login).await? else {
            return Ok(Next::End);
        };
        let next = match ending {
            // Who left meanwhile is connected once more, to tell the network.
            Ending::Replaced if login.state == LoginState::Active => {
                self.rest_replaced(&login).await
            }
            Ending::Replaced | Ending::Closed => {
                let reason = "the connection ended".to_owned();
                Ok(Next::Pause(ConnectionState::Waiting { reason }))
            }
        };
        drop(held);
        next
    }

    /// Another connection with the same identity drove ours out. To do the same to it would go on for
    /// ever, so only the person brings ours back. The caller holds the transition.
    async fn rest_replaced(&self, login: &Login) -> Result<Next, Failure> {
        tracing::warn!(login = self.login.0, "replaced by another connection; will not reconnect");
        self.links.rest(&self.login, ConnectionState::Replaced);
        let told = self.told(login, LoginNews::Replaced).await;
        // Whoever cannot be told finds it in `status`.
        let committed = match told {
            Ok(changes) => commit(&self.ports, &self.hints, changes).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = committed {
            tracing::warn!(login = self.login.0, %failure, "could not tell that it was replaced");
        }
        Ok(Next::Rest)
    }

    /// Whoever may no longer use the bridge may still leave.
    fn is_paused(&self, login: &Login) -> bool {
        login.state != LoginState::Leaving && !self.ports.rules.may_use(&login.person)
    }

    /// Until the rules change: whoever changes them holds the transition while they say so.
    async fn rest_paused(&self) -> Result<Next, Failure> {
        let transition = self.links.transition(&self.login);
        let _held = transition.lock().await;
        let login = self.ports.storage.login(&self.login).await?;
        if login.is_some_and(|login| self.is_paused(&login)) {
            self.links.rest(&self.login, ConnectionState::Paused);
            return Ok(Next::Rest);
        }
        Ok(Next::Again)
    }

    /// A login that lapsed before this process began.
    async fn rest_lapsed(&self) -> Result<Next, Failure> {
        let transition = self.links.transition(&self.login);
        let _held = transition.lock().await;
        let login = self.ports.storage.login(&self.login).await?;
        if login.is_some_and(|login| login.state == LoginState::Lapsed) {
            self.links.rest(&self.login, ConnectionState::Lapsed);
            return Ok(Next::Rest);
        }
        Ok(Next::Again)
    }

    /// News of a login in the management room; nothing if there is none, or the bot is no longer in it.
    async fn told(&self, login: &Login, news: LoginNews) -> Result<Vec<Change>, Failure> {
        let about = format!("{}/{news:?}/{}", login.id.0, self.ports.clock.now());
        let speech = Speech::new(self.ports.clone());
        match speech.to_person(&login.person, &news.text(), &about).await {
            Ok(said) => Ok(said.into_iter().collect()),
            Err(failure) if failure.retry == Retry::Never => {
                tracing::warn!(login = self.login.0, %failure, "nobody hears the bot");
                Ok(Vec::new())
            }
            Err(failure) => Err(failure),
        }
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
                tracing::warn!(login = self.login.0, %failure, "not enlisted");
                self.missing(login).await
            }
        }
    }

    fn lapsed(&self, login: &Login) -> Entry {
        Entry {
            person: login.person.clone(),
            login: Some(login.id.clone()),
            ghost: None,
            act: Act::Lapsed,
            text_version: None,
            cause: None,
            at: self.ports.clock.now(),
        }
    }

    /// The network does not know the login. The caller holds the transition.
    async fn missing(&self, login: &Login) -> Result<Next, Failure> {
        let after = login.state.after(LoginEvent::FoundMissing);
        let mut changes: Vec<_> =
            transition::change(login, LoginEvent::FoundMissing).into_iter().collect();
        if after == LoginState::Lapsed {
            changes.push(Change::LedgerAdded(self.lapsed(login)));
            let consents = Consents::new(self.ports.clone(), self.hints.clone());
            let same_text = consents.has_agreed(&login.person).await?;
            changes.extend(self.told(login, LoginNews::Lapsed { same_text }).await?);
        }
        commit(&self.ports, &self.hints, changes).await?;
        Ok(match after {
            LoginState::Lapsed => {
                self.links.rest(&self.login, ConnectionState::Lapsed);
                Next::Rest
            }
            LoginState::None => Next::End,
            LoginState::Enlisting | LoginState::Active | LoginState::Leaving => Next::Again,
        })
    }

    async fn leave(&self, login: &Login, mut connected: Connected) -> Result<Next, Failure> {
        let left = {
            let unenlisted = connected.link.unenlist();
            tokio::pin!(unenlisted);
            loop {
                tokio::select! {
                    biased;
                    left = &mut unenlisted => break left,
                    // Read on, so that the answer can come; nothing of it is acknowledged.
                    Some(_) = connected.inbound.recv() => {}
                }
            }
        };
        connected.link.close().await;
        left?;
        let change = transition::change(login, LoginEvent::UnenlistConfirmed);
        self.ports.storage.commit(change.into_iter().collect()).await?;
        tracing::info!(login = self.login.0, "un-enlisted, keys deleted");
        Ok(Next::End)
    }

    /// Until the connection ends: everything that comes in is durable before it is acknowledged.
    async fn serve(&self, connected: Connected, keys: &LoginKeys) -> Result<Ending, Failure> {
        let Connected { link, mut inbound } = connected;
        let ending = Stop::default();
        let mut tasks = JoinSet::new();
        let to = Destination::Network(self.login.clone());
        let (ports, hints) = (&self.ports, &self.hints);
        let outbox = Outbox::to_network(ports, hints, to, Arc::clone(&link), ending.clone());
        tasks.spawn(outbox.run());
        tasks.spawn(self.refill(Arc::clone(&link), keys.clone(), None));
        let (login, blocking) = (self.login.clone(), Arc::clone(&link));
        let stop = ending.clone();
        tasks.spawn(blocklist::keep(ports.clone(), hints.clone(), login, blocking, stop));
        let ended = loop {
            tokio::select! {
                biased;
                () = self.stop.soft() => break Ok(Ending::Closed),
                received = inbound.recv() => match received {
                    None => break Ok(Ending::Closed),
                    Some(Inbound::Replaced) => break Ok(Ending::Replaced),
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
        let mut attempt = 0;
        loop {
            // Nothing more is read meanwhile: the network keeps what it has.
            let pause = match self.intake.inbound(&self.login, received).await {
                Ok(Answer::Acknowledge) => break,
                Ok(Answer::Later) => limits::INBOX_FULL_PAUSE,
                Err(failure) if failure.is_told() => {
                    attempt += 1;
                    limits::ITEM_BACKOFF.pause(attempt)
                }
                Err(failure) => return Err(failure),
            };
            tokio::select! {
                biased;
                () = self.stop.soft() => return Ok(()),
                () = self.ports.clock.sleep(pause) => {}
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
        Inbound::Typing { .. } | Inbound::PreKeysLow { .. } | Inbound::Replaced => None,
    }
}
