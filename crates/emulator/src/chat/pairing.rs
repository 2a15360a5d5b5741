//! Linking a device to a person with a QR code (network facts B2): the emulator plays the person's phone. A client that
//! wants to be linked waits on its connection; the control face brings the code that it showed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use causeway_wire::{
    jid::Jid,
    node::{Content, Node},
    stanza::{IqBody, IqStanza, Route, Stanza, StreamError},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use wacore_libsignal::protocol::PublicKey;
use waproto::{
    buffa::Message as _,
    codec::{
        adv_key_index_list_to_vec, adv_signed_device_identity_decode,
        adv_signed_device_identity_to_vec, adv_signed_key_index_list_to_vec,
    },
    whatsapp::{
        ADVDeviceIdentity, ADVEncryptionType, ADVKeyIndexList, ADVSignedDeviceIdentity,
        ADVSignedDeviceIdentityHMAC, ADVSignedKeyIndexList,
    },
};

use super::handshake::{ChannelReader, ChannelWriter};
use crate::{
    clock, entropy,
    limits::IDLE_TIME_MAX,
    network::Network,
    router::fresh_id,
    world::{AccountId, Bundle, Companion, Device, DeviceKey, View},
};

/// Prefixes of what is signed: the account's signature of a device, the device's own, the account's of its key list.
const ACCOUNT_SIGNATURE: [u8; 2] = [6, 0];
const DEVICE_SIGNATURE: [u8; 2] = [6, 1];
const KEY_LIST_SIGNATURE: [u8; 2] = [6, 2];
/// References that a client gets to show one after the other.
const REFERENCES: usize = 6;
/// "Reconnect and log in" (network facts 3.5).
const RESTART_REQUIRED: u16 = 515;

/// A client that wants to be linked.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) noise_key: [u8; 32],
    pub(crate) bundle: Bundle,
}

/// What the phone says to a waiting client.
struct Offer {
    key: DeviceKey,
    key_index: u32,
    /// `ADVDeviceIdentity`, as signed.
    details: Vec<u8>,
    account_key: [u8; 32],
    /// `ADVSignedDeviceIdentityHMAC`.
    sealed: Vec<u8>,
    done: oneshot::Sender<Result<(), PairError>>,
}

#[derive(Clone)]
struct Waiting {
    noise_key: [u8; 32],
    identity: [u8; 32],
    offers: mpsc::Sender<Offer>,
}

/// The clients that wait to be linked, by the references that they show.
#[derive(Default)]
pub(crate) struct Pairings {
    waiting: Mutex<BTreeMap<String, Waiting>>,
}

/// Why no device was linked.
#[derive(Debug, Error)]
pub(crate) enum PairError {
    #[error("this is no QR code of a client that wants to be linked")]
    Code,
    #[error("no client is showing this code")]
    NotWaiting,
    #[error("the code does not fit the client that shows it")]
    OtherClient,
    #[error("there is no such person")]
    UnknownPerson,
    #[error("the client went away")]
    Gone,
    #[error("the client signed something else")]
    Signature,
}

