//! Megolm for our users: one `OlmMachine` a user, one user of it at a time.
//!
//! The machine decides and saves itself; this module carries its requests to the homeserver and
//! the answers back. It never sees a storage table, and nothing that it decrypts is logged.

mod decrypt;
mod encrypt;
mod failure;
mod flush;
mod machines;
mod missed;
mod prepare;
mod receive;
mod trust;
mod verification;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use matrix_sdk_crypto::{CollectStrategy, DecryptionSettings, TrustRequirement};
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::Value;

use self::{machines::Machines, verification::Flows};
use super::client::MatrixHomeserver;
use crate::{
    domain::{
        bridged::ActAs,
        item::{KeyChanges, RawEvent},
        verification::{Answer, Verification},
    },
    port::{
        Failure, KeyStores, RoomCipher,
        room_cipher::{DecryptFailure, Decrypted, Fingerprints, PersonDevices, Plain, Unloaded},
    },
};

/// Design decision 8: read what any device of a person writes, and say which are not verified.
const DECRYPTION: DecryptionSettings =
    DecryptionSettings { sender_device_trust_requirement: TrustRequirement::Untrusted };

/// Which devices of the readers get the room key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySharing {
    /// All of them.
    #[default]
    AllDevices,
    /// Only those that their owner cross-signed (MSC4153).
    CrossSignedDevices,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct CipherOptions {
    pub key_sharing: KeySharing,
}

/// The machines of our users, on demand.
pub struct MatrixCipher {
    homeserver: Arc<MatrixHomeserver>,
    stores: Arc<dyn KeyStores>,
    machines: Machines,
    sharing_strategy: CollectStrategy,
    /// Users whose machine still has something to tell the homeserver.
    unflushed: Mutex<BTreeSet<ActAs>>,
    flows: Mutex<Flows>,
}

impl fmt::Debug for MatrixCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixCipher").field("homeserver", &self.homeserver).finish_non_exhaustive()
    }
}

impl MatrixCipher {
    pub fn new(
        homeserver: Arc<MatrixHomeserver>,
        stores: Arc<dyn KeyStores>,
        options: CipherOptions,
    ) -> Self {
        let sharing_strategy = match options.key_sharing {
            KeySharing::AllDevices => CollectStrategy::AllDevices,
            KeySharing::CrossSignedDevices => CollectStrategy::IdentityBasedStrategy,
        };
        let machines = Machines::new(Arc::clone(&homeserver), Arc::clone(&stores));
        let unflushed = Mutex::new(BTreeSet::new());
        let flows = Mutex::default();
        Self { homeserver, stores, machines, sharing_strategy, unflushed, flows }
    }
}

#[async_trait]
impl RoomCipher for MatrixCipher {
    async fn prepare(&self, who: &ActAs) -> Result<(), Failure> {
        let mut machine = self.machines.open(who).await?;
        self.ensure_prepared(&mut machine).await
    }

    async fn receive(&self, changes: &KeyChanges) -> Result<(), Failure> {
        self.receive_changes(changes).await
    }

    async fn decrypt(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<Decrypted, DecryptFailure> {
        self.decrypt_event(who, room, event).await
    }

    async fn fetch_missed(&self, who: &ActAs) -> Result<(), Failure> {
        self.fetch_missed_changes(who).await
    }

    async fn request_key(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<(), Failure> {
        self.request_room_key(who, room, event).await
    }

    async fn forget(&self, users: &[ActAs]) -> Unloaded {
        // One after the other in one order: two that forget cannot wait for each other.
        let users: BTreeSet<_> = users.iter().collect();
        let mut held = Vec::with_capacity(users.len());
        for who in users {
            held.push(self.machines.unload(who).await);
        }
        Unloaded::new(held)
    }

    async fn acquaint(
        &self,
        who: &ActAs,
        room: &RoomId,
        readers: &[OwnedUserId],
    ) -> Result<(), Failure> {
        let mut machine = self.machines.open(who).await?;
        self.share_room_key(&mut machine, room, readers).await
    }

    async fn devices_of(&self, person: &UserId) -> Result<PersonDevices, Failure> {
        self.devices_of_person(person).await
    }

    fn verification_news(&self) -> Vec<Verification> {
        self.take_verification_news()
    }

    fn comparing(&self, person: &UserId) -> Vec<Verification> {
        self.codes_shown_to(person)
    }

    async fn answer_verification(
        &self,
        who: &ActAs,
        person: &UserId,
        flow: &str,
        answer: Answer,
    ) -> Result<bool, Failure> {
        self.answer_flow(who, person, flow, answer).await
    }

    async fn fingerprints(&self, who: &ActAs) -> Result<Fingerprints, Failure> {
        self.own_fingerprints(who).await
    }

    async fn encrypt(
        &self,
        who: &ActAs,
        room: &RoomId,
        readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure> {
        self.encrypt_event(who, room, readers, plain).await
    }
}
