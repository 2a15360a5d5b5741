//! What an admin sees of other people's logins, and ending one. Never what anybody wrote, to whom, or
//! a phone number.

use ruma::{OwnedUserId, UserId};

use super::{LeaveOutcome, Logins};
use crate::{
    domain::{
        allowance::{Day, DayUsage, Limits},
        bridged::{Login, LoginState, Timestamp},
        notice::Refusal,
        permission::Permission,
    },
    port::Failure,
    runtime::{connection::ConnectionState, speech::Speech},
};

/// What the person of a login that an admin ended is told.
const REVOKED: &str = "An admin of this bridge has ended your connection to WhatsApp. Your keys are \
    deleted; your rooms and what is written in them stay yours. If that surprises you, please ask \
    the operator of this bridge.";

/// How the login of a person stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    pub person: OwnedUserId,
    pub permission: Result<Permission, Refusal>,
    pub state: LoginState,
    pub connection: ConnectionState,
    /// Contacts with whom there is a chat.
    pub chats: usize,
}

/// How much of their limits a person uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub limits: Limits,
    pub today: DayUsage,
    /// Bytes of files that are hosted now, and how many may be.
    pub hosted: (u64, u64),
    pub now: Timestamp,
    pub day_ends_at: Timestamp,
}

impl Logins {
    /// Every login, by its person.
    pub async fn overviews(&self) -> Result<Vec<Overview>, Failure> {
        let mut overviews = Vec::new();
        for login in self.ports.storage.logins().await? {
            overviews.push(self.overview(login).await?);
        }
        overviews.sort_by(|one, other| one.person.cmp(&other.person));
        Ok(overviews)
    }

    /// `None` if the person is not logged in.
    pub async fn overview_of(&self, person: &UserId) -> Result<Option<Overview>, Failure> {
        match self.of(person).await? {
            Some(login) => self.overview(login).await.map(Some),
            None => Ok(None),
        }
    }

    async fn overview(&self, login: Login) -> Result<Overview, Failure> {
        Ok(Overview {
            permission: self.ports.rules.permission(&login.person),
            state: login.state,
            connection: self.state(&login.id),
            chats: self.ports.storage.portals_of(&login.id).await?.len(),
            person: login.person,
        })
    }

    pub async fn quota(&self, person: &UserId) -> Result<Quota, Failure> {
        let now = self.ports.clock.now();
        let day = Day::of(now);
        let hosted = match self.of(person).await? {
            Some(login) => self.ports.storage.hosted_bytes(&login.id).await?,
            None => 0,
        };
        Ok(Quota {
            limits: self.ports.rules.limits(person),
            today: self.ports.storage.day_usage(person, day).await?,
            hosted: (hosted, self.ports.media_rules.quota_bytes),
            now,
            day_ends_at: day.ends_at(),
        })
    }

    /// Ends a login as its person would, and tells them.
    pub async fn revoke(&self, person: &UserId) -> Result<LeaveOutcome, Failure> {
        let Some(login) = self.of(person).await? else { return Ok(LeaveOutcome::NotLoggedIn) };
        let about = format!("revoked/{}", login.id.0);
        let speech = Speech::new(self.ports.clone());
        let told = speech.to_person_if_there(person, REVOKED, &about).await?;
        tracing::warn!(login = login.id.0, "an admin ends a login");
        self.leave_with(person, None, told).await
    }
}
