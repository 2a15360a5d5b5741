//! The Matrix keys of our own users, for their `OlmMachine`s: matrix-sdk-crypto's `CryptoStore`.
//!
//! Every device of ours is an *owner*; all owners share the tables and the connections. The library's own
//! forms are sealed whole, and beside them stands only what rows are found by.

mod device;
mod erase;
mod inbound_session;
mod json;
mod lease;
mod olm_session;
mod room;
mod save;
mod secret;
mod tracked_user;
mod value;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use matrix_sdk_crypto::{
    Account, DeviceData, GossipRequest, SecretInfo, Session, TrackedUser, UserIdentityData,
    olm::{
        Curve25519PublicKey, InboundGroupSession, OlmMessageHash, OutboundGroupSession,
        PrivateCrossSigningIdentity, SenderDataType, StaticAccountData,
    },
    store::{
        CryptoStore, CryptoStoreError,
        types::{
            BackupKeys, Changes, DehydratedDeviceKey, PendingChanges, RoomKeyCounts,
            RoomKeyWithheldEntry, RoomPendingKeyBundleDetails, RoomSettings,
            StoredRoomKeyBundleData,
        },
    },
};
use ruma::{
    DeviceId, OwnedDeviceId, OwnedUserId, RoomId, TransactionId, UserId,
    events::secret::request::SecretName,
};
use zeroize::Zeroizing;

pub(super) use self::{
    erase::{Theirs, erase},
    tracked_user::users_tracking,
};
use self::{save::Save, value::Value};
use super::{database::Database, error::Error};
use crate::port::Failure;

type Result<T> = std::result::Result<T, CryptoStoreError>;

/// The keys of one of our users' devices.
pub struct SqlCryptoStore {
    database: Arc<Database>,
    user: OwnedUserId,
    device: OwnedDeviceId,
    /// Both of them, as rows are keyed. A user id holds no space.
    owner: String,
    /// What never changes of the account, as last loaded or saved: sessions cannot be read without.
    account: RwLock<Option<StaticAccountData>>,
}

impl SqlCryptoStore {
    pub(super) fn new(database: Arc<Database>, user: &UserId, device: &DeviceId) -> Self {
        Self {
            database,
            user: user.to_owned(),
            device: device.to_owned(),
            owner: format!("{user} {device}"),
            account: RwLock::new(None),
        }
    }

    /// What never changes of the account, once it was loaded or saved.
    pub fn get_static_account(&self) -> Option<StaticAccountData> {
        self.static_account()
    }

    fn static_account(&self) -> Option<StaticAccountData> {
        self.account.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember_account(&self, account: &Account) {
        let mut known = self.account.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(account.static_data().clone());
    }

    async fn save(&self, save: &Save) -> Result<()> {
        Ok(self.database.perform(save).await?)
    }
}

impl fmt::Debug for SqlCryptoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlCryptoStore")
            .field("user", &self.user)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// The library hands it on as it is, so a [`Failure`] can be found in it again.
impl From<Error> for CryptoStoreError {
    fn from(error: Error) -> Self {
        Self::backend(Failure::from(error))
    }
}

#[async_trait]
impl CryptoStore for SqlCryptoStore {
    type Error = CryptoStoreError;

    async fn load_account(&self) -> Result<Option<Account>> {
        self.account().await
    }

    async fn load_identity(&self) -> Result<Option<PrivateCrossSigningIdentity>> {
        self.cross_signing().await
    }

    async fn save_changes(&self, changes: Changes) -> Result<()> {
        self.save(&Save::of(&self.owner, changes).await?).await
    }

    async fn save_pending_changes(&self, changes: PendingChanges) -> Result<()> {
        self.save(&Save::of_pending(&self.owner, &changes)?).await?;
        if let Some(account) = &changes.account {
            self.remember_account(account);
        }
        Ok(())
    }

    async fn save_inbound_group_sessions(
        &self,
        sessions: Vec<InboundGroupSession>,
        backed_up_to_version: Option<&str>,
    ) -> Result<()> {
        self.save_inbound(&sessions, backed_up_to_version).await
    }

    async fn get_sessions(&self, sender_key: &str) -> Result<Option<Vec<Session>>> {
        self.olm_sessions(sender_key).await
    }

    async fn get_inbound_group_session(
        &self,
        room_id: &RoomId,
        session_id: &str,
    ) -> Result<Option<InboundGroupSession>> {
        self.inbound(room_id, session_id).await
    }

    async fn get_withheld_info(
        &self,
        room_id: &RoomId,
        session_id: &str,
    ) -> Result<Option<RoomKeyWithheldEntry>> {
        self.withheld(room_id, session_id).await
    }

    async fn get_withheld_sessions_by_room_id(
        &self,
        room_id: &RoomId,
    ) -> Result<Vec<RoomKeyWithheldEntry>> {
        self.withheld_of_room(room_id).await
    }

    async fn get_inbound_group_sessions(&self) -> Result<Vec<InboundGroupSession>> {
        self.all_inbound().await
    }

    async fn inbound_group_session_counts(
        &self,
        backup_version: Option<&str>,
    ) -> Result<RoomKeyCounts> {
        self.count_inbound(backup_version).await
    }

    async fn get_inbound_group_sessions_by_room_id(
        &self,
        room_id: &RoomId,
    ) -> Result<Vec<InboundGroupSession>> {
        self.inbound_of_room(room_id).await
    }

    async fn get_inbound_group_sessions_for_device_batch(
        &self,
        curve_key: Curve25519PublicKey,
        sender_data_type: SenderDataType,
        after_session_id: Option<String>,
        limit: usize,
    ) -> Result<Vec<InboundGroupSession>> {
        self.inbound_of_device(curve_key, sender_data_type, after_session_id, limit).await
    }

