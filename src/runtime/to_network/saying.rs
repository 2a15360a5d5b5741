//! What an event says to the network: the message for it, with what it refers to looked up.

use std::time::Duration;

use ruma::{EventId, RoomId};

use super::{Parties, ToNetwork};
use crate::{
    domain::{
        allowance::PaceTurn,
        bridged::{ActAs, Direction, Message, Portal, Reaction, Timestamp},
        event::Event,
        ids::{Lane, StorageRef},
        item::{EnvelopeKind, OutboundRedaction, OutboxItem, RawEvent},
        limits,
        notice::{Earlier, Notice},
        outgoing::{
            About, Correction, Outgoing, SentBefore, can_be_deleted, correction, outgoing, quotable,
        },
        text::{NetworkMessage, Quoted},
        waiting::Waiting,
    },
    port::{Failure, homeserver::REDACTION, room_cipher::DecryptFailure, storage::Change},
};

/// A message that is ready to be encrypted, and what else is true once it is sent.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) message: NetworkMessage,
    pub(super) kind: EnvelopeKind,
    pub(super) notices: Vec<Notice>,
    pub(super) changes: Vec<Change>,
    /// The file that the message names.
    pub(super) hosted: Option<Hosted>,
}

/// A file that lies in the store and belongs to a message that is not committed yet.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) name: StorageRef,
    pub(super) change: Change,
}

/// An event and how long something is to be done about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub(super) event: &'a Event,
    pub(super) raw: &'a RawEvent,
    pub(super) waiting: Waiting,
    /// Whether it went out before, and goes out again because a device could not read it.
    pub(super) again: bool,
}

/// What an event comes to.
#[derive(Debug)]
pub(super) enum Said {
    Nothing,
    Refused(Notice),
    /// Look at it again then.
    NotBefore(Timestamp),
    /// The person sent too many within a minute: look at it again then.
    TooFast {
        until: Timestamp,
        notice: Option<Notice>,
    },
    Saying(Box<Saying>),
}

impl Saying {
    pub(super) fn new(message: NetworkMessage, kind: EnvelopeKind, notices: Vec<Notice>) -> Self {
        Self { message, kind, notices, changes: Vec::new(), hosted: None }
    }
}

impl ToNetwork {
    /// Reads an event, whichever way it came, and prepares what it says.
    pub(super) async fn said(
        &self,
        portal: &Portal,
        parties: &Parties,
        heard: Heard<'_>,
    ) -> Result<Said, DecryptFailure> {
        let Heard { event, raw, waiting: _, again } = heard;
        let decided = match event.event_type.as_str() {
            REDACTION => {
                let said = self.redaction(portal, parties, event).await;
                return said.map_err(DecryptFailure::Outside);
            }
            // Matrix clients do not encrypt reactions: their relation would be in the clear anyway.
            "m.reaction" => {
                outgoing(&parties.login.person, &event.sender, &event.event_type, &event.content)
            }
            _ => {
                let decrypted = self.decrypt(&portal.key.ghost, event, raw).await?;
                let (kind, content) = (&decrypted.event_type, &decrypted.content);
                outgoing(&parties.login.person, &decrypted.sender, kind, content)
            }
        };
        let goes_out = !matches!(decided, Outgoing::Nothing | Outgoing::Refused(_));
        if goes_out && !again {
            let (login, rules) = (&parties.login, &self.ports.rules);
            let turn = rules.turn(login, &event.id, self.ports.clock.now());
            if let PaceTurn::Later { until, tell } = turn {
                let limit = rules.limits(&login.person).messages_a_minute;
                let notice = tell.then_some(Notice::TooFast { limit });
                return Ok(Said::TooFast { until, notice });
            }
        }
        let said = match decided {
            Outgoing::Nothing => Ok(Said::Nothing),
            Outgoing::Refused(notice) => Ok(Said::Refused(notice)),
            Outgoing::Text { text, about, notices } => {
                self.text(portal, parties, &event.room, text, &about, notices).await
            }
            Outgoing::Media { media, about, notices } => {
                self.file(portal, parties, heard, *media, &about, notices).await
            }
            Outgoing::Reaction { target, emoji } => {
                self.reaction(portal, parties, event, &target, emoji).await
            }
        };
        said.map_err(DecryptFailure::Outside)
    }

