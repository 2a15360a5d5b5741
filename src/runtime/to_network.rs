//! Matrix → network: an event of a portal becomes an envelope.
//!
//! Decrypt, decide, translate, encrypt, and **one commit**: the session record, the message map,
//! the envelope and the end of the inbox row. From there a crash can only send identical bytes.

mod file;
mod missing_key;
mod saying;

use self::saying::{Heard, Hosted, Said, Saying};
use super::{
    connection::Links,
    identities::{Identities, Judged},
    media::Mover,
    outcome::Outcome,
    ports::Ports,
    sessions::{Recipient, SealFailure, Sealed, Sessions},
    speech::Speech,
};
use crate::{
    domain::{
        allowance::{Counted, Day, UsedToday},
        bridged::{
            ActAs, Delivery, Direction, Ghost, Login, LoginState, Message, Portal, Timestamp,
        },
        consent::ContactState,
        event::Event,
        ids::{GhostKey, Lane},
        item::{Envelope, EnvelopeKind, EnvelopePart, OutboxItem, RawEvent},
        limits,
        notice::{IdentityNews, Notice},
        text,
        waiting::Waiting,
    },
    port::{
        Failure,
        homeserver::REDACTION,
        network::LoginKeys,
        room_cipher::{DecryptFailure, Decrypted},
        storage::{Change, InboxRow},
    },
};

/// The path from Matrix. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ToNetwork {
    ports: Ports,
    links: Links,
    sessions: Sessions,
    identities: Identities,
    speech: Speech,
    mover: Mover,
}

/// What became of encrypting a message again.
#[derive(Debug)]
pub(crate) enum Again {
    /// Nothing, if it cannot be.
    Done(Vec<Change>),
    /// The contact's keys are not those that the person trusts.
    Stopped(Outcome),
}

/// The parties of a portal, as loaded.
#[derive(Debug)]
pub(crate) struct Parties {
    pub(crate) login: Login,
    pub(crate) keys: LoginKeys,
    pub(crate) ghost: Ghost,
}

impl ToNetwork {
    pub(crate) fn new(
        ports: Ports,
        links: Links,
        sessions: Sessions,
        identities: Identities,
        speech: Speech,
        mover: Mover,
    ) -> Self {
        Self { ports, links, sessions, identities, speech, mover }
    }

