//! Making a user's device and cross-signing identity exist on the homeserver.
//!
//! Any step may be the last one before a crash. Keys are saved before they are uploaded and
//! uploaded unchanged, so a repetition uploads the same ones; the mark at the end only saves
//! the repetition.

use std::collections::BTreeMap;

use matrix_sdk_crypto::{
    CrossSigningBootstrapRequests, EncryptionSyncChanges,
    types::requests::{AnyIncomingResponse, OutgoingRequest, UploadSigningKeysRequest},
};
use ruma::{
    TransactionId,
    api::client::{
        keys::{upload_signatures, upload_signing_keys},
        sync::sync_events::DeviceLists,
    },
};

use super::{
    DECRYPTION, MatrixCipher,
    failure::{from_olm, from_store},
    machines::Machine,
};
use crate::port::{Failure, Retry};

/// The key, in the machine's own store, of the mark that everything is published.
const PREPARED: &str = "causeway.prepared";

impl MatrixCipher {
    /// Publishes the machine's keys unless that was done before.
    pub(super) async fn ensure_prepared(&self, machine: &mut Machine) -> Result<(), Failure> {
        if machine.prepared {
            return Ok(());
        }
        let what = "preparing a device";
        let store = machine.olm.store();
        if store.get_custom_value(PREPARED).await.map_err(from_store(what))?.is_none() {
            self.homeserver.ensure_device(&machine.who).await?;
            self.publish(machine).await?;
            store.set_custom_value(PREPARED, vec![1]).await.map_err(from_store(what))?;
        }
        machine.prepared = true;
        Ok(())
    }

    async fn publish(&self, machine: &Machine) -> Result<(), Failure> {
        generate_fallback_key(machine).await?;
        let CrossSigningBootstrapRequests {
            upload_keys_req,
            upload_signing_keys_req,
            upload_signatures_req,
        } = machine
            .olm
            .bootstrap_cross_signing(false)
            .await
            .map_err(from_store("making a cross-signing identity"))?;
        if let Some(request) = &upload_keys_req {
            self.upload_device_keys(machine, request).await?;
        }
        self.upload_signing_keys(machine, upload_signing_keys_req).await?;
        self.upload_signatures(machine, upload_signatures_req).await?;

        // Our own device as others see it, signature included, goes into every Olm message.
        let tracked = machine.olm.update_tracked_users([&*machine.user]).await;
        tracked.map_err(from_store("tracking our own devices"))?;
        self.flush(machine).await
    }

    /// Uploads device keys and one-time keys. A homeserver that refuses them knows a device of
    /// this name with other keys, from an installation whose database is gone: that one goes.
    ///
    /// It may only go before the machine believes that its keys are uploaded, since it uploads
    /// them once.
    async fn upload_device_keys(
        &self,
        machine: &Machine,
        request: &OutgoingRequest,
    ) -> Result<(), Failure> {
        match self.send_request(machine, request).await {
            Err(failure) if failure.retry == Retry::Never => {
                tracing::warn!(user = ?machine.who, %failure, "replacing the user's device");
                self.homeserver.delete_device(&machine.who).await?;
                self.homeserver.ensure_device(&machine.who).await?;
                self.send_request(machine, request).await
            }
            other => other,
        }
    }

    /// Publishes the identity; an application service needs no further authentication (MSC4190).
    async fn upload_signing_keys(
        &self,
        machine: &Machine,
        keys: UploadSigningKeysRequest,
    ) -> Result<(), Failure> {
        let mut request = upload_signing_keys::v3::Request::new();
        request.master_key = keys.master_key.map(|key| key.to_raw());
        request.self_signing_key = keys.self_signing_key.map(|key| key.to_raw());
        request.user_signing_key = keys.user_signing_key.map(|key| key.to_raw());
        let identity = self.homeserver.identity(&machine.user);
        let call = self.homeserver.api().call("uploading an identity", identity, request);
        let response = call.await?;
        let response = AnyIncomingResponse::SigningKeysUpload(&response);
        let marked = machine.olm.mark_request_as_sent(&TransactionId::new(), response).await;
        marked.map_err(from_olm("marking an identity as published"))
    }

    pub(super) async fn upload_signatures(
        &self,
        machine: &Machine,
        request: upload_signatures::v3::Request,
    ) -> Result<(), Failure> {
        let identity = self.homeserver.identity(&machine.user);
        let call = self.homeserver.api().call("uploading signatures", identity, request);
        if call.await?.failures.is_empty() {
            return Ok(());
        }
        Err(Failure::never("uploading signatures: the homeserver refuses one"))
    }
}

/// Makes the fallback key, which answers for a device without one-time keys; a transaction would
/// ask for it anyway, but only after somebody wrote.
async fn generate_fallback_key(machine: &Machine) -> Result<(), Failure> {
    let changes = EncryptionSyncChanges {
        to_device_events: Vec::new(),
        changed_devices: &DeviceLists::new(),
        one_time_keys_counts: &BTreeMap::new(),
        unused_fallback_keys: Some(&[]),
        next_batch_token: None,
    };
    let received = machine.olm.receive_sync_changes(changes, &DECRYPTION).await;
    received.map_err(from_olm("making a fallback key"))?;
    Ok(())
}
