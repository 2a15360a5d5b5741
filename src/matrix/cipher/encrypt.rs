//! Sharing a room key with the readers' devices, and encrypting.

use std::{ops::Deref, sync::Arc};

use matrix_sdk_crypto::EncryptionSettings;
use ruma::{
    OwnedUserId, RoomId,
    events::{AnyMessageLikeEventContent, room::history_visibility::HistoryVisibility},
    serde::Raw,
};
use serde_json::Value;

use super::{
    MatrixCipher,
    failure::{from_megolm, from_olm, from_store},
    machines::Machine,
};
use crate::{
    domain::bridged::ActAs,
    port::{Failure, Homeserver as _, room_cipher::Plain},
};

impl MatrixCipher {
    pub(super) async fn encrypt_event(
        &self,
        who: &ActAs,
        room: &RoomId,
        readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure> {
        let mut machine = self.machines.open(who).await?;
        self.share_room_key(&mut machine, room, readers).await?;
        encrypt_shared(&machine, room, plain).await
    }

    /// The same with a machine that is open and knows the readers' devices.
    pub(super) async fn encrypt_for(
        &self,
        machine: &Machine,
        room: &RoomId,
        readers: &[OwnedUserId],
        plain: Plain<'_>,
    ) -> Result<Value, Failure> {
        self.share_with_known(machine, room, readers).await?;
        encrypt_shared(machine, room, plain).await
    }

    /// Makes every device of the readers have the key of what is encrypted next.
    pub(super) async fn share_room_key(
        &self,
        machine: &mut Machine,
        room: &RoomId,
        readers: &[OwnedUserId],
    ) -> Result<(), Failure> {
        // Our own users get their messages from the other side: they need no room key.
        let mut readers = readers.to_vec();
        readers.retain(|reader| self.homeserver.our_user(reader).is_none());
        self.ensure_prepared(machine).await?;
        let tracked = machine.olm.update_tracked_users(readers.iter().map(Deref::deref)).await;
        tracked.map_err(from_store("tracking the readers"))?;
        self.flush(machine).await?;
        self.share_with_known(machine, room, &readers).await
    }

    async fn share_with_known(
        &self,
        machine: &Machine,
        room: &RoomId,
        readers: &[OwnedUserId],
    ) -> Result<(), Failure> {
        self.claim_sessions(machine, readers).await?;
        let settings = EncryptionSettings {
            // Readers must not pass the key on to whoever is invited later (MSC3061).
            history_visibility: HistoryVisibility::Invited,
            sharing_strategy: self.sharing_strategy.clone(),
            ..EncryptionSettings::default()
        };
        let requests = machine
            .olm
            .share_room_key(room, readers.iter().map(Deref::deref), settings)
            .await
            .map_err(from_olm("sharing a room key"))?;
        for request in requests.iter().map(Arc::as_ref) {
            self.send_to_device(machine, request).await?;
        }
        Ok(())
    }
}

/// With the room key that was shared.
async fn encrypt_shared(
    machine: &Machine,
    room: &RoomId,
    plain: Plain<'_>,
) -> Result<Value, Failure> {
    let content = Raw::<AnyMessageLikeEventContent>::from_json(
        serde_json::value::to_raw_value(plain.content)
            .map_err(|_error| Failure::never("an event's content is no JSON"))?,
    );
    let encrypted = machine
        .olm
        .encrypt_room_event_raw(room, plain.event_type, &content)
        .await
        .map_err(from_megolm("encrypting an event"))?;
    serde_json::from_str(encrypted.content.json().get())
        .map_err(|_error| Failure::never("encrypting an event: the result is no JSON"))
}
