//! Performs what a person wants to happen when a contact's identity key changes, and what the person
//! says of it afterwards.
//!
//! A Signal step that shows another key is judged before anything of it is committed. What is held is
//! held as the ciphertext that it is, so the step is taken anew after the confirmation.

use ruma::EventId;

use super::{
    commit::commit, connection::Links, consents::Consents, hints::Hints, outcome::Outcome,
    ports::Ports, sessions::Sessions, speech::Speech,
};
use crate::{
    domain::{
        bridged::Login,
        consent::{Act, Admission, ContactEvent, Entry},
        identity::{ChangedKeys, ContactKeys, IdentityPolicy, Verdict},
        ids::{Lane, PortalKey, RemoteUser},
        limits,
        notice::{IdentityNews, Notice},
    },
    port::{
        Failure,
        storage::{Change, InboxRow, SessionKey},
    },
    signal::{self, FingerprintParty, RemoteIdentityKey},
};

/// Judges the keys of contacts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identities {
    ports: Ports,
    hints: Hints,
    links: Links,
    consents: Consents,
    sessions: Sessions,
    speech: Speech,
}

/// What becomes of a Signal step.
#[derive(Debug)]
pub(crate) enum Judged {
    /// Commit it, together with these changes. The notice is for the person.
    GoOn { changes: Vec<Change>, notice: Option<Notice> },
    /// Commit nothing of it but these changes, and hold what it was about.
    Held(Vec<Change>),
    /// Commit nothing of it but these changes.
    Blocked(Vec<Change>),
}

/// What the person and a contact compare.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    /// Sixty digits.
    pub digits: String,
    /// The contact's key that it is made of.
    pub key: RemoteIdentityKey,
    /// Whether the person compared it before.
    pub is_verified: bool,
    /// Whether the key waits for the person's confirmation.
    pub is_pending: bool,
}

impl std::fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SafetyNumber(…)")
    }
}

impl Identities {
    pub(crate) fn new(ports: &Ports, hints: &Hints, links: &Links) -> Self {
        Self {
            ports: ports.clone(),
            hints: hints.clone(),
            links: links.clone(),
            consents: Consents::new(ports.clone(), hints.clone()),
            sessions: Sessions::new(ports.clone()),
            speech: Speech::new(ports.clone()),
        }
    }

    /// What becomes of a step in which these keys are not the known ones. `about` makes the notice of
    /// the same step one.
    pub(crate) async fn judge(
        &self,
        portal: &PortalKey,
        changed: &ChangedKeys,
        about: &str,
    ) -> Result<Judged, Failure> {
        if changed.is_empty() {
            return Ok(Judged::GoOn { changes: Vec::new(), notice: None });
        }
        let policy = self.ports.storage.choices(&portal.login).await?.identity_changes;
        let known = self.ports.storage.contact_keys(portal).await?;
        let verdict = known.verdict(policy, changed);
        let keys = known.after(verdict, changed);
        let was_verified = known.verified.is_some() && keys.verified.is_none();
        let mut changes = Vec::new();
        if keys != known {
            changes.push(Change::ContactKeysSaved { portal: portal.clone(), keys });
        }
        let news = match verdict {
            Verdict::GoOn => return Ok(Judged::GoOn { changes, notice: None }),
            Verdict::Tell => {
                let void = Notice::Identity(IdentityNews::ComparisonVoid);
                let notice = if was_verified { void } else { Notice::IdentityChanged };
                return Ok(Judged::GoOn { changes, notice: Some(notice) });
            }
            Verdict::Hold => IdentityNews::Held { was_verified },
            Verdict::Block => IdentityNews::Blocked { was_verified },
        };
        tracing::warn!(lane = ?portal, ?verdict, "a contact's identity key changed");
        changes.extend(self.speech.to_portal(portal, &Notice::Identity(news), about).await?);
        if verdict == Verdict::Hold {
            return Ok(Judged::Held(changes));
        }
        changes.extend(self.consents.decide(portal, ContactEvent::Blocked, None).await?.changes);
        Ok(Judged::Blocked(changes))
    }

    /// What becomes of an item of a chat whose contact's keys wait for confirmation; `None` if it goes
    /// on.
    pub(crate) async fn instead(&self, portal: &PortalKey) -> Result<Option<Outcome>, Failure> {
        let keys = self.ports.storage.contact_keys(portal).await?;
        if !keys.are_pending() {
            return Ok(None);
        }
        if self.ports.storage.held(portal).await? >= limits::HELD_MESSAGES_MAX {
            let until = self.ports.clock.now() + limits::millis(limits::HELD_WAIT);
            return Ok(Some(Outcome::wait(until)));
        }
        // Affirmed in the same commit: a confirmation meanwhile must not leave it behind.
        let affirmed = Change::ContactKeysSaved { portal: portal.clone(), keys };
        Ok(Some(Outcome::Move { lane: Lane::Held(portal.clone()), changes: vec![affirmed] }))
    }

