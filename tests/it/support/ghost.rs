//! A ghost that the test itself moves, as an appservice of its own would: with a device, a cross-signing
//! identity and an Olm machine. It shows what clients make of keys that a bridge uses rightly, and of
//! keys that it uses wrongly: only so can a check for shields fail.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use matrix_sdk_crypto::{
    CollectStrategy, EncryptionSettings, OlmMachine,
    types::requests::{AnyOutgoingRequest, OutgoingRequest as CryptoRequest},
};
use ruma::{
    OwnedDeviceId, OwnedUserId, RoomId, TransactionId, UserId,
    api::{
        AppserviceUserIdentity, IncomingResponse, MatrixVersion, OutgoingRequest,
        OutgoingRequestAppserviceExt, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        client::{
            keys::{get_keys, upload_signatures, upload_signing_keys},
            membership::join_room_by_id,
            message::send_message_event,
            to_device::send_event_to_device,
        },
        path_builder::PathBuilder,
    },
    assign,
    events::{AnyMessageLikeEventContent, MessageLikeEventType},
    serde::Raw,
};
use serde_json::json;

use super::{matrix_client::user, place::RunFolder, synapse::Synapse};

/// The token of the tests' own appservice.
const AS_TOKEN: &str = "as_token_for_tests_only";

/// Writes the registration of an appservice that owns `@ghost_…` and wants to hear of nothing.
pub(crate) fn registration(run: &RunFolder) -> Result<PathBuf> {
    let path = run.path().join("ghosts.yaml");
    let registration = json!({
        "id": "ghosts", "url": null, "as_token": AS_TOKEN, "hs_token": "hs_token_for_tests_only",
        "sender_localpart": "ghosts", "rate_limited": false,
        "namespaces": {
            "users": [{"exclusive": true, "regex": "@ghost_.*"}], "aliases": [], "rooms": [],
        },
        "io.element.msc4190": true,
    });
    std::fs::write(&path, serde_json::to_vec_pretty(&registration)?)?;
    Ok(path)
}

/// A ghost with its own cross-signed device.
pub(crate) struct Ghost {
    id: OwnedUserId,
    device: OwnedDeviceId,
    machine: OlmMachine,
    homeserver: String,
    http: reqwest::Client,
}

impl Ghost {
    /// Makes `@ghost_NAME` exist, with a device that its own identity signs (matrix facts 1).
    pub(crate) async fn appear(synapse: &Synapse, name: &str) -> Result<Self> {
        let (localpart, device) = (format!("ghost_{name}"), OwnedDeviceId::from("TESTDEVICE"));
        let id = user(&localpart)?;
        let register = json!({
            "type": "m.login.application_service", "username": localpart, "inhibit_login": true,
        });
        let post = reqwest::Method::POST;
        let (status, body) =
            synapse.call(post, "_matrix/client/v3/register", AS_TOKEN, Some(&register)).await?;
        anyhow::ensure!(status.is_success(), "registering {id}: {status} {body}");
        let path = format!("_matrix/client/v3/devices/{device}?user_id={id}");
        let (status, body) =
            synapse.call(reqwest::Method::PUT, &path, AS_TOKEN, Some(&json!({}))).await?;
        anyhow::ensure!(status.is_success(), "making a device of {id}: {status} {body}");
        let machine = OlmMachine::new(&id, &device).await;
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let homeserver = synapse.url().as_str().trim_end_matches('/').to_owned();
        let ghost = Self { id, device, machine, homeserver, http };
        ghost.sign_own_device().await?;
        Ok(ghost)
    }

    pub(crate) fn id(&self) -> &UserId {
        &self.id
    }

    pub(crate) async fn joins(&self, room: &RoomId) -> Result<()> {
        self.send(join_room_by_id::v3::Request::new(room.to_owned())).await.map(drop)
    }