    async fn inbound_group_sessions_for_backup(
        &self,
        backup_version: &str,
        limit: usize,
    ) -> Result<Vec<InboundGroupSession>> {
        self.inbound_not_backed_up(backup_version, limit).await
    }

    async fn mark_inbound_group_sessions_as_backed_up(
        &self,
        backup_version: &str,
        room_and_session_ids: &[(&RoomId, &str)],
    ) -> Result<()> {
        self.mark_backed_up(backup_version, room_and_session_ids).await
    }

    /// Rows remember the version that holds them, so a new version finds them by itself.
    async fn reset_backup_state(&self) -> Result<()> {
        Ok(())
    }

    async fn load_backup_keys(&self) -> Result<BackupKeys> {
        self.backup_keys().await
    }

    async fn load_dehydrated_device_pickle_key(&self) -> Result<Option<DehydratedDeviceKey>> {
        self.dehydrated_device_key().await
    }

    async fn delete_dehydrated_device_pickle_key(&self) -> Result<()> {
        let work = value::Remove { owner: &self.owner, name: value::DEHYDRATED_DEVICE_KEY };
        Ok(self.database.perform(&work).await?)
    }

    async fn get_outbound_group_session(
        &self,
        room_id: &RoomId,
    ) -> Result<Option<OutboundGroupSession>> {
        self.outbound_session(room_id).await
    }

    async fn load_tracked_users(&self) -> Result<Vec<TrackedUser>> {
        self.tracked_users().await
    }

    async fn save_tracked_users(&self, users: &[(&UserId, bool)]) -> Result<()> {
        Ok(self.database.perform(&tracked_user::Save { store: self, users }).await?)
    }

    async fn get_device(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Option<DeviceData>> {
        self.device(user_id, device_id).await
    }

    async fn get_user_devices(
        &self,
        user_id: &UserId,
    ) -> Result<HashMap<OwnedDeviceId, DeviceData>> {
        self.devices(user_id).await
    }

    async fn get_own_device(&self) -> Result<DeviceData> {
        self.own_device().await
    }

    async fn get_user_identity(&self, user_id: &UserId) -> Result<Option<UserIdentityData>> {
        self.identity(user_id).await
    }

    async fn is_message_known(&self, message_hash: &OlmMessageHash) -> Result<bool> {
        self.knows_message(message_hash).await
    }

    async fn get_outgoing_secret_requests(
        &self,
        request_id: &TransactionId,
    ) -> Result<Option<GossipRequest>> {
        self.request(request_id).await
    }

    async fn get_secret_request_by_info(
        &self,
        secret_info: &SecretInfo,
    ) -> Result<Option<GossipRequest>> {
        self.request_about(secret_info).await
    }

    async fn get_unsent_secret_requests(&self) -> Result<Vec<GossipRequest>> {
        self.unsent_requests().await
    }

    async fn delete_outgoing_secret_requests(&self, request_id: &TransactionId) -> Result<()> {
        let work = secret::RemoveRequest { owner: &self.owner, id: request_id };
        Ok(self.database.perform(&work).await?)
    }

    async fn get_secrets_from_inbox(
        &self,
        secret_name: &SecretName,
    ) -> Result<Vec<Zeroizing<String>>> {
        self.secrets(secret_name).await
    }

    async fn delete_secrets_from_inbox(&self, secret_name: &SecretName) -> Result<()> {
        let work = secret::RemoveSecrets { owner: &self.owner, name: secret_name };
        Ok(self.database.perform(&work).await?)
    }

    async fn get_room_settings(&self, room_id: &RoomId) -> Result<Option<RoomSettings>> {
        self.room_settings(room_id).await
    }

    async fn get_received_room_key_bundle_data(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Option<StoredRoomKeyBundleData>> {
        self.key_bundle(room_id, user_id).await
    }

    async fn get_pending_key_bundle_details_for_room(
        &self,
        room_id: &RoomId,
    ) -> Result<Option<RoomPendingKeyBundleDetails>> {
        self.pending_key_bundle(room_id).await
    }

    async fn get_all_rooms_pending_key_bundles(&self) -> Result<Vec<RoomPendingKeyBundleDetails>> {
        self.pending_key_bundles().await
    }

    async fn has_downloaded_all_room_keys(&self, room_id: &RoomId) -> Result<bool> {
        self.keys_downloaded(room_id).await
    }

    async fn get_custom_value(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.value(&value::custom(key)).await?.map(|value| value.to_vec()))
    }

    async fn set_custom_value(&self, key: &str, value: Vec<u8>) -> Result<()> {
        let value = Value { name: value::custom(key), plain: Zeroizing::new(value) };
        self.save(&Save::of_value(&self.owner, value)).await
    }

    async fn remove_custom_value(&self, key: &str) -> Result<()> {
        let work = value::Remove { owner: &self.owner, name: &value::custom(key) };
        Ok(self.database.perform(&work).await?)
    }

    async fn try_take_leased_lock(
        &self,
        lease_duration_ms: u32,
        key: &str,
        holder: &str,
    ) -> Result<Option<u64>> {
        let (owner, name, duration_ms) = (&*self.owner, key, lease_duration_ms);
        let work = lease::Take { owner, name, holder, duration_ms };
        Ok(self.database.perform(&work).await?)
    }

    async fn next_batch_token(&self) -> Result<Option<String>> {
        self.value(value::NEXT_BATCH).await?.map(|bytes| json::read(&bytes)).transpose()
    }

    /// The connections belong to all owners, so one of them does not close them.
    async fn close(&self) -> Result<()> {
        Ok(())
    }

    async fn reopen(&self) -> Result<()> {
        Ok(())
    }

    async fn get_size(&self) -> Result<Option<usize>> {
        Ok(None)
    }
}
