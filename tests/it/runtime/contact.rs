//! A person on the network, with real Signal sessions: what they wrote and what they could read.

use std::collections::{BTreeMap, BTreeSet};

use causeway::{
    domain::{
        ids::{RemoteAddress, RemoteMessageId, RemoteUser},
        item::{Envelope, InboundMessage},
        media::IncomingMedia,
        text::{self, Incoming},
    },
    port::network::OurBundle,
    signal::{PreKey, RemoteBundle},
};
use causeway_wire::message;
use ruma::event_id;

use crate::party::Party;

pub(super) const PHONE: &str = "33612345678";
/// The number of somebody who is there and never writes.
pub(super) const SECOND_PHONE: &str = "33611111111";

/// Whom they write to.
const PARTNER: &str = "partner";

pub(super) struct Contact {
    /// The name that they gave themselves.
    pub(super) name: String,
    party: Party,
    /// Message ids that were read, as the app keeps them.
    known: BTreeSet<RemoteMessageId>,
    /// What the app shows, oldest first.
    pub(super) screen: Vec<String>,
    /// Which messages these are.
    on_screen: Vec<RemoteMessageId>,
    /// The partner's reactions to messages, by the message.
    pub(super) reactions: BTreeMap<RemoteMessageId, String>,
    /// The files that the app shows, oldest first.
    pub(super) files: Vec<IncomingMedia>,
    /// What the messages on the screen answer.
    pub(super) answers: Vec<Option<RemoteMessageId>>,
    /// Whether the last envelope could be read.
    pub(super) understood: bool,
    written: u32,
}

impl Contact {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            name: "Anna".to_owned(),
            party: Party::new(seed),
            known: BTreeSet::new(),
            screen: Vec::new(),
            on_screen: Vec::new(),
            reactions: BTreeMap::new(),
            files: Vec::new(),
            answers: Vec::new(),
            understood: true,
            written: 0,
        }
    }

    pub(super) fn user() -> RemoteUser {
        RemoteUser(format!("{PHONE}@s.whatsapp.net"))
    }

    pub(super) fn address() -> RemoteAddress {
        RemoteAddress { user: Self::user(), device: 0 }
    }

    /// Keys for whoever wants to write to this person.
    pub(super) fn bundle(&mut self) -> RemoteBundle {
        self.party.bundle(true)
    }

    /// The app was installed again: new keys, no sessions, an empty screen.
    pub(super) fn reinstall(&mut self, seed: u64) {
        let known = std::mem::take(&mut self.known);
        let written = self.written;
        *self = Self { known, written, ..Self::new(seed) };
    }

    /// Forgets the sessions alone.
    pub(super) fn lose_session(&mut self) {
        self.party.lose_session(PARTNER);
    }

    /// Forgets that a message was read.
    pub(super) fn forget(&mut self, id: &RemoteMessageId) {
        self.known.remove(id);
    }

    /// Reads an envelope; the same id again is not shown again.
    pub(super) fn receive(&mut self, envelope: &Envelope) {
        let ciphertext = &envelope.parts[0].ciphertext;
        if self.known.contains(&envelope.id) {
            return;
        }
        let opened = self.party.open(PARTNER, ciphertext);
        self.understood = opened.is_ok();
        let Ok(plaintext) = opened else { return };
        self.known.insert(envelope.id.clone());
        match text::incoming(&plaintext) {
            Incoming::Text(text) => {
                let answers = text.answers();
                let contents = text.contents(answers.as_ref().map(|_| event_id!("$answered")));
                let bodies = contents.iter().map(|content| content["body"].as_str().unwrap());
                self.screen.push(bodies.collect::<Vec<_>>().join("\n"));
                self.answers.push(answers);
                self.on_screen.push(envelope.id.clone());
            }
            Incoming::Media(media) => self.files.push(*media),
            Incoming::Reaction { target, emoji: Some(emoji) } => {
                self.reactions.insert(target, emoji);
            }
            Incoming::Reaction { target, emoji: None } => {
                self.reactions.remove(&target).expect("a reaction that was there");
            }
            Incoming::Edit { target, text, is_caption: false } => {
                let place = self.place(&target);
                let contents = text.contents(None);
                contents[0]["body"].as_str().unwrap().clone_into(&mut self.screen[place]);
            }
            Incoming::Deletion { target } => {
                let place = self.place(&target);
                self.screen.remove(place);
                self.on_screen.remove(place);
                self.answers.remove(place);
            }
            other => panic!("the bridge sent {other:?}"),
        }
    }

    fn place(&self, id: &RemoteMessageId) -> usize {
        self.on_screen.iter().position(|known| known == id).expect("a message that is shown")
    }

    /// Sends a message to the bridge's person; `theirs` opens a session when there is none.
    pub(super) fn write(
        &mut self,
        encoded: Vec<u8>,
        theirs: &OurBundle,
        prekey: Option<&PreKey>,
    ) -> InboundMessage {
        self.written += 1;
        let id = format!("C{}", self.written);
        self.write_as(&id, encoded, theirs, prekey)
    }

    pub(super) fn write_as(
        &mut self,
        id: &str,
        encoded: Vec<u8>,
        theirs: &OurBundle,
        prekey: Option<&PreKey>,
    ) -> InboundMessage {
        let padded = message::pad(encoded, &mut self.party.rng);
        let ciphertext = self.party.seal(PARTNER, &padded, theirs, prekey);
        InboundMessage {
            id: RemoteMessageId(id.to_owned()),
            from: Self::address(),
            sent_at: 7,
            display_name: Some(self.name.clone()),
            ciphertext: Some(ciphertext),
        }
    }
}
