//! Logins: a person comes with their consent, stays connected, and leaves with their keys deleted.

mod coming;
mod contacts;
mod devices;
mod leaving;
mod oversight;
mod report;
mod supervision;

pub use coming::{ReconnectOutcome, StartOutcome};
pub use devices::CompareOutcome;
pub use leaving::LeaveOutcome;
pub use oversight::{Overview, Quota};
pub use report::ReportOutcome;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use ruma::{EventId, UserId};
use tokio_util::task::TaskTracker;

use super::{
    chats::Chats,
    connection::{ConnectionState, Links},
    consents::Consents,
    export::Exports,
    hints::Hints,
    identities::Identities,
    ports::Ports,
    rooms::Rooms,
    stop::Stop,
};
use crate::{
    domain::{
        bridged::Login,
        choices::Choices,
        consent::{Act, Entry},
        ids::LoginId,
        limits,
    },
    port::{Failure, storage::Change},
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
}
