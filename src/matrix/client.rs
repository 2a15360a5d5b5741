//! What our users do on the homeserver, over its client-server API.
//!
//! Every request carries the `as_token` and names the user **and** the device that it acts as
//! (MSC4326); Synapse fails when the device stands alone. `/versions` is never asked: Synapse
//! advertises less than it serves (appservice facts, 1).

mod call;
mod ephemeral;
mod media;
mod refusal;
mod rooms;
mod users;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use ruma::{
    DeviceId, EventId, MxcUri, OwnedDeviceId, OwnedEventId, OwnedMxcUri, OwnedRoomId,
    OwnedServerName, OwnedUserId, RoomId, RoomOrAliasId, UserId,
    api::{
        AppserviceUserIdentity,
        client::{appservice::request_ping, to_device::send_event_to_device},
    },
    serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use serde_json::{Value, json};
use url::Url;

pub(in crate::matrix) use self::refusal::CallFailure;
use self::{call::Api, media::KnownLimit};
use super::names::{DEVICE_ID, Names};
use crate::{
    domain::{
        bridged::ActAs,
        item::{OutboundEvent, RawEvent},
    },
    port::{
        Clock, Failure, Homeserver,
        homeserver::{DirectRoom, RoomState, Signs},
        media::{Download, MediaBytes, MediaFailure},
    },
};

/// The type of a to-device message that holds nothing: the homeserver pushes it, nobody reads it.
const SOUNDING: &str = "eu.causeway.sounding";

/// How to reach the homeserver and which users are ours.
#[derive(Clone)]
pub struct MatrixOptions {
    /// The homeserver's client-server API, as we reach it.
    pub url: Url,
    pub server_name: OwnedServerName,
    pub as_token: String,
    /// The `id` of the registration.
    pub appservice_id: String,
    pub bot_localpart: String,
    /// What every ghost's and alias's localpart starts with.
    pub ghost_prefix: String,
}

impl fmt::Debug for MatrixOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, server_name, as_token: _, appservice_id, bot_localpart, ghost_prefix } =
            self;
        f.debug_struct("MatrixOptions")
            .field("url", &url.as_str())
            .field("server_name", server_name)
            .field("appservice_id", appservice_id)
            .field("bot_localpart", bot_localpart)
            .field("ghost_prefix", ghost_prefix)
            .finish_non_exhaustive()
    }
}

/// The homeserver, as our users.
pub struct MatrixHomeserver {
    api: Api,
    names: Names,
    device: OwnedDeviceId,
    appservice_id: String,
    media_limit: KnownLimit,
}

impl fmt::Debug for MatrixHomeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixHomeserver").field("names", &self.names).finish_non_exhaustive()
    }
}

impl MatrixHomeserver {
    /// Builds the HTTP client; nothing is sent.
    pub fn new(options: MatrixOptions, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let MatrixOptions {
            url,
            server_name,
            as_token,
            appservice_id,
            bot_localpart,
            ghost_prefix,
        } = options;
        Ok(Self {
            api: Api::new(&url, as_token, clock)?,
            names: Names::new(server_name, bot_localpart, ghost_prefix),
            device: DEVICE_ID.into(),
            appservice_id,
            media_limit: KnownLimit::default(),
        })
    }

    pub(in crate::matrix) fn api(&self) -> &Api {
        &self.api
    }

    pub(in crate::matrix) fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Acting as a user with its device.
    pub(in crate::matrix) fn identity<'a>(
        &'a self,
        user: &'a UserId,
    ) -> AppserviceUserIdentity<'a> {
        let mut identity = AppserviceUserIdentity::new(user);
        identity.device_id = Some(&self.device);
        identity
    }
}

#[async_trait]
impl Homeserver for MatrixHomeserver {
    fn user_id(&self, who: &ActAs) -> OwnedUserId {
        self.names.user_id(who)
    }

    fn our_user(&self, user: &UserId) -> Option<ActAs> {
        self.names.our_user(user)
    }

