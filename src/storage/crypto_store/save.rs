//! The library's list of changes as one unit of work.
//!
//! What is to be saved is brought into its stored form first: that waits for locks of the library, and a
//! unit of work must be repeatable.

use matrix_sdk_crypto::{
    olm::OlmMessageHash,
    store::{
        CryptoStoreError,
        types::{Changes, PendingChanges, SecretsInboxItem},
    },
};

use super::{
    device::{self, Device, Identity},
    inbound_session::{self, InboundSession},
    olm_session::{self, OlmSession},
    room::{self, Kind, RoomValue},
    secret::{self, Request},
    value::{self, Value},
};
use crate::storage::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};

/// Everything of one save, ready to be written.
#[derive(Default)]
pub(super) struct Save {
    owner: String,
    values: Vec<Value>,
    olm_sessions: Vec<OlmSession>,
    olm_messages: Vec<OlmMessageHash>,
    inbound_sessions: Vec<InboundSession>,
    room_values: Vec<RoomValue>,
    devices: Vec<Device>,
    devices_gone: Vec<(String, String)>,
    identities: Vec<Identity>,
    requests: Vec<Request>,
    secrets: Vec<SecretsInboxItem>,
}

impl Save {
    pub(super) fn of_value(owner: &str, value: Value) -> Self {
        Self { owner: owner.to_owned(), values: vec![value], ..Self::default() }
    }

    pub(super) fn of_pending(
        owner: &str,
        PendingChanges { account }: &PendingChanges,
    ) -> Result<Self, CryptoStoreError> {
        let mut save = Self { owner: owner.to_owned(), ..Self::default() };
        if let Some(account) = account {
            save.values.push(Value::json(value::ACCOUNT, &account.pickle())?);
        }
        Ok(save)
    }

    pub(super) async fn of(owner: &str, changes: Changes) -> Result<Self, CryptoStoreError> {
        let mut save = Self { owner: owner.to_owned(), ..Self::default() };
        save.add_values(&changes).await?;
        save.add_room_values(&changes).await?;
        for session in &changes.sessions {
            save.olm_sessions.push(OlmSession::of(session).await?);
        }
        for session in &changes.inbound_group_sessions {
            save.inbound_sessions.push(InboundSession::of(session, None).await?);
        }
        for device in changes.devices.new.iter().chain(&changes.devices.changed) {
            save.devices.push(Device::of(device)?);
        }
        for device in &changes.devices.deleted {
            save.devices_gone.push((device.user_id().to_string(), device.device_id().to_string()));
        }
        for identity in changes.identities.new.iter().chain(&changes.identities.changed) {
            save.identities.push(Identity::of(identity)?);
        }
        for request in &changes.key_requests {
            save.requests.push(Request::of(request)?);
        }
        save.olm_messages = changes.message_hashes;
        save.secrets = changes.secrets;
        Ok(save)
    }

    async fn add_values(&mut self, changes: &Changes) -> Result<(), CryptoStoreError> {
        if let Some(identity) = &changes.private_identity {
            self.values.push(Value::json(value::CROSS_SIGNING, &identity.pickle().await)?);
        }
        if let Some(version) = &changes.backup_version {
            self.values.push(Value::json(value::BACKUP_VERSION, version)?);
        }
        if let Some(key) = &changes.backup_decryption_key {
            self.values.push(Value::json(value::BACKUP_KEY, key)?);
        }
        if let Some(key) = &changes.dehydrated_device_pickle_key {
            self.values.push(Value::json(value::DEHYDRATED_DEVICE_KEY, key)?);
        }
        if let Some(token) = &changes.next_batch_token {
            self.values.push(Value::json(value::NEXT_BATCH, token)?);
        }
        Ok(())
    }

    async fn add_room_values(&mut self, changes: &Changes) -> Result<(), CryptoStoreError> {
        for session in &changes.outbound_group_sessions {
            self.room_values.push(RoomValue::outbound_session(session).await?);
        }
        for (room, settings) in &changes.room_settings {
            self.room_values.push(RoomValue::json(Kind::Settings, room, "", settings)?);
        }
        for (room, entries) in &changes.withheld_session_info {
            for (session_id, entry) in entries {
                self.room_values.push(RoomValue::json(Kind::Withheld, room, session_id, entry)?);
            }
        }
        for bundle in &changes.received_room_key_bundles {
            let (room, sender) = (&bundle.bundle_data.room_id, bundle.sender_user.as_str());
            self.room_values.push(RoomValue::json(Kind::KeyBundle, room, sender, bundle)?);
        }
        for (room, details) in &changes.rooms_pending_key_bundle {
            self.room_values.push(match details {
                Some(details) => RoomValue::json(Kind::PendingKeyBundle, room, "", details)?,
                None => RoomValue::gone(Kind::PendingKeyBundle, room),
            });
        }
        for room in &changes.room_key_backups_fully_downloaded {
            self.room_values.push(RoomValue::json(Kind::KeysDownloaded, room, "", &true)?);
        }
        Ok(())
    }
}

impl UnitOfWork for Save {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        let owner = &self.owner;
        for value in &self.values {
            value::save(writer, owner, value).await?;
        }
        for session in &self.olm_sessions {
            olm_session::save(writer, owner, session).await?;
        }
        for message in &self.olm_messages {
            olm_session::remember_message(writer, owner, message).await?;
        }
        for session in &self.inbound_sessions {
            inbound_session::save(writer, owner, session).await?;
        }
        for value in &self.room_values {
            room::save(writer, owner, value).await?;
        }
        for device in &self.devices {
            device::save(writer, owner, device).await?;
        }
        for (user, device) in &self.devices_gone {
            device::remove(writer, owner, user, device).await?;
        }
        for identity in &self.identities {
            device::save_identity(writer, owner, identity).await?;
        }
        for request in &self.requests {
            secret::save_request(writer, owner, request).await?;
        }
        for secret in &self.secrets {
            secret::save_secret(writer, owner, secret).await?;
        }
        Ok(Verdict::Keep(()))
    }
}
