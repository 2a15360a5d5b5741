//! One simulated phone at work: it reads its mailbox, answers as a phone does, and sends what a script tells it to.
//! It must not know sockets or stanzas.

use std::collections::{BTreeMap, VecDeque};

use thiserror::Error;
use tokio::sync::{Mutex, Notify};
use wacore_libsignal::protocol::SignalProtocolError;

use super::{
    Received, ShownFile, Transcript, TypingLog,
    content::{self, Read},
    engine::{Address, DecryptError, Engine},
};
use crate::{
    causes::Causes,
    clock, entropy,
    faults::{self, Fault},
    limits::{RETRIES_MAX, SENT_MAX},
    network::Network,
    router::{MessageDraft, ReceiptDraft, Refusal, fresh_id},
    world::{
        AccountId, Bundle, DeviceKey, Entry, OneTimePrekey, World,
        mailbox::{Envelope, Item, MessageItem, Notice, ReceiptItem, RetryRequest},
    },
};

/// One-time prekeys that a phone publishes at first and whenever they run low.
const PREKEYS_PUBLISHED: u32 = 50;

/// Why a message could not be sent.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    #[error("the network refused it: {0}")]
    Refused(#[from] Refusal),
    #[error("it could not be encrypted")]
    Signal(#[from] SignalProtocolError),
    #[error("the text cannot be sent: {0}")]
    Text(#[from] causeway_wire::message::MessageError),
}

/// A message of a person, ready to be encrypted.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) padded: Vec<u8>,
    /// `text`, `media`, `reaction` …
    pub(crate) kind: String,
    /// The `mediatype` of the envelope.
    pub(crate) media_type: Option<String>,
    pub(crate) edit: Option<String>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({}, {} bytes)", self.kind, self.padded.len())
    }
}

#[derive(Debug)]
struct Sent {
    id: String,
    to: AccountId,
    message: Outgoing,
}

#[derive(Debug)]
struct Phone {
    engine: Engine,
    sent: VecDeque<Sent>,
    /// How often a message was asked for again.
    asked: BTreeMap<(DeviceKey, String), u32>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) phone: u64,
    pub(crate) wake: Notify,
    pub(crate) transcript: Transcript,
    pub(crate) typing: TypingLog,
    inner: Mutex<Phone>,
}

impl Actor {
    /// A phone with fresh keys, and what it publishes.
    pub(crate) async fn create(phone: u64) -> (Self, Bundle) {
        let mut engine = Engine::generate();
        let bundle = engine.publish(PREKEYS_PUBLISHED).await;
        let inner = Phone { engine, sent: VecDeque::new(), asked: BTreeMap::new() };
        let actor = Self {
            phone,
            wake: Notify::new(),
            transcript: Transcript::new(),
            typing: TypingLog::default(),
            inner: inner.into(),
        };
        (actor, bundle)
    }

    fn key(&self) -> DeviceKey {
        DeviceKey::primary(AccountId::Person(self.phone))
    }

    /// Reads the mailbox until the emulator stops.
    pub(crate) async fn run(&self, network: &Network) {
        loop {
            let next = network.with(|world| {
                world.device(self.key()).and_then(|device| device.mailbox.read(0, 1).pop())
            });
            let Some(entry) = next else {
                tokio::select! {
                    () = self.wake.notified() => continue,
                    () = network.stop.cancelled() => return,
                }
            };
            self.read(network, &entry).await;
            network.with(|world| {
                if let Some(device) = world.device_mut(self.key()) {
                    device.mailbox.remove(entry.sequence);
                }
            });
        }
    }

    async fn read(&self, network: &Network, entry: &Entry) {
        match &entry.item {
            Item::Message(message) => {
                let fault = network.faults.take(AccountId::Person(self.phone), |fault| {
                    matches!(fault, Fault::Corrupt | Fault::Duplicate)
                });
                self.read_message(network, message, fault == Some(Fault::Corrupt)).await;
                if fault == Some(Fault::Duplicate) {
                    self.read_message(network, message, false).await;
                }
            }
            Item::Receipt(receipt) => self.read_receipt(network, receipt).await,
            Item::Notice(notice) => match notice.notice {
                Notice::PrekeysLow { .. } => self.refill(network).await,
                Notice::IdentityChanged { .. } => {}
            },
        }
    }

    async fn read_message(&self, network: &Network, message: &MessageItem, corrupt: bool) {
        let address = network.with(|world| address_of(world, self.key(), message.from));
        let mut body = message.envelope.body.to_vec();
        if corrupt {
            faults::corrupt(&mut body);
        }
        let mut phone = self.inner.lock().await;
        match phone.engine.decrypt(&address, &message.envelope.kind, &body).await {
            Ok(padded) => {
                self.list(network, message, &padded);
                confirm(network, self.key(), message);
            }
            Err(DecryptError::Duplicate) => {
                self.transcript.count(|counters| counters.duplicates += 1);
                confirm(network, self.key(), message);
            }
            Err(DecryptError::Undecryptable(error)) => {
                tracing::info!(%error, "a simulated person could not read a message");
                self.transcript.count(|counters| counters.undecryptable += 1);
                self.ask_again(network, &mut phone, &address, message).await;
            }
        }
    }

