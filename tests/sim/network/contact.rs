//! A contact's device: true Signal sessions, what it shows, and what it asks for again.

use std::collections::{BTreeMap, BTreeSet};

use causeway::{
    domain::{
        ids::{LoginId, RemoteAddress, RemoteMessageId, RemoteUser},
        item::{Envelope, InboundMessage, InboundReceipt, InboundReceiptKind},
        limits,
        text::{self, Incoming},
    },
    port::network::OurBundle,
    signal::{PreKey, RemoteBundle},
};
use causeway_wire::message;
use ruma::event_id;

use crate::party::Party;

pub(crate) struct Contact {
    pub(crate) user: RemoteUser,
    party: Party,
    sessions: BTreeSet<LoginId>,
    /// What was read, as the app keeps it.
    known: BTreeSet<(LoginId, RemoteMessageId)>,
    /// What the app shows of each login, oldest first.
    pub(crate) screen: BTreeMap<LoginId, Vec<String>>,
    /// Which texts answer which ones of the contact.
    pub(crate) answers: BTreeMap<String, String>,
    /// How often each message was asked for again.
    asked: BTreeMap<(LoginId, RemoteMessageId), u32>,
    /// The texts of messages that had to be asked for again, once they came.
    pub(crate) came_late: BTreeSet<String>,
    /// What was written, by message id.
    texts: BTreeMap<RemoteMessageId, String>,
    /// The texts that the bridge asked for again.
    pub(crate) sent_again: BTreeSet<String>,
    written: u32,
}

impl Contact {
    pub(super) fn new(seed: u64, user: RemoteUser) -> Self {
        Self {
            user,
            party: Party::new(seed),
            sessions: BTreeSet::new(),
            known: BTreeSet::new(),
            screen: BTreeMap::new(),
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            came_late: BTreeSet::new(),
            texts: BTreeMap::new(),
            sent_again: BTreeSet::new(),
            written: 0,
        }
    }

    pub(super) fn bundle(&mut self, is_stocked: bool) -> RemoteBundle {
        self.party.bundle(is_stocked)
    }

    /// Whether the next message opens a session.
    pub(super) fn needs_keys(&self, login: &LoginId) -> bool {
        !self.sessions.contains(login)
    }

    /// How often a message was asked for again.
    pub(super) fn asked(&self, login: &LoginId, id: &RemoteMessageId) -> u32 {
        self.asked.get(&(login.clone(), id.clone())).copied().unwrap_or_default()
    }

    pub(crate) fn lose_sessions(&mut self) {
        for login in std::mem::take(&mut self.sessions) {
            self.party.lose_session(&login.0);
        }
    }

    pub(super) fn write(
        &mut self,
        login: &LoginId,
        text: &str,
        theirs: &OurBundle,
        prekey: Option<&PreKey>,
    ) -> InboundMessage {
        self.written += 1;
        let id = RemoteMessageId(format!("{}-{}", self.user.0, self.written));
        self.texts.insert(id.clone(), text.to_owned());
        self.sealed(login, id, theirs, prekey)
    }

    /// In a new session, because the old one was not understood.
    pub(super) fn write_again(
        &mut self,
        login: &LoginId,
        id: &RemoteMessageId,
        theirs: &OurBundle,
    ) -> Option<InboundMessage> {
        let text = self.texts.get(id)?.clone();
        self.sent_again.insert(text);
        self.party.establish(&login.0, theirs, theirs.prekey.as_ref());
        Some(self.sealed(login, id.clone(), theirs, None))
    }

    fn sealed(
        &mut self,
        login: &LoginId,
        id: RemoteMessageId,
        theirs: &OurBundle,
        prekey: Option<&PreKey>,
    ) -> InboundMessage {
        let encoded = message::encode_text(&self.texts[&id]).unwrap();
        let padded = message::pad(encoded, &mut self.party.rng);
        self.sessions.insert(login.clone());
        let ciphertext = self.party.seal(&login.0, &padded, theirs, prekey);
        InboundMessage {
            id,
            from: self.address(),
            sent_at: 7,
            display_name: Some("Anna".to_owned()),
            ciphertext: Some(ciphertext),
        }
    }

    pub(super) fn receipt(
        &self,
        messages: Vec<RemoteMessageId>,
        kind: InboundReceiptKind,
    ) -> InboundReceipt {
        InboundReceipt { from: self.address(), messages, kind }
    }

    fn address(&self) -> RemoteAddress {
        RemoteAddress { user: self.user.clone(), device: 0 }
    }

    /// Reads an envelope, shows it, and says what the receipt says; nothing of what it gave up on.
    pub(super) fn receive(&mut self, envelope: &Envelope) -> Option<InboundReceiptKind> {
        let id = (envelope.login.clone(), envelope.id.clone());
        if self.known.contains(&id) {
            return Some(InboundReceiptKind::Delivered);
        }
        let ciphertext = &envelope.parts[0].ciphertext;
        let Ok(plaintext) = self.party.open(&envelope.login.0, ciphertext) else {
            let count = self.asked.entry(id).or_default();
            *count += 1;
            let may_ask = *count <= limits::MESSAGE_RETRIES_MAX;
            return may_ask.then_some(InboundReceiptKind::Retry { count: *count });
        };
        self.sessions.insert(envelope.login.clone());
        let Incoming::Text(text) = text::incoming(&plaintext) else {
            panic!("the bridge sent something that nobody wrote")
        };
        let answers = text.answers();
        let contents = text.contents(answers.as_ref().map(|_| event_id!("$answered")));
        let body = contents[0]["body"].as_str().unwrap().to_owned();
        let answered = answers.map(|id| self.texts[&id].clone());
        self.answers.extend(answered.map(|text| (body.clone(), text)));
        if self.asked.contains_key(&id) {
            self.came_late.insert(body.clone());
        }
        self.screen.entry(envelope.login.clone()).or_default().push(body);
        self.known.insert(id);
        Some(InboundReceiptKind::Delivered)
    }
}
