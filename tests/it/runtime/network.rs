//! The network: it keeps what was not acknowledged and brings it again, and knows every byte that it was sent.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use causeway::{
    domain::{
        bridged::Timestamp,
        capability::Capabilities,
        ids::{RemoteAddress, RemoteMessageId, RemoteUser, StorageRef},
        item::{
            Envelope, InboundMessage, InboundReceipt, InboundReceiptKind, OutboundReceipt,
            OutboundReceiptKind,
        },
        phone::Phone,
    },
    port::{
        Failure, InteropNetwork, NetworkLink,
        media::{Download, MediaFailure},
        network::{
            Accepted, ConnectFailure, Connected, Credentials, Inbound, Introduction, OurBundle,
            RemoteFile, Resolved, StanzaRef,
        },
    },
    signal::{PreKey, RemoteBundle},
};
use causeway_wire::message;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    contact::{Contact, PHONE, SECOND_PHONE},
    files::Files,
    surroundings::{Gate, Trouble},
};

/// A stanza that waits for its acknowledgement.
#[derive(Clone)]
enum Mail {
    Message(InboundMessage),
    Receipt(InboundReceipt),
    NewIdentity,
}

#[derive(Default)]
struct State {
    /// By stanza number, oldest first.
    mailbox: VecDeque<(u64, Mail)>,
    posted: u64,
    /// The stream of the connection that stands.
    connection: Option<mpsc::Sender<Inbound>>,
    bundle: Option<OurBundle>,
    prekeys: VecDeque<PreKey>,
    /// Every envelope that was sent, with every repetition.
    envelopes: Vec<(RemoteMessageId, Vec<u8>)>,
    receipts: Vec<OutboundReceipt>,
    /// What the latest connection was told of the person.
    introduction: Option<Introduction>,
    /// Whether the person was said to be typing.
    typings: Vec<bool>,
    enlisted: bool,
    blocked: BTreeSet<RemoteUser>,
    reported: Vec<RemoteUser>,
    trouble: Option<Trouble>,
    refuses: Option<String>,
}

pub(super) struct FakeNetwork {
    pub(super) contact: Mutex<Contact>,
    state: Mutex<State>,
    pub(super) enlisting: Gate,
    pub(super) connecting: Gate,
    pub(super) unenlisted: AtomicUsize,
    pub(super) enlistments: AtomicUsize,
    /// Connections that were made.
    pub(super) connections: AtomicUsize,
    /// Whether an enlistment is taken and its answer never comes.
    pub(super) loses_answers: AtomicBool,
    /// Whether connecting panics the next time.
    pub(super) panics: AtomicBool,
    /// Whether identity tokens are found to be of another time.
    pub(super) refuses_tokens: AtomicBool,
    /// What it lets its partners do.
    pub(super) capabilities: Mutex<Capabilities>,
    /// By direct path.
    pub(super) files: Files,
    myself: Weak<Self>,
}