    /// One event of a portal's room, not one of ours.
    pub(crate) async fn event(
        &self,
        row: &InboxRow,
        portal: &Portal,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<Outcome, Failure> {
        match event.event_type.as_str() {
            "m.room.encrypted" | "m.reaction" | REDACTION => {}
            "m.room.message" | "m.sticker" => return self.unencrypted(portal, event).await,
            _ => return Ok(Outcome::nothing()),
        }
        let known = self.ports.storage.message_by_event(&event.room, &event.id).await?;
        if known.is_some() {
            return Ok(Outcome::nothing());
        }
        let Some(parties) = self.parties(portal).await? else {
            if event.event_type == REDACTION {
                return Ok(Outcome::nothing());
            }
            return self.refuse(portal, event, &Notice::NotLoggedIn).await;
        };
        if let Err(refusal) = self.ports.rules.permission(&parties.login.person) {
            if event.event_type == REDACTION {
                return Ok(Outcome::nothing());
            }
            return self.refuse(portal, event, &Notice::NotAllowed(refusal)).await;
        }
        let state = self.ports.storage.contact(&portal.key).await?;
        if !state.may_send() {
            if event.event_type == REDACTION {
                return Ok(Outcome::nothing());
            }
            return self.refuse(portal, event, &Notice::WithoutConsent(state)).await;
        }
        if parties.login.state == LoginState::Lapsed {
            return self.await_return(portal).await;
        }
        if let Some(outcome) = self.identities.instead(&portal.key).await? {
            return self.await_confirmation(portal, event, outcome).await;
        }
        if let Some(outcome) = self.behind_others(row, portal, event, raw).await? {
            return Ok(outcome);
        }
        let heard = Heard { event, raw, waiting: row.waiting(), again: false };
        let said = match self.said(portal, &parties, heard).await {
            Ok(said) => said,
            Err(DecryptFailure::MissingKey) => {
                return self.without_key(row, portal, event, raw).await;
            }
            Err(DecryptFailure::Undecryptable(failure)) => {
                tracing::warn!(event = %event.id, %failure, "an event can never be decrypted");
                return self.refuse(portal, event, &Notice::EventUndecryptable).await;
            }
            Err(DecryptFailure::Outside(failure)) => return Err(failure),
        };
        match said {
            Said::Nothing => Ok(Outcome::nothing()),
            Said::Refused(notice) => self.refuse(portal, event, &notice).await,
            Said::NotBefore(until) => self.wait(row, portal, event, until).await,
            Said::TooFast { until, notice } => {
                let changes = match notice {
                    Some(notice) => self.speech.remarked(&portal.key, event, &notice).await?,
                    None => Vec::new(),
                };
                Ok(Outcome::Wait { until, changes })
            }
            Said::Saying(saying) => self.forward(row, portal, &parties, event, *saying).await,
        }
    }

    /// The person is told once that their message waits, if it is for longer than a moment.
    async fn wait(
        &self,
        row: &InboxRow,
        portal: &Portal,
        event: &Event,
        until: Timestamp,
    ) -> Result<Outcome, Failure> {
        let mut changes = Vec::new();
        if row.attempts == limits::PENDING_AFTER_TRIES {
            changes = self.speech.pending(&portal.key, event).await?;
        }
        Ok(Outcome::Wait { until, changes })
    }

    /// Encrypts an event again for one device that could not read it, and has waited for that so
    /// long. A file of it is hosted again, under a fresh key.
    pub(crate) async fn again(
        &self,
        portal: &Portal,
        message: &Message,
        device: u16,
        waiting: Waiting,
    ) -> Result<Again, Failure> {
        let nothing = || Ok(Again::Done(Vec::new()));
        let (Some(room), Some(event_id)) = (&portal.room, &message.event) else {
            return nothing();
        };
        let Some(parties) = self.parties(portal).await? else { return nothing() };
        let who = ActAs::Ghost(portal.key.ghost.clone());
        // The homeserver is the archive: plaintext was never kept.
        let Some(raw) = self.ports.homeserver.event(&who, room, event_id).await? else {
            return nothing();
        };
        let Some(event) = Event::parse(&raw) else { return nothing() };
        let heard = Heard { event: &event, raw: &raw, waiting, again: true };
        let said = match self.said(portal, &parties, heard).await {
            Ok(said) => said,
            Err(DecryptFailure::Outside(failure)) => return Err(failure),
            Err(DecryptFailure::MissingKey | DecryptFailure::Undecryptable(_)) => {
                return nothing();
            }
        };
        let saying = match said {
            Said::Saying(saying) => *saying,
            Said::Nothing | Said::Refused(_) => return nothing(),
            Said::NotBefore(_) | Said::TooFast { .. } => {
                return Err(Failure::later("a file cannot be sent again yet"));
            }
        };
        let link = self.links.link(&portal.key.login);
        let recipient = recipient(portal, &parties, link.as_deref());
        let plaintext = text::network_plaintext(&saying.message, &mut self.ports.rng());
        let sealed = self.sessions.seal_anew(&recipient, device, &plaintext).await;
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(failure) => {
                self.if_sent(saying.hosted, false).await;
                return match failure {
                    SealFailure::Outside(failure) => Err(failure),
                    SealFailure::NoKeys | SealFailure::InvalidKeys => nothing(),
                };
            }
        };
        let about = format!("again/{}", message.remote_id.0);
        let judged = self.identities.judge(&portal.key, &sealed.changed, &about).await;
        let goes_on = matches!(judged, Ok(Judged::GoOn { .. }));
        let hosted = self.if_sent(saying.hosted, goes_on).await;
        let (mut changes, notice) = match judged? {
            Judged::GoOn { changes, notice } => (changes, notice),
            Judged::Held(changes) => {
                let lane = Lane::Held(portal.key.clone());
                return Ok(Again::Stopped(Outcome::Move { lane, changes }));
            }
            Judged::Blocked(changes) => return Ok(Again::Stopped(Outcome::Done(changes))),
        };
        changes.extend(sealed.changes);
        changes.extend(hosted);
        let id = message.remote_id.clone();
        changes.push(envelope(portal, &parties, id, saying.kind, sealed.parts));
        if let Some(notice) = notice {
            // A new phone cannot read the old session: this is how most people hear of it.
            changes.extend(self.speech.to_portal(&portal.key, &notice, &about).await?);
        }
        Ok(Again::Done(changes))
    }