    async fn ensure_user(&self, who: &ActAs, display_name: Option<&str>) -> Result<(), Failure> {
        self.ensure_device(who).await?;
        match display_name {
            Some(name) => self.set_display_name(who, name).await,
            None => Ok(()),
        }
    }

    async fn display_name(&self, person: &UserId) -> Result<Option<String>, Failure> {
        self.fetch_display_name(person).await
    }

    async fn direct_room(&self, room: &DirectRoom) -> Result<OwnedRoomId, Failure> {
        self.ensure_direct_room(room).await
    }

    async fn put_signs(&self, who: &ActAs, room: &RoomId, signs: &Signs) -> Result<(), Failure> {
        self.set_signs(who, room, signs).await
    }

    async fn state(
        &self,
        who: &ActAs,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Value>, Failure> {
        self.read_state(who, room, event_type.into(), state_key).await
    }

    async fn invite(&self, who: &ActAs, room: &RoomId, person: &UserId) -> Result<(), Failure> {
        self.ensure_invited(who, room, person).await
    }

    async fn join(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        self.join_room(who, room).await
    }

    async fn join_named(&self, who: &ActAs, room: &RoomOrAliasId) -> Result<OwnedRoomId, Failure> {
        self.join_named_room(who, room).await
    }

    async fn leave(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        self.leave_room(who, room).await
    }

    async fn free_alias(&self, who: &ActAs, localpart: &str) -> Result<(), Failure> {
        self.delete_alias(who, localpart).await
    }

    async fn room_state(&self, who: &ActAs, room: &RoomId) -> Result<RoomState, Failure> {
        self.read_room_state(who, room).await
    }

    async fn all_state(&self, who: &ActAs, room: &RoomId) -> Result<Vec<RawEvent>, Failure> {
        self.read_all_state(who, room).await
    }

    async fn send(&self, event: &OutboundEvent) -> Result<OwnedEventId, Failure> {
        self.send_event(event).await
    }

    async fn event(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<RawEvent>, Failure> {
        self.fetch_event(who, room, event).await
    }

    async fn messages_before(
        &self,
        sender: &ActAs,
        room: &RoomId,
        event: &EventId,
        limit: u32,
    ) -> Result<Vec<OwnedEventId>, Failure> {
        self.list_messages_before(sender, room, event, limit).await
    }

    async fn read(&self, who: &ActAs, room: &RoomId, event: &EventId) -> Result<(), Failure> {
        self.send_read_receipt(who, room, event).await
    }

    async fn typing(
        &self,
        who: &ActAs,
        room: &RoomId,
        lasts: Option<Duration>,
    ) -> Result<(), Failure> {
        self.send_typing(who, room, lasts).await
    }

    async fn ping(&self) -> Result<(), Failure> {
        let request = request_ping::v1::Request::new(self.appservice_id.clone());
        self.api.call("asking for a ping", AppserviceUserIdentity::default(), request).await?;
        Ok(())
    }

    async fn sound(&self, id: &str) -> Result<(), Failure> {
        let bot = self.user_id(&ActAs::Bot);
        let device = DeviceIdOrAllDevices::DeviceId(self.device.clone());
        let content =
            Raw::new(&json!({})).map_err(|error| Failure::never("sounding").because(error))?;
        let messages =
            BTreeMap::from([(bot.clone(), BTreeMap::from([(device, content.cast_unchecked())]))]);
        let request =
            send_event_to_device::v3::Request::new_raw(SOUNDING.into(), id.into(), messages);
        self.api.call("sounding", self.identity(&bot), request).await?;
        Ok(())
    }

    async fn media_limit(&self) -> Result<u64, Failure> {
        self.known_media_limit().await
    }

    async fn download_media(&self, who: &ActAs, uri: &MxcUri) -> Result<Download, MediaFailure> {
        self.open_media(who, uri).await
    }

    async fn upload_media(
        &self,
        who: &ActAs,
        length: u64,
        bytes: MediaBytes,
    ) -> Result<OwnedMxcUri, MediaFailure> {
        self.store_media(who, length, bytes).await
    }
}
