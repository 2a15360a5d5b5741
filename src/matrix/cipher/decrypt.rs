//! Decrypting an event, and asking for its room key.

use matrix_sdk_common::deserialized_responses::{VerificationLevel, VerificationState};
use matrix_sdk_crypto::types::events::room::encrypted::EncryptedEvent;
use ruma::{OwnedUserId, RoomId, UserId, serde::Raw};
use serde_json::Value;

use super::{
    DECRYPTION, MatrixCipher,
    failure::{from_decryption, from_megolm, from_store},
    machines::Machine,
    verification,
};
use crate::{
    domain::{bridged::ActAs, item::RawEvent},
    port::{
        Failure, Homeserver as _,
        room_cipher::{DecryptFailure, Decrypted},
    },
};

impl MatrixCipher {
    pub(super) async fn decrypt_event(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<Decrypted, DecryptFailure> {
        let sender = sender(event).map_err(DecryptFailure::Undecryptable)?;
        let raw = raw(event).map_err(DecryptFailure::Undecryptable)?;
        let machine = self.machines.open(who).await.map_err(DecryptFailure::Outside)?;
        self.know_devices(&machine, &sender).await.map_err(DecryptFailure::Outside)?;

        let decrypted = machine
            .olm
            .decrypt_room_event(&raw, room, &DECRYPTION)
            .await
            .map_err(from_decryption)?;
        let info = &decrypted.encryption_info;
        let sender_verified = match &info.verification_state {
            VerificationState::Verified => true,
            VerificationState::Unverified(level) => match level {
                // The person's own signature is on the device; that nobody on our side compared
                // keys with the person is another question.
                VerificationLevel::UnverifiedIdentity
                | VerificationLevel::VerificationViolation => true,
                VerificationLevel::UnsignedDevice | VerificationLevel::None(_) => false,
                VerificationLevel::MismatchedSender => return Err(foreign_key()),
            },
        };
        if info.sender != sender {
            return Err(foreign_key());
        }
        let mut event: Value = serde_json::from_str(decrypted.event.json().get())
            .map_err(|_error| undecryptable("the plaintext is no JSON"))?;
        let event_type = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let content = event.get_mut("content").map(Value::take).unwrap_or_default();
        if verification::is_of_flow(&event_type, &content) {
            self.verify_in_room(&machine, room, &sender, &decrypted.event).await;
        }
        Ok(Decrypted { sender, event_type, content, sender_verified })
    }

    /// Tracks the sender's devices: only a device that we know can be one that its owner signed.
    /// A homeserver that does not tell now makes the sender unverified, not unreadable.
    async fn know_devices(&self, machine: &Machine, sender: &UserId) -> Result<(), Failure> {
        if self.homeserver.our_user(sender).is_some() {
            return Ok(());
        }
        let tracked = machine.olm.update_tracked_users([sender]).await;
        tracked.map_err(from_store("tracking the sender"))?;
        self.flush_or_remember(machine).await;
        Ok(())
    }

    pub(super) async fn request_room_key(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
    ) -> Result<(), Failure> {
        let raw = raw(event)?;
        let machine = self.machines.open(who).await?;
        let (cancellation, request) = machine
            .olm
            .request_room_key(&raw, room)
            .await
            .map_err(from_megolm("requesting a room key"))?;
        // A device ignores a request that repeats one it has not seen cancelled.
        for request in cancellation.iter().chain([&request]) {
            self.send_request(&machine, request).await?;
        }
        Ok(())
    }
}

fn raw(event: &RawEvent) -> Result<Raw<EncryptedEvent>, Failure> {
    let json = serde_json::value::to_raw_value(&event.0)
        .map_err(|_error| Failure::never("an event is no JSON"))?;
    Ok(Raw::from_json(json))
}

fn sender(event: &RawEvent) -> Result<OwnedUserId, Failure> {
    let sender = event.0.get("sender").and_then(Value::as_str);
    sender
        .and_then(|sender| OwnedUserId::try_from(sender).ok())
        .ok_or_else(|| Failure::never("an event without a sender"))
}

fn undecryptable(why: &str) -> DecryptFailure {
    DecryptFailure::Undecryptable(Failure::never(format!("decrypting an event: {why}")))
}

/// Whoever sent the event used a room key that somebody else had made.
fn foreign_key() -> DecryptFailure {
    undecryptable("the room key is not the sender's")
}