    /// Encrypts a text for `reader` with this ghost's device and sends it as `sender`: as itself if a
    /// bridge is right, as another ghost if it has one device for all of them.
    pub(crate) async fn says_as(
        &self,
        sender: &Ghost,
        room: &RoomId,
        reader: &UserId,
        text: &str,
    ) -> Result<()> {
        self.share_room_key(room, reader).await?;
        let content: Raw<AnyMessageLikeEventContent> =
            Raw::new(&json!({"msgtype": "m.text", "body": text}))?.cast_unchecked();
        let encrypted =
            self.machine.encrypt_room_event_raw(room, "m.room.message", &content).await?.content;
        let request = send_message_event::v3::Request::new_raw(
            room.to_owned(),
            TransactionId::new(),
            MessageLikeEventType::RoomEncrypted,
            encrypted.cast_unchecked(),
        );
        sender.send(request).await.map(drop)
    }

    async fn sign_own_device(&self) -> Result<()> {
        let made = self.machine.bootstrap_cross_signing(false).await?;
        if let Some(upload) = made.upload_keys_req {
            self.perform(&upload).await?;
        }
        let keys = made.upload_signing_keys_req;
        self.send(assign!(upload_signing_keys::v3::Request::new(), {
            master_key: keys.master_key.map(|key| key.to_raw()),
            self_signing_key: keys.self_signing_key.map(|key| key.to_raw()),
            user_signing_key: keys.user_signing_key.map(|key| key.to_raw()),
        }))
        .await?;
        let signatures = made.upload_signatures_req.signed_keys;
        self.send(upload_signatures::v3::Request::new(signatures)).await?;
        for request in self.machine.outgoing_requests().await? {
            self.perform(&request).await?;
        }
        Ok(())
    }

    async fn share_room_key(&self, room: &RoomId, reader: &UserId) -> Result<()> {
        self.machine.update_tracked_users([reader]).await?;
        for request in self.machine.outgoing_requests().await? {
            self.perform(&request).await?;
        }
        if let Some((id, claim)) = self.machine.get_missing_sessions([reader].into_iter()).await? {
            let answer = self.send(claim).await?;
            self.machine.mark_request_as_sent(&id, &answer).await?;
        }
        let settings = EncryptionSettings {
            sharing_strategy: CollectStrategy::AllDevices,
            ..EncryptionSettings::default()
        };
        for share in self.machine.share_room_key(room, [reader].into_iter(), settings).await? {
            let request = send_event_to_device::v3::Request::new_raw(
                share.event_type.clone(),
                share.txn_id.clone(),
                share.messages.clone(),
            );
            let answer = self.send(request).await?;
            self.machine.mark_request_as_sent(&share.txn_id, &answer).await?;
        }
        Ok(())
    }

    async fn perform(&self, request: &CryptoRequest) -> Result<()> {
        let id = request.request_id();
        match request.request() {
            AnyOutgoingRequest::KeysUpload(upload) => {
                let answer = self.send(upload.clone()).await?;
                self.machine.mark_request_as_sent(id, &answer).await?;
            }
            AnyOutgoingRequest::KeysQuery(query) => {
                let query = assign!(get_keys::v3::Request::new(), {
                    device_keys: query.device_keys.clone(),
                });
                let answer = self.send(query).await?;
                self.machine.mark_request_as_sent(id, &answer).await?;
            }
            other => bail!("a request that a ghost of the tests does not make: {other:?}"),
        }
        Ok(())
    }

    /// One call as this ghost and its device.
    async fn send<R>(&self, request: R) -> Result<R::IncomingResponse>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let versions =
            SupportedVersions { versions: [MatrixVersion::V1_15].into(), features: [].into() };
        let identity = assign!(AppserviceUserIdentity::new(&self.id), {
            device_id: Some(&self.device),
        });
        let request: http::Request<Vec<u8>> = request.try_into_http_request_with_identity(
            &self.homeserver,
            SendAccessToken::Appservice(AS_TOKEN),
            identity,
            Cow::Owned(versions),
        )?;
        let path = request.uri().path().to_owned();
        let answer = self.http.execute(request.try_into()?).await?;
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let response = response.body(answer.bytes().await?)?;
        R::IncomingResponse::try_from_http_response(response)
            .map_err(|error| anyhow!("{error:?}"))
            .with_context(|| format!("{path} as {}", self.id))
    }
}