    /// The network says that a contact's keys changed. Whoever wants no more than to be told is told;
    /// for everybody else the network's word is not enough, so the keys themselves are looked at.
    pub(crate) async fn announced(
        &self,
        row: &InboxRow,
        portal: &PortalKey,
        user: &RemoteUser,
    ) -> Result<Outcome, Failure> {
        let about = format!("identity/{}", row.id.0);
        let policy = self.ports.storage.choices(&portal.login).await?.identity_changes;
        if policy == IdentityPolicy::Notify {
            let said = self.speech.to_portal(portal, &Notice::IdentityChanged, &about).await?;
            return Ok(Outcome::Done(said.into_iter().collect()));
        }
        let Some(link) = self.links.link(&portal.login) else {
            let until = self.ports.clock.now() + limits::millis(limits::LINK_WAIT);
            return Ok(Outcome::wait(until));
        };
        let changed = self.sessions.changed_keys(portal, user, &*link).await?;
        Ok(match self.judge(portal, &changed, &about).await? {
            Judged::GoOn { changes, notice: _ }
            | Judged::Held(changes)
            | Judged::Blocked(changes) => Outcome::Done(changes),
        })
    }

    /// The person trusts the contact's new keys: what waited goes on. `false` if nothing waits for
    /// that.
    pub async fn confirm(
        &self,
        portal: &PortalKey,
        cause: Option<&EventId>,
    ) -> Result<bool, Failure> {
        self.settle(portal, Act::Confirmed, cause, |known| {
            known.are_pending().then(|| known.confirmed())
        })
        .await
    }

    /// The person has compared the safety number of a contact's key.
    pub async fn verified(
        &self,
        portal: &PortalKey,
        key: RemoteIdentityKey,
        cause: Option<&EventId>,
    ) -> Result<(), Failure> {
        self.settle(portal, Act::Verified, cause, |known| Some(known.verified(key))).await?;
        Ok(())
    }

    /// The person has compared it, and it is another one on the other side. Nothing ends by that.
    pub async fn differed(
        &self,
        portal: &PortalKey,
        key: RemoteIdentityKey,
        cause: Option<&EventId>,
    ) -> Result<(), Failure> {
        self.settle(portal, Act::Differed, cause, |known| Some(known.differed(key))).await?;
        Ok(())
    }

    async fn settle(
        &self,
        portal: &PortalKey,
        act: Act,
        cause: Option<&EventId>,
        next: impl Fn(&ContactKeys) -> Option<ContactKeys> + Send,
    ) -> Result<bool, Failure> {
        let storage = &self.ports.storage;
        loop {
            let known = storage.contact_keys(portal).await?;
            let Some(keys) = next(&known) else { return Ok(false) };
            let Some(login) = storage.login(&portal.login).await? else { return Ok(false) };
            let state = storage.contact(portal).await?;
            let (portal_key, at) = (portal.clone(), self.ports.clock.now());
            let mut changes = vec![Change::LedgerAdded(Entry {
                person: login.person,
                login: Some(login.id),
                ghost: Some(portal.ghost.clone()),
                act,
                text_version: None,
                cause: cause.map(EventId::to_owned),
                at,
            })];
            if known.are_pending() && !keys.are_pending() && state.admits() == Admission::Show {
                // Affirmed, so that what is paused or blocked meanwhile stays so.
                let (from, to) = (state, state);
                changes.push(Change::ContactMoved { portal: portal_key.clone(), from, to, at });
                changes.push(Change::HeldReleased(portal_key.clone()));
            }
            changes.push(Change::ContactKeysSaved { portal: portal_key, keys });
            match commit(&self.ports, &self.hints, changes).await {
                Ok(()) => {
                    self.hints.inbox().notify_one();
                    return Ok(true);
                }
                // Somebody else judged or moved the contact meanwhile: decide anew.
                Err(failure)
                    if storage.contact_keys(portal).await? == known
                        && storage.contact(portal).await? == state =>
                {
                    return Err(failure);
                }
                Err(_) => {}
            }
        }
    }

    /// The number to compare with a contact; `None` before there are keys of theirs.
    pub async fn safety_number(
        &self,
        login: &Login,
        portal: &PortalKey,
    ) -> Result<Option<SafetyNumber>, Failure> {
        SafetyNumber::of(&self.ports, login, portal).await
    }
}

impl SafetyNumber {
    /// It is made of the keys of both primary devices and of the network's ids of both sides, as the
    /// network's own apps make theirs within themselves. What they would show for a partner's user is
    /// not published (network facts 1.9), so it serves those who can see the other side's number:
    /// two people who both use a bridge like this one, or their operators.
    pub(crate) async fn of(
        ports: &Ports,
        login: &Login,
        portal: &PortalKey,
    ) -> Result<Option<Self>, Failure> {
        const PRIMARY: u16 = 0;
        let storage = &ports.storage;
        let keys = storage.contact_keys(portal).await?;
        let session = SessionKey { portal: portal.clone(), device: PRIMARY };
        let in_session = storage.session(&session).await?.map(|session| session.identity);
        let pending = keys.pending.get(&PRIMARY).copied();
        let newest = pending.or_else(|| keys.confirmed.get(&PRIMARY).copied()).or(in_session);
        let ours = storage.login_keys(&login.id).await?;
        let contact = storage.ghost(&portal.ghost).await?;
        let (Some(key), Some(ours), Some(us), Some(contact)) =
            (newest, ours, &login.network_id, contact)
        else {
            return Ok(None);
        };
        let our_key = RemoteIdentityKey::from_bytes(ours.identity.public_key());
        let digits = signal::safety_number(
            FingerprintParty { key: our_key, id: us.0.as_bytes() },
            FingerprintParty { key, id: contact.remote.0.as_bytes() },
        );
        let is_verified = keys.verified == Some(key);
        Ok(Some(Self { digits, key, is_verified, is_pending: pending.is_some() }))
    }
}
