//! Leaving: un-enlisted, with the keys deleted; and being forgotten altogether.

use ruma::{EventId, UserId};

use super::Logins;
use crate::{
    domain::{
        bridged::{ActAs, Login, LoginState, Portal},
        consent::{Act, login::LoginEvent},
        ids::LoginId,
    },
    port::{Failure, storage::Change},
    runtime::{commit::commit, transition},
};

/// What became of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveOutcome {
    Left,
    /// The network has not confirmed yet; it goes on by itself.
    StillTrying,
    NotLoggedIn,
}

impl Logins {
    /// Un-enlists and deletes the keys. The ghosts leave the person's rooms, which stay theirs.
    pub async fn leave(
        &self,
        person: &UserId,
        cause: Option<&EventId>,
    ) -> Result<LeaveOutcome, Failure> {
        self.leave_with(person, cause, None).await
    }

    /// The same with a change that belongs into the commit which makes it true.
    pub(super) async fn leave_with(
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

    /// The person wants nothing of them kept. It goes on by itself ([`erase`](crate::runtime::erase)),
    /// whatever is out of reach at the moment, and until it is done nobody logs them in.
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
}
