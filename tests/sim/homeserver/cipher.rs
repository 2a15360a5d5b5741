//! The room keys of our users' machines, which save themselves. Nothing is encrypted here: what is looked at
//! is which key something is under, and that no place in a ratchet is used for two plaintexts.

use async_trait::async_trait;
use causeway::{
    domain::{
        bridged::ActAs,
        item::{KeyChanges, RawEvent},
        verification::{Answer, Verification},
    },
    port::{
        Failure, RoomCipher,
        room_cipher::{DecryptFailure, Decrypted, Fingerprints, PersonDevices, Plain, Unloaded},
    },
};
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use crate::{
    faults::{Faults, Road},
    world::{Outside, State},
};

/// The room key of our own users, which they have.
const OWN_KEY: &str = "own";

fn road(faults: &Faults) -> Road {
    faults.to_homeserver
}

/// What asks nobody but the machine's own store.
fn within(faults: &Faults) -> Road {
    Road { takes: 1, fails_before: faults.keys_refused, ..Road::default() }
}

#[async_trait]
impl RoomCipher for Outside {
    async fn prepare(&self, _who: &ActAs) -> Result<(), Failure> {
        self.call(road, "prepare", |_| Ok(())).await
    }

    async fn receive(&self, changes: &KeyChanges) -> Result<(), Failure> {
        let received = |state: &mut State| {
            let keys = changes.to_device.iter().filter_map(|key| key["room_key"].as_str());
            state.homeserver.machines.extend(keys.map(str::to_owned));
            Ok(())
        };
        self.call(within, "receive", received).await
    }

    async fn decrypt(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        RawEvent(event): &RawEvent,
    ) -> Result<Decrypted, DecryptFailure> {
        let content = &event["content"];
        let key = content["session_id"].as_str().unwrap();
        let found = |state: &mut State| Ok(state.homeserver.machines.contains(key));
        let has_key = self.call(within, "decrypt", found).await.map_err(DecryptFailure::Outside)?;
        if !has_key {
            return Err(DecryptFailure::MissingKey);
        }
        Ok(Decrypted {
            sender: event["sender"].as_str().unwrap().try_into().unwrap(),
            event_type: "m.room.message".to_owned(),
            content: content["plain"].clone(),
            sender_verified: true,
        })
    }

    async fn fetch_missed(&self, _who: &ActAs) -> Result<(), Failure> {
        let fetched = |state: &mut State| {
            let homeserver = &mut state.homeserver;
            homeserver.machines.extend(homeserver.device_inbox.iter().cloned());
            Ok(())
        };
        self.call(road, "fetch_missed", fetched).await
    }

    async fn request_key(&self, _: &ActAs, _: &RoomId, _: &RawEvent) -> Result<(), Failure> {
        self.call(road, "request_key", |_| Ok(())).await
    }

    async fn forget(&self, _users: &[ActAs]) -> Unloaded {
        Unloaded::new(())
    }

    async fn acquaint(&self, _: &ActAs, _: &RoomId, _: &[OwnedUserId]) -> Result<(), Failure> {
        self.call(road, "acquaint", |_| Ok(())).await
    }

    async fn devices_of(&self, _person: &UserId) -> Result<PersonDevices, Failure> {
        Ok(PersonDevices { has_identity: true, devices: Vec::new() })
    }

    fn verification_news(&self) -> Vec<Verification> {
        Vec::new()
    }

    fn comparing(&self, _person: &UserId) -> Vec<Verification> {
        Vec::new()
    }

    async fn answer_verification(
        &self,
        _who: &ActAs,
        _person: &UserId,
        _flow: &str,
        _answer: Answer,
    ) -> Result<bool, Failure> {
        Ok(false)
    }

    async fn fingerprints(&self, _who: &ActAs) -> Result<Fingerprints, Failure> {
        Err(Failure::never("nobody asks for fingerprints here"))
    }

    async fn encrypt(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        _readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure> {
        let content = plain.content.clone();
        // The machine saves itself: an index that was given out is never given out again.
        let encrypted = |state: &mut State| {
            state.homeserver.encryptions += 1;
            state.homeserver.machines.insert(OWN_KEY.to_owned());
            let index = state.homeserver.encryptions;
            Ok(json!({"session_id": OWN_KEY, "index": index, "plain": content}))
        };
        self.call(road, "encrypt", encrypted).await
    }
}