impl FakeNetwork {
    pub(super) fn new() -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            contact: Mutex::new(Contact::new(11)),
            state: Mutex::default(),
            enlisting: Gate::default(),
            connecting: Gate::default(),
            unenlisted: AtomicUsize::new(0),
            enlistments: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            loses_answers: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            refuses_tokens: AtomicBool::new(false),
            capabilities: Mutex::default(),
            files: Files::default(),
            myself: myself.clone(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contact writes; it is brought until it is acknowledged.
    pub(super) fn contact_writes(&self, text: &str) {
        self.contact_says(said(text));
    }

    /// The same for any message, without padding.
    pub(super) fn contact_says(&self, encoded: Vec<u8>) {
        let message = self.encrypted(None, encoded);
        self.post(message);
    }

    /// A message of the contact that was not posted yet.
    pub(super) fn written(&self, id: Option<&str>, text: &str) -> InboundMessage {
        self.encrypted(id, said(text))
    }

    pub(super) fn encrypted(&self, id: Option<&str>, encoded: Vec<u8>) -> InboundMessage {
        let mut state = self.state();
        let bundle = state.bundle.clone().expect("the bridge uploaded its keys");
        let prekey = state.prekeys.pop_front();
        let mut contact = self.contact.lock().unwrap();
        match id {
            Some(id) => contact.write_as(id, encoded, &bundle, prekey.as_ref()),
            None => contact.write(encoded, &bundle, prekey.as_ref()),
        }
    }

    pub(super) fn post(&self, message: InboundMessage) {
        self.bring(Mail::Message(message));
    }

    pub(super) fn post_receipt(&self, id: RemoteMessageId, kind: InboundReceiptKind) {
        self.post_receipts(vec![id], kind);
    }

    /// One receipt for several messages.
    pub(super) fn post_receipts(&self, messages: Vec<RemoteMessageId>, kind: InboundReceiptKind) {
        self.bring(Mail::Receipt(InboundReceipt { from: Contact::address(), messages, kind }));
    }

    /// The network says that the contact has another identity.
    pub(super) fn announce_new_identity(&self) {
        self.bring(Mail::NewIdentity);
    }

    fn bring(&self, mail: Mail) {
        let mut state = self.state();
        if matches!(&mail, Mail::Message(message) if state.blocked.contains(&message.from.user)) {
            return;
        }
        state.posted += 1;
        let number = state.posted;
        state.mailbox.push_back((number, mail.clone()));
        if let Some(connection) = &state.connection {
            // What does not fit is brought by the next connection.
            drop(connection.try_send(stanza(number, mail)));
        }
    }

    /// The connection breaks.
    pub(super) fn hang_up(&self) {
        self.state().connection = None;
    }

    /// Somebody else connects as the person, and the connection that stood ends.
    pub(super) fn replace(&self) {
        if let Some(connection) = self.state().connection.take() {
            drop(connection.try_send(Inbound::Replaced));
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state().connection.as_ref().is_some_and(|connection| !connection.is_closed())
    }

    pub(super) fn has_keys(&self) -> bool {
        self.state().bundle.is_some()
    }

    /// Stanzas that were not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.state().mailbox.len()
    }

    pub(super) fn envelopes(&self) -> Vec<(RemoteMessageId, Vec<u8>)> {
        self.state().envelopes.clone()
    }

    /// How many receipts of any kind came.
    pub(super) fn receipts(&self) -> usize {
        self.state().receipts.len()
    }

    /// Counts and prekeys of the retry receipts that came.
    pub(super) fn retries(&self) -> Vec<(u32, u32)> {
        let retry = |receipt: &OutboundReceipt| match receipt.kind {
            OutboundReceiptKind::Retry { count, prekey, .. } => Some((count, prekey)),
            OutboundReceiptKind::Delivered | OutboundReceiptKind::Read => None,
        };
        self.state().receipts.iter().filter_map(retry).collect()
    }

    /// What the read receipts that came name, oldest first.
    pub(super) fn read(&self) -> Vec<Vec<String>> {
        let state = self.state();
        let read = state.receipts.iter().filter(|it| matches!(it.kind, OutboundReceiptKind::Read));
        read.map(|it| it.messages.iter().map(|id| id.0.clone()).collect()).collect()
    }

    pub(super) fn introduction(&self) -> Option<Introduction> {
        self.state().introduction.clone()
    }

    pub(super) fn typings(&self) -> Vec<bool> {
        self.state().typings.clone()
    }

    /// The contact types, or stops. It is lost when nobody is connected.
    pub(super) fn contact_types(&self, typing: bool) {
        if let Some(connection) = &self.state().connection {
            drop(connection.try_send(Inbound::Typing { user: Contact::user(), typing }));
        }
    }

    pub(super) fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    pub(super) fn refuse(&self, reason: &str) {
        self.state().refuses = Some(reason.to_owned());
    }

    /// Whom the network keeps from the person.
    pub(super) fn blocked(&self) -> BTreeSet<RemoteUser> {
        self.state().blocked.clone()
    }

    /// Somebody else changed the list, or it is older than the login.
    pub(super) fn has_blocked(&self, users: impl IntoIterator<Item = RemoteUser>) {
        self.state().blocked = users.into_iter().collect();
    }

    pub(super) fn reported(&self) -> Vec<RemoteUser> {
        self.state().reported.clone()
    }

    pub(super) fn refuse_no_more(&self) {
        self.state().refuses = None;
    }

    /// Forgets the person, as after a reinstallation of its own.
    pub(super) fn forget(&self) {
        self.state().enlisted = false;
    }

    pub(super) fn knows_the_person(&self) -> bool {
        self.state().enlisted
    }
}

fn said(text: &str) -> Vec<u8> {
    message::encode_text(text).unwrap()
}

fn stanza(number: u64, mail: Mail) -> Inbound {
    let stanza = StanzaRef(number.to_be_bytes().to_vec());
    match mail {
        Mail::Message(message) => Inbound::Message { stanza, message },
        Mail::Receipt(receipt) => Inbound::Receipt { stanza, receipt },
        Mail::NewIdentity => Inbound::IdentityChanged { stanza, user: Contact::user() },
    }
}

#[async_trait]
impl InteropNetwork for FakeNetwork {
    async fn enlist(&self, _who: &Credentials) -> Result<RemoteUser, Failure> {
        self.enlisting.pass().await;
        self.enlistments.fetch_add(1, Ordering::SeqCst);
        self.state().enlisted = true;
        if self.loses_answers.load(Ordering::SeqCst) {
            return Err(Failure::later("no answer"));
        }
        Ok(RemoteUser("12-1@interop".to_owned()))
    }

    async fn connect(&self, who: &Credentials) -> Result<Connected, ConnectFailure> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the fake panics");
        self.connecting.pass().await;
        let mut state = self.state();
        // As the adapter does: without the id of an enlistment there is nobody to log in as.
        if !state.enlisted || who.network_id.is_none() {
            return Err(ConnectFailure::NotEnlisted(Failure::never("unknown")));
        }
        if self.refuses_tokens.load(Ordering::SeqCst) {
            let failure = Failure::never("the identity token is not acceptable");
            return Err(ConnectFailure::Refused(failure));
        }
        let (sender, inbound) = mpsc::channel(1_000);
        for (number, mail) in state.mailbox.clone() {
            sender.try_send(stanza(number, mail)).unwrap();
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        state.connection = Some(sender);
        state.introduction = Some(who.introduction.clone());
        Ok(Connected { link: self.myself.upgrade().unwrap(), inbound })
    }

