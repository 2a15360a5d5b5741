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
    signal::{
        self, Address, OfferedKeys, OurIdentity, PreKey, RemoteBundle, RemoteIdentityKey,
        SessionRecord, SignedPreKey,
    },
};
use causeway_wire::message;
use rand::{SeedableRng as _, rngs::StdRng};
use ruma::event_id;

pub(super) const PHONE: &str = "33612345678";
/// The number of somebody who is there and never writes.
pub(super) const SECOND_PHONE: &str = "33611111111";

pub(super) struct Contact {
    /// The name that they gave themselves.
    pub(super) name: String,
    identity: OurIdentity,
    signed: SignedPreKey,
    prekeys: BTreeMap<u32, PreKey>,
    session: Option<(SessionRecord, RemoteIdentityKey)>,
    rng: StdRng,
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
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = OurIdentity::generate(&mut rng);
        let signed = SignedPreKey::generate(1, &identity, 0, &mut rng).unwrap();
        Self {
            name: "Anna".to_owned(),
            identity,
            signed,
            prekeys: BTreeMap::new(),
            session: None,
            rng,
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
        let id = u32::try_from(self.prekeys.len() + 1).unwrap();
        let prekey = PreKey::generate(id, &mut self.rng).unwrap();
        let public = (id, prekey.public());
        self.prekeys.insert(id, prekey);
        RemoteBundle {
            registration_id: self.identity.registration_id(),
            identity: self.identity.public_key(),
            signed_prekey_id: self.signed.id(),
            signed_prekey: self.signed.public(),
            signature: self.signed.signature(),
            prekey: Some(public),
        }
    }

    /// The app was installed again: new keys, no sessions, an empty screen.
    pub(super) fn reinstall(&mut self, seed: u64) {
        let known = std::mem::take(&mut self.known);
        let written = self.written;
        *self = Self { known, written, ..Self::new(seed) };
    }

    /// Forgets the sessions alone.
    pub(super) fn lose_session(&mut self) {
        self.session = None;
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
        let needed = signal::needed_prekeys(ciphertext).unwrap();
        let keys = OfferedKeys {
            signed: Some(&self.signed),
            one_time: needed.and_then(|needed| self.prekeys.get(&needed.one_time?)),
        };
        let (record, known) = self.session.as_ref().map(|(r, k)| (r, k)).unzip();
        let step = signal::decrypt(
            &self.identity,
            &partner(),
            record,
            known,
            &keys,
            ciphertext,
            &mut self.rng,
        );
        self.understood = step.is_ok();
        let Ok(step) = step else { return };
        self.session = Some((step.record, step.identity.key()));
        self.known.insert(envelope.id.clone());
        match text::incoming(&step.output) {
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
        if self.session.is_none() {
            let bundle = RemoteBundle {
                registration_id: theirs.identity.registration_id(),
                identity: theirs.identity.public_key(),
                signed_prekey_id: theirs.signed_prekey.id(),
                signed_prekey: theirs.signed_prekey.public(),
                signature: theirs.signed_prekey.signature(),
                prekey: prekey.map(|prekey| (prekey.id(), prekey.public())),
            };
            let step =
                signal::establish(&self.identity, &partner(), None, None, &bundle, &mut self.rng)
                    .unwrap();
            self.session = Some((step.record, step.identity.key()));
        }
        let (record, known) = self.session.as_ref().unwrap();
        let padded = message::pad(encoded, &mut self.rng);
        let step = signal::encrypt(&self.identity, &partner(), record, known, &padded).unwrap();
        self.session = Some((step.record, step.identity.key()));
        InboundMessage {
            id: RemoteMessageId(id.to_owned()),
            from: Self::address(),
            sent_at: 7,
            display_name: Some(self.name.clone()),
            ciphertext: Some(step.output),
        }
    }
}

fn partner() -> Address {
    Address { name: "partner".to_owned(), device: 0 }
}
