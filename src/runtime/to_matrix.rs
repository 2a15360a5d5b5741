//! Network → Matrix: an envelope becomes an event of the ghost.
//!
//! Decrypt on a copy of the session record, decide, translate, encrypt as the ghost's device, and
//! **one commit**: the advanced record, the spent prekey, the message map, the event and the end
//! of the inbox row. A crash before it repeats everything from the stored ciphertext; a crash after
//! it can only send the same event under the same transaction id.

use ruma::OwnedRoomId;

use super::{
    outcome::Outcome,
    ports::Ports,
    prekeys,
    rooms::Rooms,
    sessions::{OpenFailure, Opened, Sessions},
    speech::Speech,
};
use crate::{
    domain::{
        bridged::{ActAs, Delivery, Direction, Login, Message},
        ids::{Lane, PortalKey},
        item::{
            InboundMessage, OutboundEvent, OutboundReceipt, OutboundReceiptKind, OutboxItem, Shown,
        },
        limits,
        notice::Notice,
        text::{self, Incoming},
    },
    port::{
        Failure,
        room_cipher::Plain,
        storage::{Change, InboxRow},
    },
    signal::DecryptError,
};

/// The path to Matrix.
#[derive(Debug)]
pub(crate) struct ToMatrix {
    ports: Ports,
    rooms: Rooms,
    sessions: Sessions,
    speech: Speech,
}

impl ToMatrix {
    pub(crate) fn new(ports: Ports, rooms: Rooms, sessions: Sessions, speech: Speech) -> Self {
        Self { ports, rooms, sessions, speech }
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
        let known = storage.message_by_remote(key, &message.id).await?;
        if known.is_some_and(|known| known.direction == Direction::ToMatrix) {
            return Ok(Outcome::nothing());
        }
        let Some(ciphertext) = &message.ciphertext else {
            return self.ask_again(&login, key, message, DecryptError::Malformed).await;
        };
        match self.sessions.open(key, &keys, &message.from, ciphertext).await {
            Ok(opened) => self.show(row, &login, key, message, opened).await,
            Err(OpenFailure::Duplicate) => Ok(Outcome::nothing()),
            Err(OpenFailure::AskAgain(error)) => self.ask_again(&login, key, message, error).await,
            Err(OpenFailure::Outside(failure)) => Err(failure),
        }
    }

    async fn show(
        &self,
        row: &InboxRow,
        login: &Login,
        key: &PortalKey,
        message: &InboundMessage,
        opened: Opened,
    ) -> Result<Outcome, Failure> {
        let Opened { plaintext, mut changes, identity_changed } = opened;
        let contents = match text::incoming(&plaintext) {
            Incoming::Nothing => return Ok(Outcome::Done(changes)),
            Incoming::Text(contents) => contents,
            Incoming::NotShown { kind } => vec![notice(&Notice::MessageKindNotShown { kind })],
            Incoming::Malformed => {
                tracing::warn!(row = row.id.0, "a decrypted message is malformed");
                vec![notice(&Notice::MessageUndecryptable)]
            }
        };
        let room = self.room(login, message).await?;
        let mut all = Vec::with_capacity(contents.len() + 1);
        if identity_changed {
            all.push(notice(&Notice::IdentityChanged));
        }
        all.extend(contents);
        let last = all.len() - 1;
        for (part, content) in all.iter().enumerate() {
            let shown = (part == last).then(|| Shown {
                login: login.id.clone(),
                from: message.from.clone(),
                id: message.id.clone(),
            });
            changes.push(self.event(login, key, &room, message, part, content, shown).await?);
        }
        changes.push(Change::MessageAdded(Message {
            portal: key.clone(),
            direction: Direction::ToMatrix,
            remote_id: message.id.clone(),
            event: None,
            delivery: Delivery::Committed,
            at: self.ports.clock.now(),
        }));
        Ok(Outcome::Done(changes))
    }

    async fn room(&self, login: &Login, message: &InboundMessage) -> Result<OwnedRoomId, Failure> {
        let name = message.display_name.as_deref();
        let portal = self.rooms.ensure_portal(login, &message.from.user, name).await?;
        portal.room.ok_or_else(|| Failure::later("the portal's room does not exist yet"))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event, used once")]
    async fn event(
        &self,
        login: &Login,
        key: &PortalKey,
        room: &OwnedRoomId,
        message: &InboundMessage,
        part: usize,
        content: &serde_json::Value,
        shows: Option<Shown>,
    ) -> Result<Change, Failure> {
        let sender = ActAs::Ghost(key.ghost.clone());
        let readers = [login.person.clone()];
        let plain = Plain { event_type: "m.room.message", content };
        let content = self.ports.cipher.encrypt(&sender, room, &readers, plain).await?;
        let part = part.to_string();
        let about = ["message", &key.login.0, &key.ghost.0, &message.id.0, &part];
        let event = OutboundEvent {
            transaction_id: self.ports.namer.transaction_id(&about),
            sender,
            room: room.clone(),
            event_type: "m.room.encrypted".to_owned(),
            content,
            shows,
        };
        Ok(Change::OutboxAdded { lane: Lane::Portal(key.clone()), item: OutboxItem::Event(event) })
    }

    /// A retry receipt with a fresh prekey of ours; after the last one, a notice.
    async fn ask_again(
        &self,
        login: &Login,
        key: &PortalKey,
        message: &InboundMessage,
        error: DecryptError,
    ) -> Result<Outcome, Failure> {
        let asked = self.ports.storage.retries_asked(key, &message.id).await?;
        tracing::warn!(lane = ?key, asked, %error, "a message did not decrypt");
        if asked >= limits::MESSAGE_RETRIES_MAX {
            self.room(login, message).await?;
            let about = format!("undecryptable/{}", message.id.0);
            let said = self.speech.to_portal(key, &Notice::MessageUndecryptable, &about).await?;
            return Ok(Outcome::Done(said.into_iter().collect()));
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
        let lane = Lane::Portal(key.clone());
        Ok(Outcome::Done(vec![
            Change::PreKeysAdded { login: login.id.clone(), prekeys: vec![prekey] },
            Change::RetryAsked { portal: key.clone(), remote_id: message.id.clone() },
            Change::OutboxAdded { lane, item: OutboxItem::Receipt(receipt) },
        ]))
    }
}

fn notice(notice: &Notice) -> serde_json::Value {
    serde_json::json!({"msgtype": "m.notice", "body": notice.text()})
}
