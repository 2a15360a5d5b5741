//! Everything that is kept of a person, gathered and handed to them: as the file that it is, or
//! encrypted in their management room.

use ruma::{EventId, UserId};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    commit::commit,
    hints::Hints,
    identities::SafetyNumber,
    media::{Mover, NotMoved, Turn},
    ports::Ports,
};
use crate::{
    domain::{
        attachment::EncryptedFile,
        bridged::{ActAs, Contact, Login},
        consent::{Act, Entry},
        export::{
            EXPORT_VERSION, Export, ExportedContact, ExportedLogin, ExportedSafetyNumber,
            KnownContact, Tally, time,
        },
        ids::{Lane, PortalKey},
        item::{OutboundEvent, OutboxItem},
        limits,
    },
    port::{Failure, room_cipher::Plain, storage::Change},
};

/// What the file is called.
const FILE_NAME: &str = "whatsapp-bridge-data.json";

/// Gathers and hands over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Exports {
    ports: Ports,
    hints: Hints,
    mover: Mover,
}

/// What became of the wish for a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportOutcome {
    /// The file is on its way into the management room.
    Sent,
    /// The management room is not encrypted, or there is none.
    NoEncryptedRoom,
    /// Too many files are on their way at the moment.
    Busy,
    /// The homeserver takes no file of that size, or none at all.
    NotTaken,
}

impl Exports {
    pub(crate) fn new(ports: Ports, hints: Hints) -> Self {
        Self { mover: Mover::new(ports.clone()), ports, hints }
    }

    /// The document as a file. It holds phone numbers. `None` if too many files are on their way at the
    /// moment.
    pub async fn file(&self, person: &UserId) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match self.mover.turn() {
            Some(turn) => self.file_in(&turn, person).await.map(Some),
            None => Ok(None),
        }
    }

    /// The whole file is in memory, which is why it takes a turn.
    async fn file_in(&self, _turn: &Turn, person: &UserId) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let document = self.document(person).await?;
        let bytes = serde_json::to_vec_pretty(&document)
            .map_err(|_| Failure::never("the export is no JSON"))?;
        Ok(Zeroizing::new(bytes))
    }

    async fn document(&self, person: &UserId) -> Result<Export, Failure> {
        let storage = &self.ports.storage;
        let ledger = storage.ledger_of(person).await?;
        let meetings = storage.meetings_with(person).await?;
        let mut export = Export {
            version: EXPORT_VERSION,
            made_at: time(self.ports.clock.now()),
            person: person.to_owned(),
            management_room: storage.management_room(person).await?,
            login: None,
            contacts: Vec::new(),
            decisions: Vec::new(),
            messages: Vec::new(),
            hosted_files: Vec::new(),
            counts: Tally::default(),
            rooms: meetings.into_iter().map(|meeting| meeting.room).collect(),
        };
        if let Some(login) = storage.login_of(person).await? {
            self.add_login(&mut export, &login, &ledger).await?;
        }
        export.decisions = ledger.into_iter().map(Into::into).collect();
        Ok(export)
    }

    async fn add_login(
        &self,
        export: &mut Export,
        login: &Login,
        ledger: &[Entry],
    ) -> Result<(), Failure> {
        let storage = &self.ports.storage;
        let agreed = ledger.iter().rev().find(|entry| entry.act == Act::OptedIn);
        let choices = storage.choices(&login.id).await?;
        export.login = Some(ExportedLogin::new(login, choices, agreed.map(|entry| entry.at)));
        for contact in storage.contacts_of(&login.id).await? {
            export.contacts.push(self.contact(login, contact, ledger).await?);
        }
        let messages = storage.messages_of(&login.id, limits::EXPORT_MESSAGES_MAX).await?;
        export.messages = messages.into_iter().map(Into::into).collect();
        let hosted = storage.hosted_of(&login.id).await?;
        export.hosted_files = hosted.into_iter().map(Into::into).collect();
        export.counts = storage.tally(&login.id).await?;
        Ok(())
    }

    async fn contact(
        &self,
        login: &Login,
        contact: Contact,
        ledger: &[Entry],
    ) -> Result<ExportedContact, Failure> {
        let storage = &self.ports.storage;
        let portal = PortalKey { login: login.id.clone(), ghost: contact.ghost.clone() };
        let matrix_id = self.ports.homeserver.user_id(&ActAs::Ghost(contact.ghost.clone()));
        let number = SafetyNumber::of(&self.ports, login, &portal).await?;
        let of_contact = |entry: &&Entry| {
            entry.login.as_ref() == Some(&login.id) && entry.ghost.as_ref() == Some(&contact.ghost)
        };
        let known = KnownContact {
            acts: ledger.iter().filter(of_contact).cloned().collect(),
            safety_number: number.map(
                |SafetyNumber { digits, is_verified, is_pending, .. }| ExportedSafetyNumber {
                    digits,
                    is_verified,
                    is_pending,
                },
            ),
            matrix_id,
            ghost: storage.ghost(&contact.ghost).await?,
            room: storage.portal(&portal).await?.and_then(|portal| portal.room),
            held: storage.held(&portal).await?,
            contact,
        };
        Ok(known.into())
    }

    /// Sends the document as a file that only the person's devices can read. `cause` is the event in
    /// which they asked for it: asked twice in one event, it comes once.
    pub async fn hand_over(
        &self,
        person: &UserId,
        cause: &EventId,
    ) -> Result<ExportOutcome, Failure> {
        let Some(room) = self.ports.storage.management_room(person).await? else {
            return Ok(ExportOutcome::NoEncryptedRoom);
        };
        if !self.ports.homeserver.room_state(&ActAs::Bot, &room).await?.encrypted {
            return Ok(ExportOutcome::NoEncryptedRoom);
        }
        let Some(turn) = self.mover.turn() else { return Ok(ExportOutcome::Busy) };
        let bytes = self.file_in(&turn, person).await?;
        let file = match self.mover.upload_whole(&turn, &ActAs::Bot, &bytes).await {
            Ok(file) => file,
            Err(NotMoved::Later(failure) | NotMoved::SourceAway(failure)) => return Err(failure),
            Err(NotMoved::ForGood(reason)) => {
                tracing::warn!(%reason, "an export could not be uploaded");
                return Ok(ExportOutcome::NotTaken);
            }
        };
        let content = content(&file, bytes.len());
        let plain = Plain { event_type: "m.room.message", content: &content };
        let readers = [person.to_owned()];
        let content = self.ports.cipher.encrypt(&ActAs::Bot, &room, &readers, plain).await?;
        let about = ["export", room.as_str(), cause.as_str()];
        let event = OutboundEvent {
            transaction_id: self.ports.namer.transaction_id(&about),
            sender: ActAs::Bot,
            room: room.clone(),
            event_type: "m.room.encrypted".to_owned(),
            content,
            shows: None,
        };
        let sent = Change::OutboxAdded { lane: Lane::Room(room), item: OutboxItem::Event(event) };
        commit(&self.ports, &self.hints, vec![sent]).await?;
        Ok(ExportOutcome::Sent)
    }
}

fn content(file: &EncryptedFile, size: usize) -> serde_json::Value {
    json!({
        "msgtype": "m.file",
        "body": FILE_NAME,
        "filename": FILE_NAME,
        "file": file.to_json(),
        "info": {"mimetype": "application/json", "size": size},
    })
}