    fn list(&self, network: &Network, item: &MessageItem, padded: &[u8]) {
        let Some(read) = content::read(padded) else {
            self.transcript.count(|counters| counters.without_text += 1);
            return;
        };
        let (text, quotes, attachment) = match read {
            Read::Text { body, quotes } => (body, quotes, None),
            Read::Reaction { target, emoji } => return self.transcript.react(target, emoji),
            Read::Attachment(file) => {
                (file.about.caption.clone().unwrap_or_default(), None, Some(ShownFile(file)))
            }
        };
        let (from, display_name) = network.with(|world| {
            let view = world.view_of(self.key());
            let name = match item.from.account {
                AccountId::Person(phone) => world.person(phone).map(|person| person.name.clone()),
                AccountId::Partner(account) => {
                    world.partner(account).map(|partner| partner.user_visible_id.clone())
                }
            };
            (world.name(item.from, view).to_string(), name)
        });
        let at_ms = clock::now_ms();
        let id = item.id.clone();
        self.transcript.add(Received {
            order: 0,
            id,
            from,
            display_name,
            text,
            quotes,
            attachment,
            at_ms,
        });
    }

    /// Asks for a message again, with keys for a fresh session from the second time on or if there is no session.
    async fn ask_again(
        &self,
        network: &Network,
        phone: &mut Phone,
        address: &Address,
        message: &MessageItem,
    ) {
        let count = phone.asked.entry((message.from, message.id.clone())).or_insert(0);
        if *count >= RETRIES_MAX {
            return;
        }
        *count += 1;
        let count = *count;
        let has_session = phone.engine.has_session(address).await;
        let bundle = phone.engine.publish(u32::from(count > 1 || !has_session)).await;
        let retry = RetryRequest {
            count,
            message_id: message.id.clone(),
            message_t: Some(message.sent_at_s),
            registration_id: bundle.registration_id,
            keys: (!bundle.one_time.is_empty()).then_some((bundle, None)),
        };
        self.transcript.count(|counters| counters.retries_asked += 1);
        network.send_receipt(
            self.key(),
            ReceiptDraft {
                id: message.id.clone(),
                to: message.from,
                kind: Some("retry".to_owned()),
                more_ids: Vec::new(),
                retry: Some(retry),
            },
        );
    }

    async fn read_receipt(&self, network: &Network, receipt: &ReceiptItem) {
        if let Some(request) = &receipt.retry {
            if let Err(error) = self.send_again(network, receipt.from, request).await {
                tracing::info!(error = %Causes(&error), "a simulated person could not send a message again");
            }
            return;
        }
        let kind = receipt.kind.as_deref().unwrap_or("delivered");
        for id in std::iter::once(&receipt.id).chain(&receipt.more_ids) {
            self.transcript.add_receipt(id, kind);
        }
    }

    /// Answers a retry receipt: the same message under a fresh session.
    async fn send_again(
        &self,
        network: &Network,
        to: DeviceKey,
        request: &RetryRequest,
    ) -> Result<(), SendError> {
        let mut phone = self.inner.lock().await;
        let found = phone.sent.iter().find(|sent| sent.id == request.message_id);
        let Some(message) = found.filter(|sent| sent.to == to.account).map(|s| s.message.clone())
        else {
            return Ok(());
        };
        if request.count > RETRIES_MAX {
            return Ok(());
        }
        let address = network.with(|world| address_of(world, self.key(), to));
        phone.engine.forget(&address);
        match &request.keys {
            Some((bundle, _)) => {
                phone.engine.establish(&address, bundle, bundle.one_time.front()).await?;
            }
            None => establish(network, &mut phone.engine, self.key(), to, &address).await?,
        }
        let (kind, body) = phone.engine.encrypt(&address, &message.padded).await?;
        let envelope = envelope(kind, body, Some(request.count), message.media_type);
        network.send_message(
            self.key(),
            MessageDraft {
                id: request.message_id.clone(),
                to: to.account,
                kind: message.kind,
                edit: message.edit,
                category: None,
                envelopes: vec![(to, envelope)],
                device_identity: None,
            },
        )?;
        self.transcript.count(|counters| counters.retries_answered += 1);
        Ok(())
    }

    /// Sends a text; gives the message id.
    pub(crate) async fn send_text(
        &self,
        network: &Network,
        to: AccountId,
        text: &str,
        id: Option<String>,
    ) -> Result<String, SendError> {
        let padded = content::padded_text(text)?;
        let message = Outgoing { padded, kind: "text".to_owned(), media_type: None, edit: None };
        self.send(network, to, message, id).await
    }

