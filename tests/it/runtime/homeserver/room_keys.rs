//! The room keys: encryption that gives other bytes each time, as the real one does.

use async_trait::async_trait;
use causeway::{
    domain::{
        bridged::ActAs,
        item::{KeyChanges, RawEvent},
        verification::{Answer, Verification},
    },
    port::{
        Failure, RoomCipher,
        room_cipher::{
            DecryptFailure, Decrypted, Fingerprints, PersonDevice, PersonDevices, Plain, Unloaded,
        },
    },
};
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::FakeHomeserver;
use crate::runtime::surroundings::Trouble;

/// The room key of our own users, which they have.
const OWN_KEY: &str = "own";

#[async_trait]
impl RoomCipher for FakeHomeserver {
    async fn prepare(&self, _who: &ActAs) -> Result<(), Failure> {
        Ok(())
    }

    async fn receive(&self, changes: &KeyChanges) -> Result<(), Failure> {
        self.receiving.pass().await;
        let trouble = self.state().receive_trouble;
        if trouble == Some(Trouble::Panic) {
            self.state().receive_trouble = None;
        }
        Trouble::befall(trouble, ())?;
        let mut state = self.state();
        for key in &changes.to_device {
            let key = key["room_key"].as_str().unwrap().to_owned();
            state.seen.push(format!("key {key}"));
            state.keys.insert(key);
        }
        Ok(())
    }

    async fn decrypt(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        RawEvent(event): &RawEvent,
    ) -> Result<Decrypted, DecryptFailure> {
        let content = &event["content"];
        let text = content["plain"]["body"].as_str().unwrap_or_default();
        if text.contains("slow") {
            self.decrypting.pass().await;
        }
        assert!(!text.contains("panic"), "the fake panics");
        if text.contains("undecryptable") {
            return Err(DecryptFailure::Undecryptable(Failure::never("a damaged event")));
        }
        if text.contains("never") {
            return Err(DecryptFailure::Outside(Failure::never("the fake refuses")));
        }
        let mut state = self.state();
        Trouble::befall(state.trouble, ()).map_err(DecryptFailure::Outside)?;
        let key = content["room_key"].as_str().unwrap();
        if !state.keys.contains(key) {
            return Err(DecryptFailure::MissingKey);
        }
        state.seen.push(format!("event {text}"));
        Ok(Decrypted {
            sender: event["sender"].as_str().unwrap().try_into().unwrap(),
            event_type: content["plain_type"].as_str().unwrap_or("m.room.message").to_owned(),
            content: content["plain"].clone(),
            sender_verified: true,
        })
    }

    async fn fetch_missed(&self, _who: &ActAs) -> Result<(), Failure> {
        let mut state = self.state();
        state.fetches += 1;
        let missed = std::mem::take(&mut state.missed);
        state.keys.extend(missed);
        Ok(())
    }

    async fn request_key(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        _event: &RawEvent,
    ) -> Result<(), Failure> {
        Ok(())
    }

    async fn forget(&self, users: &[ActAs]) -> Unloaded {
        self.state().forgotten.extend(users.iter().cloned());
        Unloaded::new(())
    }

    async fn acquaint(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        _readers: &[OwnedUserId],
    ) -> Result<(), Failure> {
        Trouble::befall(self.state().trouble, ())
    }

    async fn devices_of(&self, _person: &UserId) -> Result<PersonDevices, Failure> {
        let device = |id: &str, is_cross_signed| PersonDevice {
            id: id.to_owned(),
            name: None,
            is_cross_signed,
        };
        let devices = vec![device("PHONE", true), device("TABLET", false)];
        Ok(PersonDevices { has_identity: true, devices })
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
        let (device, device_key) = ("CAUSEWAY".to_owned(), "devicekey".to_owned());
        Ok(Fingerprints { device, device_key, master_key: Some("masterkey".to_owned()) })
    }

    async fn encrypt(
        &self,
        _who: &ActAs,
        _room: &RoomId,
        _readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure> {
        let mut state = self.state();
        Trouble::befall(state.trouble, ())?;
        state.encryptions += 1;
        state.keys.insert(OWN_KEY.to_owned());
        let nonce = state.encryptions;
        Ok(json!({"nonce": nonce, "room_key": OWN_KEY, "plain": plain.content}))
    }
}