    async fn decrypt(
        &self,
        ghost: &GhostKey,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<Decrypted, DecryptFailure> {
        let who = ActAs::Ghost(ghost.clone());
        match self.ports.cipher.decrypt(&who, &event.room, raw).await {
            Err(DecryptFailure::MissingKey) => {}
            ended => return ended,
        }
        // The homeserver drops to-device messages while we are down; it keeps them for a sync.
        self.ports.cipher.fetch_missed(&who).await.map_err(DecryptFailure::Outside)?;
        self.ports.cipher.decrypt(&who, &event.room, raw).await
    }

    async fn forward(
        &self,
        row: &InboxRow,
        portal: &Portal,
        parties: &Parties,
        event: &Event,
        saying: Saying,
    ) -> Result<Outcome, Failure> {
        let Some(link) = self.links.link(&portal.key.login) else {
            let until = self.ports.clock.now() + limits::millis(limits::LINK_WAIT);
            self.if_sent(saying.hosted, false).await;
            return self.wait(row, portal, event, until).await;
        };
        let recipient = recipient(portal, parties, Some(&*link));
        let plaintext = text::network_plaintext(&saying.message, &mut self.ports.rng());
        let sealed = self.sessions.seal(&recipient, &plaintext).await;
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(failure) => {
                self.if_sent(saying.hosted, false).await;
                return self.not_sealed(portal, event, failure).await;
            }
        };
        let about = format!("identity/{}", event.id);
        let judged = self.identities.judge(&portal.key, &sealed.changed, &about).await;
        let goes_on = matches!(judged, Ok(Judged::GoOn { .. }));
        let hosted = self.if_sent(saying.hosted, goes_on).await;
        let (judged, identity_notice) = match judged? {
            Judged::GoOn { changes, notice } => (changes, notice),
            Judged::Held(changes) => {
                let held = Outcome::Move { lane: Lane::Held(portal.key.clone()), changes };
                return self.await_confirmation(portal, event, held).await;
            }
            Judged::Blocked(mut changes) => {
                let notice = Notice::WithoutConsent(ContactState::Blocked);
                changes.extend(self.speech.refused(&portal.key, event, &notice).await?);
                return Ok(Outcome::Done(changes));
            }
        };
        let Sealed { parts, mut changes, changed: _ } = sealed;
        changes.extend(judged);
        changes.extend(hosted.as_ref().and_then(|hosted| counted(parties, hosted)));
        changes.extend(hosted);
        let remote_id = self.ports.namer.remote_message_id(&event.id);
        changes.push(Change::MessageAdded(Message {
            portal: portal.key.clone(),
            direction: Direction::ToNetwork,
            remote_id: remote_id.clone(),
            event: Some(event.id.clone()),
            delivery: Delivery::Committed,
            at: self.ports.clock.now(),
        }));
        changes.push(envelope(portal, parties, remote_id, saying.kind, parts));
        changes.extend(saying.changes);
        let mut notices = saying.notices;
        notices.extend(identity_notice);
        for notice in &notices {
            changes.extend(self.speech.remarked(&portal.key, event, notice).await?);
        }
        Ok(Outcome::Done(changes))
    }