impl Pairings {
    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A QR code, read.
struct Code {
    reference: String,
    noise_key: [u8; 32],
    identity: [u8; 32],
    secret: Vec<u8>,
}

impl Code {
    fn parse(qr: &str) -> Option<Self> {
        let mut parts = qr.rsplit('#').next()?.split(',');
        let mut next = || parts.next().map(str::to_owned);
        let reference = next()?;
        let mut key = || STANDARD.decode(next()?).ok();
        let noise_key = key()?.try_into().ok()?;
        let identity = key()?.try_into().ok()?;
        Some(Self { reference, noise_key, identity, secret: key()? })
    }
}

/// Plays the phone of a person who scans a code. Gives the new device once the client signed.
pub(crate) async fn pair(network: &Network, phone: u64, qr: &str) -> Result<DeviceKey, PairError> {
    let code = Code::parse(qr).ok_or(PairError::Code)?;
    let waiting =
        network.pairings.waiting().get(&code.reference).cloned().ok_or(PairError::NotWaiting)?;
    if waiting.noise_key != code.noise_key || waiting.identity != code.identity {
        return Err(PairError::OtherClient);
    }
    let actor = network.actor(phone).ok_or(PairError::UnknownPerson)?;
    let (raw_id, device) = network
        .with(|world| {
            let primary = &mut world.person_mut(phone)?.primary;
            primary.next_device += 1;
            Some((primary.raw_id, primary.next_device - 1))
        })
        .ok_or(PairError::UnknownPerson)?;
    let key_index = u32::from(device);
    let now = clock::now_s();
    let details = ADVDeviceIdentity {
        raw_id: Some(raw_id),
        timestamp: Some(now),
        key_index: Some(key_index),
        account_type: Some(ADVEncryptionType::E2EE),
        device_type: Some(ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let (account_key, signature) = actor.sign(ACCOUNT_SIGNATURE, &[&details, &code.identity]).await;
    let signed = adv_signed_device_identity_to_vec(&ADVSignedDeviceIdentity {
        details: Some(details.clone()),
        account_signature_key: Some(account_key.to_vec()),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    });
    let (done, finished) = oneshot::channel();
    let key = DeviceKey { account: AccountId::Person(phone), device };
    let sealed = seal(signed, &code.secret)?;
    let offer = Offer { key, key_index, details, account_key, sealed, done };
    waiting.offers.send(offer).await.map_err(|_| PairError::Gone)?;
    finished.await.map_err(|_| PairError::Gone)??;
    list_keys(network, phone).await;
    Ok(key)
}

fn seal(signed: Vec<u8>, secret: &[u8]) -> Result<Vec<u8>, PairError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| PairError::Code)?;
    mac.update(&signed);
    let hmac = mac.finalize().into_bytes().to_vec();
    let sealed = ADVSignedDeviceIdentityHMAC {
        details: Some(signed),
        hmac: Some(hmac),
        ..Default::default()
    };
    Ok(sealed.encode_to_vec())
}

/// Signs the list of a person's linked devices anew. Without it some clients ignore linked devices.
async fn list_keys(network: &Network, phone: u64) {
    let (Some(actor), Some((raw_id, indexes))) = (
        network.actor(phone),
        network.with(|world| {
            let person = world.person(phone)?;
            let indexes: Vec<u32> = std::iter::once(0)
                .chain(
                    person.devices.values().filter_map(|d| Some(d.companion.as_ref()?.key_index)),
                )
                .collect();
            Some((person.primary.raw_id, indexes))
        }),
    ) else {
        return;
    };
    let now = clock::now_s();
    let details = adv_key_index_list_to_vec(&ADVKeyIndexList {
        raw_id: Some(raw_id),
        timestamp: Some(now),
        current_index: indexes.iter().max().copied(),
        valid_indexes: indexes,
        ..Default::default()
    });
    let (account_key, signature) = actor.sign(KEY_LIST_SIGNATURE, &[&details]).await;
    let list = adv_signed_key_index_list_to_vec(&ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(account_key.to_vec()),
    });
    network.with(|world| {
        if let Some(person) = world.person_mut(phone) {
            person.primary.signed_key_index_list = Some((now, list.into()));
        }
    });
}

/// Serves a client that wants to be linked, until it is or goes away.
pub(crate) async fn run(
    network: &Arc<Network>,
    client: Client,
    reader: ChannelReader,
    writer: ChannelWriter,
) {
    let (offers, mut offered) = mpsc::channel(1);
    let references: Vec<String> =
        (0..REFERENCES).map(|_| URL_SAFE_NO_PAD.encode(entropy::bytes::<24>())).collect();
    let waiting = Waiting { noise_key: client.noise_key, identity: client.bundle.identity, offers };
    network
        .pairings
        .waiting()
        .extend(references.iter().map(|reference| (reference.clone(), waiting.clone())));
    tokio::select! {
        () = converse(network, &client, &references, &mut offered, reader, writer) => {}
        () = network.stop.cancelled() => {}
    }
    network.pairings.waiting().retain(|reference, _| !references.contains(reference));
}

