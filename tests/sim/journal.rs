//! What the bridge committed and what it let out, held against each other at every step: a promise that is
//! broken on the way is seen there and not at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use causeway::{
    domain::{
        ids::{LoginId, RemoteMessageId},
        item::{Envelope, InboxItem, OutboundEvent, OutboxItem},
    },
    port::{
        homeserver::REDACTION,
        storage::{Change, InboxDraft},
    },
};

use super::{ratchet, trace::digest};

#[derive(Default)]
pub(crate) struct Journal {
    /// The forms of each envelope that were committed; a retry receipt is answered with another one.
    envelopes: BTreeMap<(LoginId, RemoteMessageId), Vec<u64>>,
    /// The forms of each that left.
    left: BTreeMap<(LoginId, RemoteMessageId), BTreeSet<u64>>,
    /// The contents of each event, by transaction id.
    events: BTreeMap<String, BTreeSet<u64>>,
    sent_events: BTreeMap<String, u64>,
    /// The bytes under each message key.
    message_keys: BTreeMap<(LoginId, String, Vec<u8>, u32), u64>,
    /// The plaintext under each Megolm index.
    indices: BTreeMap<u64, u64>,
    taken_events: BTreeSet<String>,
    taken_messages: BTreeSet<u64>,
    /// Why rows were set aside.
    pub(crate) set_aside: Vec<String>,
    /// Commits and intakes that happened.
    pub(crate) writes: u64,
    /// Broken promises, oldest first.
    pub(crate) broken: Vec<String>,
}

impl Journal {
    pub(crate) fn committed(&mut self, noted: Noted) {
        self.writes += 1;
        for (id, form) in noted.envelopes {
            self.envelopes.entry(id).or_default().push(form);
        }
        for (id, content) in noted.events {
            self.events.entry(id).or_default().insert(content);
        }
        self.set_aside.extend(noted.set_aside);
    }

    pub(crate) fn taken_in(&mut self, drafts: &[InboxDraft]) {
        self.writes += 1;
        for draft in drafts {
            match &draft.item {
                InboxItem::Event(event) => {
                    self.taken_events.extend(event.0["event_id"].as_str().map(str::to_owned));
                }
                InboxItem::Message(message) => {
                    self.taken_messages.insert(digest_of_message(message));
                }
                _ => {}
            }
        }
    }

    /// An envelope leaves, whether it arrives or not. It was asked for again `asked` times.
    pub(crate) fn leaves(&mut self, envelope: &Envelope, asked: u32) {
        let (id, form) = ((envelope.login.clone(), envelope.id.clone()), form(envelope));
        if !self.envelopes.get(&id).is_some_and(|forms| forms.contains(&form)) {
            self.broken
                .push(format!("envelope {} left in a form that was never committed", id.1.0));
        }
        let left = self.left.entry(id.clone()).or_default();
        left.insert(form);
        if left.len() > 1 + asked as usize {
            self.broken.push(format!("envelope {} changed, and nobody asked for it", id.1.0));
        }
        for part in &envelope.parts {
            let (key, counter) = ratchet::place(&part.ciphertext);
            let place = (id.0.clone(), envelope.to.0.clone(), key, counter);
            let bytes = digest(&part.ciphertext.bytes);
            if *self.message_keys.entry(place).or_insert(bytes) != bytes {
                self.broken
                    .push(format!("one message key for two ciphertexts (counter {counter})"));
            }
        }
    }

    /// An event leaves.
    pub(crate) fn speaks(&mut self, event: &OutboundEvent) {
        let content = digest(event.content.to_string().as_bytes());
        let id = &event.transaction_id;
        if *self.sent_events.entry(id.clone()).or_insert(content) != content {
            self.broken.push(format!("two contents under the transaction id {id}"));
        }
        // Which event a redaction is of is looked up when it is sent.
        let is_committed = self.events.get(id).is_some_and(|known| known.contains(&content));
        if event.event_type != REDACTION && !is_committed {
            self.broken.push(format!("an event left in a form that was never committed: {id}"));
        }
        if let (Some(index), plain) = (event.content["index"].as_u64(), &event.content["plain"]) {
            let plain = digest(plain.to_string().as_bytes());
            if *self.indices.entry(index).or_insert(plain) != plain {
                self.broken.push(format!("the Megolm index {index} for two plaintexts"));
            }
        }
    }

    /// The homeserver was told that these are durable.
    pub(crate) fn answered<'e>(&mut self, events: impl Iterator<Item = &'e str>) {
        for event in events {
            if !self.taken_events.contains(event) {
                self.broken.push(format!("event {event} was acknowledged and never taken in"));
            }
        }
    }

    /// The network was told that this one is durable.
    pub(crate) fn acknowledged(&mut self, message: &causeway::domain::item::InboundMessage) {
        if !self.taken_messages.contains(&digest_of_message(message)) {
            let id = &message.id.0;
            self.broken.push(format!("message {id} was acknowledged and never taken in"));
        }
    }
}

/// What a commit means for the journal.
#[derive(Default)]
pub(crate) struct Noted {
    envelopes: Vec<((LoginId, RemoteMessageId), u64)>,
    events: Vec<(String, u64)>,
    set_aside: Vec<String>,
    /// For the trace.
    pub(crate) line: String,
}

impl Noted {
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut noted = Self::default();
        for change in changes {
            let name = format!("{change:?}");
            noted.line.push(' ');
            noted.line.extend(name.chars().take_while(|it| it.is_alphanumeric()));
            match change {
                Change::OutboxAdded { item: OutboxItem::Envelope(envelope), .. } => {
                    let id = (envelope.login.clone(), envelope.id.clone());
                    write!(noted.line, "={:x}", form(envelope)).unwrap();
                    noted.envelopes.push((id, form(envelope)));
                }
                Change::OutboxAdded { item: OutboxItem::Event(event), .. } => noted.event(event),
                Change::OutboxAdded { item: OutboxItem::Notice(notice), .. } => {
                    noted.event(&notice.event);
                }
                Change::InboxQuarantined { reason, .. }
                | Change::OutboxQuarantined { reason, .. } => noted.set_aside.push(reason.clone()),
                _ => {}
            }
        }
        noted
    }

    fn event(&mut self, event: &OutboundEvent) {
        let content = digest(event.content.to_string().as_bytes());
        write!(self.line, "={content:x}").unwrap();
        self.events.push((event.transaction_id.clone(), content));
    }
}

/// Everything about an envelope that the network sees.
fn form(envelope: &Envelope) -> u64 {
    digest(&serde_json::to_vec(envelope).unwrap())
}

fn digest_of_message(message: &causeway::domain::item::InboundMessage) -> u64 {
    digest(&serde_json::to_vec(message).unwrap())
}
