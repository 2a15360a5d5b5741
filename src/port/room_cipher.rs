//! Megolm for our users: each has its own device, cross-signed by its own identity.
//!
//! The machine behind this port saves itself, so its steps stand only where repeating them is
//! harmless: the asymmetry to the Signal side.

use std::fmt;

use async_trait::async_trait;
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::Value;

use super::Failure;
use crate::domain::{
    bridged::ActAs,
    item::{KeyChanges, RawEvent},
    verification::{Answer, Verification},
};

/// What an encrypted event held, in memory only.
#[derive(Clone, PartialEq)]
pub struct Decrypted {
    pub sender: OwnedUserId,
    pub event_type: String,
    pub content: Value,
    /// Whether the sending device is cross-signed by its owner.
    pub sender_verified: bool,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sender, event_type, content: _, sender_verified } = self;
        f.debug_struct("Decrypted")
            .field("sender", sender)
            .field("event_type", event_type)
            .field("sender_verified", sender_verified)
            .finish_non_exhaustive()
    }
}

/// The Matrix devices of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonDevices {
    /// Whether the person has cross-signing at all.
    pub has_identity: bool,
    pub devices: Vec<PersonDevice>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonDevice {
    pub id: String,
    pub name: Option<String>,
    /// Whether its owner signed it.
    pub is_cross_signed: bool,
}

/// The public keys by which one of our users is known, in unpadded base64, as clients show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints {
    pub device: String,
    /// Ed25519, of the device.
    pub device_key: String,
    /// Ed25519, of the cross-signing identity.
    pub master_key: Option<String>,
}

#[derive(Debug)]
pub enum DecryptFailure {
    /// The room key has not come (yet): repair and try again.
    MissingKey,
    /// It will never decrypt.
    Undecryptable(Failure),
    /// Storage or the homeserver failed.
    Outside(Failure),
}

/// What is to be encrypted.
#[derive(Clone)]
pub struct Plain<'a> {
    pub event_type: &'a str,
    pub content: &'a Value,
}

impl fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({}, …)", self.event_type)
    }
}

/// Users whose keys nobody has in memory, and nobody loads, for as long as this lives.
pub struct Unloaded(#[expect(dead_code, reason = "it is held, and dropped")] Box<dyn Send>);

impl Unloaded {
    /// `held` keeps the keys from being loaded until it is dropped.
    pub fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Unloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unloaded(…)")
    }
}

#[async_trait]
pub trait RoomCipher: Send + Sync {
    /// Makes the user's device and cross-signing keys exist. Safe to repeat.
    async fn prepare(&self, who: &ActAs) -> Result<(), Failure>;

    /// Hands the key material of one transaction to every machine that it concerns.
    async fn receive(&self, changes: &KeyChanges) -> Result<(), Failure>;

    async fn decrypt(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<Decrypted, DecryptFailure>;

    /// Fetches the to-device messages that the homeserver did not push, as the user's device.
    async fn fetch_missed(&self, who: &ActAs) -> Result<(), Failure>;

    /// Asks the user's own other devices for the room key of an event: a machine takes a key from
    /// nobody else. Our users have one device, so an answer needs an operator's second one.
    async fn request_key(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<(), Failure>;

    /// Waits until nobody uses the keys of these users and lets go of them, so that what is deleted
    /// from their stores meanwhile does not come back out of memory.
    async fn forget(&self, users: &[ActAs]) -> Unloaded;

    /// Shares a room key with every device of the readers before anything is said. From then on they
    /// write to the user in a session that we have: of sessions that were erased here
    /// ([`RoomCipher::forget`]) their devices do not know that they are gone, and would go on using them.
    async fn acquaint(
        &self,
        who: &ActAs,
        room: &RoomId,
        readers: &[OwnedUserId],
    ) -> Result<(), Failure>;

    /// A person's devices, as the homeserver has them now.
    async fn devices_of(&self, person: &UserId) -> Result<PersonDevices, Failure>;

    /// What people's verifications of our users came to since this was last asked: look after
    /// [`receive`](Self::receive) and [`decrypt`](Self::decrypt).
    fn verification_news(&self) -> Vec<Verification>;

    /// The verifications in which a person has a code to compare.
    fn comparing(&self, person: &UserId) -> Vec<Verification>;

    /// `false` if there is no such verification (any more).
    async fn answer_verification(
        &self,
        who: &ActAs,
        person: &UserId,
        flow: &str,
        answer: Answer,
    ) -> Result<bool, Failure>;

    async fn fingerprints(&self, who: &ActAs) -> Result<Fingerprints, Failure>;

    /// Shares the room key with every device of the readers and encrypts. The result is the
    /// content of an `m.room.encrypted` event.
    async fn encrypt(
        &self,
        who: &ActAs,
        room: &RoomId,
        readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure>;
}