async fn converse(
    network: &Network,
    client: &Client,
    references: &[String],
    offered: &mut mpsc::Receiver<Offer>,
    mut reader: ChannelReader,
    mut writer: ChannelWriter,
) {
    let refs = references.iter().map(|reference| Node::new("ref").bytes(reference.as_bytes()));
    let pair_device = Node::new("pair-device").with_children(refs);
    if writer.send(&request(fresh_id(), pair_device)).await.is_err() {
        return;
    }
    let mut pending: Option<(String, Offer)> = None;
    loop {
        let node = tokio::select! {
            offer = offered.recv() => {
                let Some(offer) = offer else { return };
                let id = fresh_id();
                let node = network.with(|world| {
                    let names = [View::Number, View::Lid].map(|view| world.name(offer.key, view));
                    request(id.clone(), pair_success(&offer, names))
                });
                pending = Some((id, offer));
                if writer.send(&node).await.is_err() {
                    return;
                }
                continue;
            }
            node = reader.next() => node,
            () = tokio::time::sleep(IDLE_TIME_MAX) => return,
        };
        let Ok(node) = node else { return };
        let Stanza::Iq(iq) = Stanza::parse(node) else { continue };
        match (&iq.body, pending.take()) {
            (IqBody::Result(content), Some((id, offer))) if id == iq.id => {
                let result = link(network, client, &offer, content);
                let restart = result.is_ok();
                // The scanner may have given up waiting; the device is linked all the same.
                if offer.done.send(result).is_err() {
                    tracing::info!("a device was linked and nobody asked any more");
                }
                let farewell = StreamError::Code(if restart { RESTART_REQUIRED } else { 401 });
                if writer.send(&farewell.into_node()).await.is_ok() {
                    writer.close().await;
                }
                return;
            }
            (IqBody::Get { .. } | IqBody::Set { .. }, held) => {
                pending = held;
                if writer.send(&iq.answer(Content::Empty).into_node()).await.is_err() {
                    return;
                }
            }
            (_, held) => pending = held,
        }
    }
}

fn request(id: String, child: Node) -> Node {
    let body = IqBody::Set { xmlns: "md".to_owned(), content: Content::Nodes(vec![child]) };
    IqStanza { id, route: Route::from(Jid::network()), body }.into_node()
}

fn pair_success(offer: &Offer, [jid, lid]: [Jid; 2]) -> Node {
    Node::new("pair-success")
        .child(Node::new("device-identity").bytes(offer.sealed.as_slice()))
        .child(Node::new("device").attr("jid", jid).attr("lid", lid))
        .child(Node::new("platform").attr("name", "emulator"))
}

/// Checks what the client signed and makes it a device of the person.
fn link(
    network: &Network,
    client: &Client,
    offer: &Offer,
    content: &Content,
) -> Result<(), PairError> {
    let signed = content
        .children()
        .iter()
        .find(|node| node.tag == "pair-device-sign")
        .and_then(|node| node.get("device-identity"))
        .and_then(Node::content_bytes)
        .ok_or(PairError::Signature)?;
    let mut identity =
        adv_signed_device_identity_decode(signed).map_err(|_| PairError::Signature)?;
    let signature = identity.device_signature.clone().ok_or(PairError::Signature)?;
    let signer = PublicKey::from_djb_public_key_bytes(&client.bundle.identity)
        .map_err(|_| PairError::Signature)?;
    let message =
        [&DEVICE_SIGNATURE[..], &offer.details, &client.bundle.identity, &offer.account_key];
    if identity.details.as_deref() != Some(&offer.details[..])
        || !signer.verify_signature(&message.concat(), &signature)
    {
        return Err(PairError::Signature);
    }
    // Clients leave the account's key out here; whoever fetches the bundle needs it.
    identity.account_signature_key = Some(offer.account_key.to_vec());
    let companion = Companion {
        noise_key: client.noise_key,
        key_index: offer.key_index,
        signed_identity: Bytes::from(adv_signed_device_identity_to_vec(&identity)),
    };
    let AccountId::Person(phone) = offer.key.account else { return Err(PairError::UnknownPerson) };
    let bundle = Some(client.bundle.clone());
    let device = Device { bundle, companion: Some(companion), ..Device::default() };
    network
        .with(|world| {
            let person = world.person_mut(phone)?;
            person.devices.insert(offer.key.device, device);
            Some(())
        })
        .ok_or(PairError::UnknownPerson)?;
    network.announce_identity(offer.key.account);
    Ok(())
}
