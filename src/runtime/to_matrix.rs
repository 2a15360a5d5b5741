//! Network → Matrix: an envelope becomes an event of the ghost.
//!
//! Decrypt on a copy of the session record, decide, translate, encrypt as the ghost's device, and
//! **one commit**: the advanced record, the spent prekey, the message map, the event and the end
//! of the inbox row. A crash before it repeats everything from the stored ciphertext; a crash after
//! it can only send the same event under the same transaction id.

mod arrival;
mod edit;
mod file;
mod reaction;
mod target;

use ruma::OwnedRoomId;
use serde_json::Value;

use self::{arrival::Arrival, target::Target};
use super::{
    identities::{Identities, Judged},
    media::Mover,
    outcome::Outcome,
    ports::Ports,
    prekeys,
    rooms::Rooms,
    sessions::{OpenFailure, Opened, Sessions},
    speech::Speech,
};
use crate::{
    domain::{
        bridged::{Delivery, Direction, Message, Timestamp},
        ids::{Lane, PortalKey},
        item::{
            InboundMessage, OutboundEvent, OutboundReceipt, OutboundReceiptKind, OutboxItem, Shown,
        },
        limits,
        notice::{Earlier, Notice},
        part::Part,
        text::{self, Incoming},
    },
    port::{
        Failure,
        room_cipher::Plain,
        storage::{Change, InboxRow},
    },
    signal::DecryptError,
};

/// What a message comes to.
enum Effect {
    Nothing,
    /// Not yet.
    Wait {
        until: Timestamp,
    },
    /// These events of the ghost.
    Messages(Vec<Part>),
    /// No message, but these.
    Changes(Vec<Change>),
    /// These events of the ghost, and these changes.
    Both(Vec<Part>, Vec<Change>),
}

/// The path to Matrix.
#[derive(Debug)]
pub(crate) struct ToMatrix {
    ports: Ports,
    rooms: Rooms,
    sessions: Sessions,
    identities: Identities,
    speech: Speech,
    mover: Mover,
}

impl ToMatrix {
    pub(crate) fn new(
        ports: Ports,
        rooms: Rooms,
        sessions: Sessions,
        identities: Identities,
        speech: Speech,
        mover: Mover,
    ) -> Self {
        Self { ports, rooms, sessions, identities, speech, mover }
    }

    /// One message stanza.
    pub(crate) async fn message(
        &self,
        row: &InboxRow,
        key: &PortalKey,
        message: &InboundMessage,
    ) -> Result<Outcome, Failure> {
        let storage = &self.ports.storage;
        let Some(login) = storage.login(&key.login).await? else { return Ok(Outcome::nothing()) };
        let Some(keys) = storage.login_keys(&key.login).await? else {
            return Ok(Outcome::nothing());
        };
        if storage.message_in(key, Direction::ToMatrix, &message.id).await?.is_some() {
            return Ok(Outcome::nothing());
        }
        let arrival = Arrival { login: &login, key, message };
        let Some(ciphertext) = &message.ciphertext else {
            return self.ask_again(&arrival, DecryptError::Malformed).await;
        };
        match self.sessions.open(key, &keys, &message.from, ciphertext).await {
            Ok(opened) => self.show(row, &arrival, opened).await,
            Err(OpenFailure::Duplicate) => Ok(Outcome::nothing()),
            Err(OpenFailure::AskAgain(error)) => self.ask_again(&arrival, error).await,
            Err(OpenFailure::Outside(failure)) => Err(failure),
        }
    }

    async fn show(
        &self,
        row: &InboxRow,
        arrival: &Arrival<'_>,
        opened: Opened,
    ) -> Result<Outcome, Failure> {
        let Opened { plaintext, mut changes, changed } = opened;
        let about = format!("identity/{}", arrival.message.id.0);
        let identity_notice = match self.identities.judge(arrival.key, &changed, &about).await? {
            Judged::GoOn { changes: more, notice } => {
                changes.extend(more);
                notice
            }
            Judged::Held(changes) => {
                return Ok(Outcome::Move { lane: Lane::Held(arrival.key.clone()), changes });
            }
            Judged::Blocked(changes) => return Ok(Outcome::Done(changes)),
        };
        let incoming = text::incoming(&plaintext);
        let target = match incoming.about() {
            Some(id) => self.target(arrival.key, &id).await?,
            None => Target::Unknown,
        };
        if matches!(target, Target::Coming) {
            let until = self.ports.clock.now() + limits::millis(limits::EVENT_WAIT);
            return Ok(Outcome::wait(until));
        }
        if matches!(incoming, Incoming::Malformed) {
            tracing::warn!(row = row.id.0, "a decrypted message is malformed");
        }
        changes.extend(self.speech.readable(arrival.key, &arrival.message.id).await?);
        let effect = self.effect(row, arrival, incoming, &target).await?;
        if let Effect::Wait { until } = effect {
            return Ok(Outcome::wait(until));
        }
        if matches!(effect, Effect::Messages(_) | Effect::Both(..)) {
            self.room(arrival).await?;
        }
        // Whatever the message is: its session has taken the new key, so that this is not said again.
        if let Some(notice) = identity_notice {
            changes.extend(self.speech.to_portal(arrival.key, &notice, &about).await?);
        }
        match effect {
            Effect::Nothing | Effect::Wait { .. } => {}
            Effect::Changes(more) => {
                changes.extend(more);
                changes.push(self.in_map(arrival));
            }
            Effect::Both(parts, more) => {
                changes.extend(self.messages(arrival, &parts).await?);
                changes.extend(more);
                changes.push(self.in_map(arrival));
            }
            Effect::Messages(parts) => {
                changes.extend(self.messages(arrival, &parts).await?);
                changes.push(self.in_map(arrival));
            }
        }
        Ok(Outcome::Done(changes))
    }