    async fn text(
        &self,
        portal: &Portal,
        parties: &Parties,
        room: &RoomId,
        text: String,
        about: &About,
        mut notices: Vec<Notice>,
    ) -> Result<Said, Failure> {
        let quote = self.answered(portal, parties, room, about, &mut notices).await?;
        if !matches!(about, About::Replaces(_) | About::Recaptions(_)) {
            let message = NetworkMessage::Text { text, quote };
            return Ok(Said::Saying(Box::new(Saying::new(message, EnvelopeKind::Text, notices))));
        }
        let (earlier, can) =
            (self.sent_before(portal, room, about).await?, self.ports.network.capabilities());
        let (chat, at) = (parties.ghost.remote.clone(), self.ports.clock.now());
        Ok(Said::Saying(Box::new(match correction(&text, about, earlier, can) {
            Correction::InPlace(target) => {
                let message = NetworkMessage::Edit { chat, target, text, at };
                Saying::new(message, EnvelopeKind::Edit, notices)
            }
            Correction::Anew { text, notices: told } => {
                notices.extend(told);
                let message = NetworkMessage::Text { text, quote };
                Saying::new(message, EnvelopeKind::Text, notices)
            }
        })))
    }

    /// The message that another is about, if it left and was not refused.
    async fn sent_before(
        &self,
        portal: &Portal,
        room: &RoomId,
        about: &About,
    ) -> Result<Option<SentBefore>, Failure> {
        let Some(event) = about.event() else { return Ok(None) };
        let storage = &self.ports.storage;
        if storage.notice(&portal.key, event.as_str()).await?.is_some() {
            return Ok(None);
        }
        let message = storage.message_by_event(room, event).await?;
        Ok(message.map(|message| self.aged(message)))
    }

    fn aged(&self, message: Message) -> SentBefore {
        let Message { remote_id: id, direction, at, .. } = message;
        SentBefore { id, direction, age: self.ports.clock.now() - at }
    }

