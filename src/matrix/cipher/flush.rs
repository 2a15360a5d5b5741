//! Carrying a machine's requests to the homeserver, and the answers back.
//!
//! Everything here can be repeated: what was sent but not marked is sent again.

use std::{ops::Deref, sync::PoisonError};

use matrix_sdk_crypto::types::requests::{
    AnyOutgoingRequest, KeysQueryRequest, OutgoingRequest, ToDeviceRequest,
};
use ruma::{
    OwnedUserId, TransactionId,
    api::client::{
        keys::{claim_keys, get_keys},
        to_device::send_event_to_device,
    },
};

use super::{
    MatrixCipher,
    failure::{from_olm, from_store},
    machines::Machine,
};
use crate::{domain::bridged::ActAs, port::Failure};

/// An answer can make the machine ask again (a new device needs a session); it is asked this often.
const FLUSH_ROUNDS_MAX: usize = 4;

impl MatrixCipher {
    /// Sends what the machine wants sent until it wants nothing more.
    pub(super) async fn flush(&self, machine: &Machine) -> Result<(), Failure> {
        for round in 0..FLUSH_ROUNDS_MAX {
            let claimed = self.claim_sessions(machine, &[]).await?;
            let mut requests = machine
                .olm
                .outgoing_requests()
                .await
                .map_err(from_store("collecting the machine's requests"))?;
            if round > 0 {
                // The machine goes on asking about a user that the homeserver leaves out.
                requests.retain(|request| {
                    !matches!(request.request(), AnyOutgoingRequest::KeysQuery(_))
                });
            }
            if requests.is_empty() && !claimed {
                return Ok(());
            }
            for request in &requests {
                self.send_request(machine, request).await?;
            }
        }
        Ok(())
    }

    /// Flushes; what fails is left for later, since everything that matters is saved.
    pub(super) async fn flush_or_remember(&self, machine: &Machine) {
        match self.flush(machine).await {
            Ok(()) => self.remember(&machine.who, false),
            Err(failure) => {
                tracing::warn!(user = ?machine.who, %failure, "keys are not flushed, later again");
                self.remember(&machine.who, true);
            }
        }
    }

    /// Flushes the machines whose last flush failed.
    pub(super) async fn flush_remembered(&self) {
        let remembered: Vec<ActAs> =
            self.unflushed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for who in remembered {
            match self.machines.open(&who).await {
                Ok(machine) => self.flush_or_remember(&machine).await,
                Err(failure) => tracing::warn!(user = ?who, %failure, "a machine does not load"),
            }
        }
    }

    fn remember(&self, who: &ActAs, unflushed: bool) {
        let mut set = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        if unflushed {
            set.insert(who.clone());
        } else {
            set.remove(who);
        }
    }

    /// Starts Olm sessions with the users' devices that have none; says whether any was missing.
    pub(super) async fn claim_sessions(
        &self,
        machine: &Machine,
        users: &[OwnedUserId],
    ) -> Result<bool, Failure> {
        let missing = machine
            .olm
            .get_missing_sessions(users.iter().map(Deref::deref))
            .await
            .map_err(from_store("collecting missing sessions"))?;
        let Some((id, request)) = missing else { return Ok(false) };
        self.send_claim(machine, &id, request).await?;
        Ok(true)
    }

    async fn send_claim(
        &self,
        machine: &Machine,
        id: &TransactionId,
        request: claim_keys::v3::Request,
    ) -> Result<(), Failure> {
        let identity = self.homeserver.identity(&machine.user);
        let response = self.homeserver.api().call("claiming keys", identity, request).await?;
        let marked = machine.olm.mark_request_as_sent(id, &response).await;
        marked.map_err(from_olm("taking claimed keys"))
    }

    async fn send_query(
        &self,
        machine: &Machine,
        id: &TransactionId,
        query: &KeysQueryRequest,
    ) -> Result<(), Failure> {
        let mut request = get_keys::v3::Request::new();
        request.timeout = query.timeout;
        request.device_keys.clone_from(&query.device_keys);
        let identity = self.homeserver.identity(&machine.user);
        let response = self.homeserver.api().call("querying keys", identity, request).await?;
        let marked = machine.olm.mark_request_as_sent(id, &response).await;
        marked.map_err(from_olm("taking queried keys"))
    }

    pub(super) async fn send_to_device(
        &self,
        machine: &Machine,
        request: &ToDeviceRequest,
    ) -> Result<(), Failure> {
        let ToDeviceRequest { event_type, txn_id, messages } = request.clone();
        let id = txn_id.clone();
        let request = send_event_to_device::v3::Request::new_raw(event_type, txn_id, messages);
        let identity = self.homeserver.identity(&machine.user);
        let response = self.homeserver.api().call("sending to devices", identity, request).await?;
        let marked = machine.olm.mark_request_as_sent(&id, &response).await;
        marked.map_err(from_olm("marking to-device messages"))
    }

    pub(super) async fn send_request(
        &self,
        machine: &Machine,
        outgoing: &OutgoingRequest,
    ) -> Result<(), Failure> {
        let id = outgoing.request_id();
        let api = self.homeserver.api();
        let identity = self.homeserver.identity(&machine.user);
        let marked = match outgoing.request() {
            AnyOutgoingRequest::KeysUpload(request) => {
                let response = api.call("uploading keys", identity, request.clone()).await?;
                machine.olm.mark_request_as_sent(id, &response).await
            }
            AnyOutgoingRequest::KeysQuery(query) => {
                return self.send_query(machine, id, query).await;
            }
            AnyOutgoingRequest::KeysClaim(request) => {
                return self.send_claim(machine, id, request.clone()).await;
            }
            AnyOutgoingRequest::ToDeviceRequest(request) => {
                return self.send_to_device(machine, request).await;
            }
            AnyOutgoingRequest::SignatureUpload(request) => {
                let response = api.call("uploading signatures", identity, request.clone()).await?;
                machine.olm.mark_request_as_sent(id, &response).await
            }
            AnyOutgoingRequest::RoomMessage(message) => {
                return self.send_in_room(machine, message).await;
            }
        };
        marked.map_err(from_olm("marking a request as sent"))
    }
}