    async fn effect(
        &self,
        row: &InboxRow,
        arrival: &Arrival<'_>,
        incoming: Incoming,
        target: &Target,
    ) -> Result<Effect, Failure> {
        let said = |notice: &Notice| Effect::Messages(vec![Part::notice(notice)]);
        Ok(match incoming {
            Incoming::Nothing => Effect::Nothing,
            Incoming::Text(text) => Effect::messages(text.contents(target.event())),
            Incoming::Edit { text, is_caption: true, .. } => {
                return self.caption(arrival, &text, target).await;
            }
            Incoming::Edit { target: id, text, is_caption: false } => {
                return self.edit(arrival, &id, &text, target).await;
            }
            Incoming::Reaction { target: id, emoji } => {
                let room = self.room(arrival).await?;
                let (event, emoji) = (target.event(), emoji.as_deref());
                return self.reaction(arrival, &room, id, event, emoji).await;
            }
            Incoming::Deletion { target: id } if target.theirs().is_some() => {
                let room = self.room(arrival).await?;
                let transaction_id = self.transaction_id("deletion", arrival.key, &id);
                let shown = Some(arrival.shown());
                Effect::Changes(vec![arrival.redaction(&room, id, transaction_id, shown)])
            }
            Incoming::Deletion { .. } => said(&Notice::Earlier(Earlier::DeletedUnknown)),
            Incoming::Media(media) => {
                return self.file(arrival, row.waiting(), &media, target).await;
            }
            Incoming::Told(notice) => said(&notice),
            Incoming::Malformed => said(&Notice::MessageUndecryptable),
        })
    }

    /// The events that show a message. The last one stands for it.
    async fn messages(
        &self,
        arrival: &Arrival<'_>,
        parts: &[Part],
    ) -> Result<Vec<Change>, Failure> {
        let room = self.room(arrival).await?;
        let mut changes = Vec::with_capacity(parts.len() + 1);
        for (number, part) in parts.iter().enumerate() {
            let more = number + 1 < parts.len();
            let shown = Shown { part: more.then(|| number_of(number)), ..arrival.shown() };
            changes.push(self.event(arrival, &room, number, part, shown).await?);
        }
        Ok(changes)
    }

    fn in_map(&self, arrival: &Arrival<'_>) -> Change {
        Change::MessageAdded(Message {
            portal: arrival.key.clone(),
            direction: Direction::ToMatrix,
            remote_id: arrival.message.id.clone(),
            event: None,
            delivery: Delivery::Committed,
            at: self.ports.clock.now(),
        })
    }

    async fn room(&self, arrival: &Arrival<'_>) -> Result<OwnedRoomId, Failure> {
        let Arrival { login, message, .. } = arrival;
        let name = message.display_name.as_deref();
        let portal = self.rooms.ensure_portal(login, &message.from.user, name).await?;
        portal.room.ok_or_else(|| Failure::later("the portal's room does not exist yet"))
    }

    async fn event(
        &self,
        arrival: &Arrival<'_>,
        room: &OwnedRoomId,
        number: usize,
        part: &Part,
        shown: Shown,
    ) -> Result<Change, Failure> {
        let Arrival { login, key, message } = arrival;
        let sender = arrival.sender();
        let readers = [login.person.clone()];
        let plain = Plain { event_type: part.event_type, content: &part.content };
        let content = self.ports.cipher.encrypt(&sender, room, &readers, plain).await?;
        let number = number.to_string();
        let about = ["message", &key.login.0, &key.ghost.0, &message.id.0, &number];
        Ok(arrival.add(OutboxItem::Event(OutboundEvent {
            transaction_id: self.ports.namer.transaction_id(&about),
            sender,
            room: room.clone(),
            event_type: "m.room.encrypted".to_owned(),
            content,
            shows: Some(shown),
        })))
    }

    /// A retry receipt with a fresh prekey of ours; after the last one, a notice.
    async fn ask_again(
        &self,
        arrival: &Arrival<'_>,
        error: DecryptError,
    ) -> Result<Outcome, Failure> {
        let Arrival { login, key, message } = *arrival;
        let asked = self.ports.storage.retries_asked(key, &message.id).await?;
        tracing::warn!(lane = ?key, asked, %error, "a message did not decrypt");
        if asked >= limits::MESSAGE_RETRIES_MAX {
            self.room(arrival).await?;
            return Ok(Outcome::Done(self.speech.unreadable(key, &message.id).await?));
        }
        let prekey = prekeys::one_more(&self.ports, &login.id).await?;
        let receipt = OutboundReceipt {
            login: login.id.clone(),
            to: message.from.clone(),
            messages: vec![message.id.clone()],
            kind: OutboundReceiptKind::Retry {
                count: asked + 1,
                sent_at: message.sent_at,
                prekey: prekey.id(),
            },
        };
        Ok(Outcome::Done(vec![
            Change::PreKeysAdded { login: login.id.clone(), prekeys: vec![prekey] },
            Change::RetryAsked { portal: key.clone(), remote_id: message.id.clone() },
            arrival.add(OutboxItem::Receipt(receipt)),
        ]))
    }
}

fn number_of(part: usize) -> u32 {
    u32::try_from(part).expect("a message has less than four billion parts")
}

impl Effect {
    fn messages(contents: Vec<Value>) -> Self {
        Self::Messages(contents.into_iter().map(Part::message).collect())
    }
}