    /// What a message is about, and what the person is told if it cannot be said.
    pub(super) async fn answered(
        &self,
        portal: &Portal,
        parties: &Parties,
        room: &RoomId,
        about: &About,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Quoted>, Failure> {
        let Some(event) = about.event() else { return Ok(None) };
        let quote = self.quote(portal, parties, room, event).await?;
        if quote.is_none() && matches!(about, About::Answers(_)) {
            notices.push(Notice::Earlier(Earlier::AnsweredUnknown));
        }
        Ok(quote)
    }

    pub(super) fn not_before(&self, pause: Duration) -> Said {
        Said::NotBefore(self.ports.clock.now() + limits::millis(pause))
    }

    /// `None` if the network does not know the message.
    async fn quote(
        &self,
        portal: &Portal,
        parties: &Parties,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<Quoted>, Failure> {
        let Some(message) = self.ports.storage.message_by_event(room, event).await? else {
            return Ok(None);
        };
        let sender = match message.direction {
            Direction::ToNetwork => parties.login.network_id.as_ref(),
            Direction::ToMatrix => Some(&parties.ghost.remote),
        };
        Ok(Some(Quoted {
            id: message.remote_id,
            sender: sender.cloned(),
            text: self.text_of(portal, room, event).await?,
        }))
    }

    /// The homeserver is the archive: plaintext was never kept.
    async fn text_of(
        &self,
        portal: &Portal,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<String>, Failure> {
        let who = ActAs::Ghost(portal.key.ghost.clone());
        let Some(raw) = self.ports.homeserver.event(&who, room, event).await? else {
            return Ok(None);
        };
        match self.ports.cipher.decrypt(&who, room, &raw).await {
            Ok(decrypted) => Ok(quotable(&decrypted.content)),
            Err(DecryptFailure::Outside(failure)) => Err(failure),
            Err(DecryptFailure::MissingKey | DecryptFailure::Undecryptable(_)) => Ok(None),
        }
    }

    async fn reaction(
        &self,
        portal: &Portal,
        parties: &Parties,
        event: &Event,
        target: &EventId,
        emoji: String,
    ) -> Result<Said, Failure> {
        let storage = &self.ports.storage;
        let Some(target) = storage.message_by_event(&event.room, target).await? else {
            return Ok(Said::Refused(Notice::Earlier(Earlier::ReactedToUnknown)));
        };
        let mut saying = self.react(parties, &target, Some(emoji));
        let remote_id = self.ports.namer.remote_message_id(&event.id);
        let key = &portal.key;
        let earlier = storage.reaction_on(key, Direction::ToNetwork, &target.remote_id).await?;
        // The network has one reaction a person and message; without this, the room would show two.
        if let Some(redacts) = earlier.filter(|earlier| *earlier != remote_id) {
            let about = ["replaced", event.room.as_str(), &redacts.0];
            let redaction = OutboundRedaction {
                sender: ActAs::Ghost(key.ghost.clone()),
                room: event.room.clone(),
                transaction_id: self.ports.namer.transaction_id(&about),
                portal: key.clone(),
                redacts,
                direction: Direction::ToNetwork,
                part: None,
                shows: None,
            };
            let lane = Lane::Portal(key.clone());
            let item = OutboxItem::Redaction(redaction);
            saying.changes.push(Change::OutboxAdded { lane, item });
        }
        saying.changes.push(Change::ReactionSaved(Reaction {
            portal: key.clone(),
            direction: Direction::ToNetwork,
            target: target.remote_id,
            remote_id,
        }));
        Ok(Said::Saying(Box::new(saying)))
    }

    /// A redacted reaction is taken back; a redacted message too, or it stays with the contact, who has
    /// it.
    async fn redaction(
        &self,
        portal: &Portal,
        parties: &Parties,
        event: &Event,
    ) -> Result<Said, Failure> {
        let storage = &self.ports.storage;
        let Some(redacted) = &event.redacts else { return Ok(Said::Nothing) };
        let redacted = storage.message_by_event(&event.room, redacted).await?;
        let ours = |message: &Message| message.direction == Direction::ToNetwork;
        let Some(redacted) = redacted.filter(ours) else { return Ok(Said::Nothing) };
        if event.sender != parties.login.person {
            return Ok(Said::Nothing);
        }
        // The reaction stays the current one: should the contact's app ask for this again, it is found.
        let (key, side) = (&portal.key, redacted.direction);
        let Some(target) = storage.reaction_target(key, side, &redacted.remote_id).await? else {
            let target = redacted.remote_id.clone();
            if !can_be_deleted(&self.aged(redacted), self.ports.network.capabilities()) {
                return Ok(Said::Refused(Notice::Earlier(Earlier::CopyStays)));
            }
            let chat = parties.ghost.remote.clone();
            let message = NetworkMessage::Deletion { chat, target };
            let saying = Saying::new(message, EnvelopeKind::Deletion, Vec::new());
            return Ok(Said::Saying(Box::new(saying)));
        };
        let current = storage.reaction_on(key, side, &target).await?;
        if current != Some(redacted.remote_id) {
            return Ok(Said::Nothing);
        }
        let target = storage.message_by_remote(key, &target).await?;
        Ok(target.map_or(Said::Nothing, |target| {
            Said::Saying(Box::new(self.react(parties, &target, None)))
        }))
    }

    fn react(&self, parties: &Parties, target: &Message, emoji: Option<String>) -> Saying {
        let message = NetworkMessage::Reaction {
            chat: parties.ghost.remote.clone(),
            target: target.remote_id.clone(),
            direction: target.direction,
            emoji,
            at: self.ports.clock.now(),
        };
        Saying::new(message, EnvelopeKind::Reaction, Vec::new())
    }
}