    /// Sends a message to every device of an account; gives its id.
    pub(crate) async fn send(
        &self,
        network: &Network,
        to: AccountId,
        message: Outgoing,
        id: Option<String>,
    ) -> Result<String, SendError> {
        let id = id.unwrap_or_else(fresh_id);
        let mut phone = self.inner.lock().await;
        let devices = network.with(|world| world.devices_of(to));
        let mut envelopes = Vec::new();
        for device in devices {
            let key = DeviceKey { account: to, device };
            let address = network.with(|world| address_of(world, self.key(), key));
            if !phone.engine.has_session(&address).await {
                establish(network, &mut phone.engine, self.key(), key, &address).await?;
            }
            let (kind, body) = phone.engine.encrypt(&address, &message.padded).await?;
            envelopes.push((key, envelope(kind, body, None, message.media_type.clone())));
        }
        network.send_message(
            self.key(),
            MessageDraft {
                id: id.clone(),
                to,
                kind: message.kind.clone(),
                edit: message.edit.clone(),
                category: None,
                envelopes,
                device_identity: None,
            },
        )?;
        if phone.sent.len() >= SENT_MAX {
            phone.sent.pop_front();
        }
        phone.sent.push_back(Sent { id: id.clone(), to, message });
        self.transcript.count(|counters| counters.sent += 1);
        Ok(id)
    }

    /// Says that the person read messages, or played them.
    pub(crate) fn send_read(&self, network: &Network, to: AccountId, ids: &[String], kind: &str) {
        let Some((first, rest)) = ids.split_first() else { return };
        network.send_receipt(
            self.key(),
            ReceiptDraft {
                id: first.clone(),
                to: DeviceKey::primary(to),
                kind: Some(kind.to_owned()),
                more_ids: rest.to_vec(),
                retry: None,
            },
        );
    }

    async fn refill(&self, network: &Network) {
        let fresh = self.inner.lock().await.engine.more_prekeys(PREKEYS_PUBLISHED).await;
        network.with(|world| {
            let Some(device) = world.device_mut(self.key()) else { return };
            device.told_low = false;
            if let Some(bundle) = device.bundle.as_mut() {
                bundle.add_one_time(fresh);
            }
        });
    }

    /// Gives the person a new phone: fresh identity, no sessions. Contacts hear of it.
    pub(crate) async fn change_identity(&self, network: &Network) {
        let mut phone = self.inner.lock().await;
        phone.engine = Engine::generate();
        let bundle = phone.engine.publish(PREKEYS_PUBLISHED).await;
        network.with(|world| {
            if let Some(device) = world.device_mut(self.key()) {
                device.bundle = Some(bundle);
            }
        });
        drop(phone);
        network.announce_identity(AccountId::Person(self.phone));
    }

    /// Signs with the account key, as only the phone of a person can.
    pub(crate) async fn sign(&self, prefix: [u8; 2], parts: &[&[u8]]) -> ([u8; 32], [u8; 64]) {
        let phone = self.inner.lock().await;
        let identity = phone.engine.identity();
        let signed: Vec<u8> =
            prefix.into_iter().chain(parts.iter().flat_map(|part| part.iter().copied())).collect();
        let signature = identity
            .private_key()
            .calculate_signature(&signed, &mut entropy::rng())
            .expect("a fresh key signs");
        let public = identity.public_key().public_key_bytes();
        (public.try_into().expect("a curve key has 32 bytes"), signature)
    }
}

/// The Signal address that `viewer` files `other` under: user part and device (network facts 2.4).
fn address_of(world: &World, viewer: DeviceKey, other: DeviceKey) -> Address {
    let name = world.name(other, world.view_of(viewer)).local_part();
    Address { name, device: other.device }
}

async fn establish(
    network: &Network,
    engine: &mut Engine,
    from: DeviceKey,
    to: DeviceKey,
    address: &Address,
) -> Result<(), SendError> {
    let (fetched, one_time): (_, Option<OneTimePrekey>) = network.fetch_keys(from, to)?;
    Ok(engine.establish(address, &fetched.bundle, one_time.as_ref()).await?)
}

fn envelope(kind: &str, body: Vec<u8>, count: Option<u32>, media_type: Option<String>) -> Envelope {
    let (kind, body) = (kind.to_owned(), body.into());
    Envelope { kind, body, count, media_type, decrypt_fail: None }
}

/// Says that a message was delivered.
fn confirm(network: &Network, reader: DeviceKey, message: &MessageItem) {
    network.send_receipt(
        reader,
        ReceiptDraft {
            id: message.id.clone(),
            to: message.from,
            kind: None,
            more_ids: Vec::new(),
            retry: None,
        },
    );
}