    async fn not_sealed(
        &self,
        portal: &Portal,
        event: &Event,
        failure: SealFailure,
    ) -> Result<Outcome, Failure> {
        match failure {
            SealFailure::NoKeys => self.refuse(portal, event, &Notice::ContactWithoutKeys).await,
            SealFailure::InvalidKeys => {
                self.refuse(portal, event, &Notice::ContactKeysInvalid).await
            }
            SealFailure::Outside(failure) => Err(failure),
        }
    }

    /// What the person wrote waits with what the contact wrote; they are told.
    async fn await_confirmation(
        &self,
        portal: &Portal,
        event: &Event,
        outcome: Outcome,
    ) -> Result<Outcome, Failure> {
        let Outcome::Move { lane, mut changes } = outcome else { return Ok(outcome) };
        if event.event_type != REDACTION {
            let notice = Notice::Identity(IdentityNews::Waits);
            changes.extend(self.speech.remarked(&portal.key, event, &notice).await?);
        }
        Ok(Outcome::Move { lane, changes })
    }

    /// What is to be committed with a message that names a hosted file; of one that is not sent, the
    /// file is removed.
    async fn if_sent(&self, hosted: Option<Hosted>, is_sent: bool) -> Option<Change> {
        let Hosted { name, change } = hosted?;
        if is_sent {
            return Some(change);
        }
        self.mover.unhost(&name).await;
        None
    }

    /// The person must agree once more before anything of theirs goes out. They are told once a room.
    async fn await_return(&self, portal: &Portal) -> Result<Outcome, Failure> {
        let changes = self.speech.lapsed(&portal.key).await?;
        let until = self.ports.clock.now() + limits::millis(limits::LAPSED_WAIT);
        Ok(Outcome::Wait { until, changes })
    }

    async fn unencrypted(&self, portal: &Portal, event: &Event) -> Result<Outcome, Failure> {
        let who = ActAs::Ghost(portal.key.ghost.clone());
        let room = self.ports.homeserver.room_state(&who, &event.room).await?;
        let notice =
            if room.encrypted { Notice::UnencryptedMessage } else { Notice::UnencryptedRoom };
        self.refuse(portal, event, &notice).await
    }

    async fn refuse(
        &self,
        portal: &Portal,
        event: &Event,
        notice: &Notice,
    ) -> Result<Outcome, Failure> {
        Ok(Outcome::Done(self.speech.refused(&portal.key, event, notice).await?))
    }

    /// `None` unless the login may write. One that is being enlisted (again) may, once it is
    /// connected.
    async fn parties(&self, portal: &Portal) -> Result<Option<Parties>, Failure> {
        let storage = &self.ports.storage;
        let login = storage.login(&portal.key.login).await?;
        let Some(login) = login.filter(|login| login.state != LoginState::Leaving) else {
            return Ok(None);
        };
        let keys = storage.login_keys(&login.id).await?;
        let ghost = storage.ghost(&portal.key.ghost).await?;
        Ok(keys.zip(ghost).map(|(keys, ghost)| Parties { login, keys, ghost }))
    }
}

fn recipient<'a>(
    portal: &'a Portal,
    parties: &'a Parties,
    link: Option<&'a dyn crate::port::NetworkLink>,
) -> Recipient<'a> {
    Recipient { portal: &portal.key, user: &parties.ghost.remote, keys: &parties.keys, link }
}

/// What a file that was hosted uses up of the person's day.
fn counted(parties: &Parties, hosted: &Change) -> Option<Change> {
    let Change::MediaHosted(media) = hosted else { return None };
    let (person, day) = (parties.login.person.clone(), Day::of(media.hosted_at));
    let (what, amount) = (Counted::MediaBytes, media.length);
    Some(Change::DayUsageAdded(UsedToday { person, day, what, amount }))
}

fn envelope(
    portal: &Portal,
    parties: &Parties,
    id: crate::domain::ids::RemoteMessageId,
    kind: EnvelopeKind,
    parts: Vec<EnvelopePart>,
) -> Change {
    let login = portal.key.login.clone();
    let item = Envelope { login, id, to: parties.ghost.remote.clone(), kind, parts };
    Change::OutboxAdded { lane: Lane::Portal(portal.key.clone()), item: OutboxItem::Envelope(item) }
}