    fn key_set(&self) -> Value {
        json!({"keys": []})
    }

    async fn verify_push(&self, bearer: &str, _now: Timestamp) -> Result<(), Failure> {
        match bearer {
            "genuine" => Ok(()),
            "away" => Err(Failure::later("the key set cannot be fetched")),
            _ => Err(Failure::never("not signed by the network")),
        }
    }

    async fn download_media(&self, from: &RemoteFile) -> Result<Download, MediaFailure> {
        let trouble = self.state().trouble;
        Trouble::befall(trouble, ())?;
        self.files.fetch(from.direct_path.as_deref().ok_or(MediaFailure::NotAllowed)?)
    }

    fn user_of_phone(&self, phone: &Phone) -> RemoteUser {
        RemoteUser(format!("{}@s.whatsapp.net", phone.digits()))
    }

    fn hosted_path(&self, name: &StorageRef) -> String {
        format!("/interop/whatsapp/download/12/{}/", name.as_str())
    }

    fn capabilities(&self) -> Capabilities {
        *self.capabilities.lock().unwrap()
    }
}

#[async_trait]
impl NetworkLink for FakeNetwork {
    async fn acknowledge(&self, stanza: &StanzaRef) -> Result<(), Failure> {
        let number = u64::from_be_bytes(stanza.0.as_slice().try_into().unwrap());
        self.state().mailbox.retain(|(waiting, _)| *waiting != number);
        Ok(())
    }

    async fn send(&self, envelope: &Envelope) -> Result<Accepted, Failure> {
        let trouble = self.state().trouble;
        Trouble::befall(trouble, ())?;
        let bytes = envelope.parts[0].ciphertext.bytes.clone();
        self.state().envelopes.push((envelope.id.clone(), bytes));
        if let Some(reason) = self.state().refuses.clone() {
            return Ok(Accepted::Refused { reason });
        }
        self.contact.lock().unwrap().receive(envelope);
        Ok(Accepted::Stored)
    }

    async fn send_receipt(
        &self,
        receipt: &OutboundReceipt,
        bundle: Option<&OurBundle>,
    ) -> Result<(), Failure> {
        if matches!(receipt.kind, OutboundReceiptKind::Retry { .. }) {
            let bundle = bundle.expect("a retry receipt carries keys");
            assert!(bundle.prekey.is_some(), "a retry receipt's prekey was committed");
        }
        self.state().receipts.push(receipt.clone());
        Ok(())
    }

    async fn typing(&self, to: &RemoteUser, typing: bool) -> Result<(), Failure> {
        assert!(*to == Contact::user(), "typing to a stranger");
        self.state().typings.push(typing);
        Ok(())
    }

    async fn resolve(&self, phone: &str) -> Result<Resolved, Failure> {
        Ok(match phone {
            // The contact has two numbers, of which the network uses one.
            PHONE | "33622222222" => Resolved::Reachable { user: Contact::user() },
            SECOND_PHONE => {
                let user = RemoteUser(format!("{SECOND_PHONE}@s.whatsapp.net"));
                Resolved::Reachable { user }
            }
            "33600000000" => Resolved::NotOptedIn,
            _ => Resolved::NotOnNetwork,
        })
    }

    async fn devices(&self, _user: &RemoteUser) -> Result<Vec<u16>, Failure> {
        Ok(vec![0])
    }

    async fn bundle(&self, _address: &RemoteAddress) -> Result<Option<RemoteBundle>, Failure> {
        Ok(Some(self.contact.lock().unwrap().bundle()))
    }

    async fn upload_prekeys(&self, keys: &OurBundle, prekeys: &[PreKey]) -> Result<(), Failure> {
        let mut state = self.state();
        state.bundle = Some(keys.clone());
        state.prekeys.extend(prekeys.iter().cloned());
        Ok(())
    }

    async fn prekey_count(&self) -> Result<u32, Failure> {
        Ok(u32::try_from(self.state().prekeys.len()).unwrap())
    }

    async fn block(&self, user: &RemoteUser, blocked: bool) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        if blocked {
            state.blocked.insert(user.clone());
        } else {
            state.blocked.remove(user);
        }
        Ok(())
    }

    async fn blocklist(&self) -> Result<Vec<RemoteUser>, Failure> {
        let state = self.state();
        Trouble::befall(state.trouble, ())?;
        Ok(state.blocked.iter().cloned().collect())
    }

    async fn report(&self, user: &RemoteUser) -> Result<(), Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.reported.push(user.clone());
        Ok(())
    }

    async fn unenlist(&self) -> Result<(), Failure> {
        self.unenlisted.fetch_add(1, Ordering::SeqCst);
        self.state().enlisted = false;
        Ok(())
    }

    async fn close(&self) {
        self.hang_up();
    }
}
