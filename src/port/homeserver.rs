//! What our users do on the homeserver. The adapter holds the `as_token` and acts as each user
//! with the user's own device.

use std::time::Duration;

use async_trait::async_trait;
use ruma::{
    MxcUri, OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId, RoomOrAliasId, UserId,
};
use serde_json::Value;

use super::{
    Failure,
    media::{Download, MediaBytes, MediaFailure},
};
use crate::domain::{
    bridged::ActAs,
    item::{OutboundEvent, RawEvent},
};

/// The type of an event that redacts the one that its content names as `redacts`.
pub const REDACTION: &str = "m.room.redaction";

/// What is asked of the homeserver to make a direct chat's room. Repeating it finds the same room.
#[derive(Clone, Debug)]
pub struct DirectRoom {
    pub creator: ActAs,
    pub person: OwnedUserId,
    /// Localpart of an alias in our namespace: what makes the creation repeatable.
    pub alias_localpart: String,
    pub topic: String,
    pub signs: Signs,
}

/// State that tells clients what a room is.
#[derive(Clone, Debug)]
pub struct Signs {
    /// Names the room among those of the bridge: the localpart of its alias.
    pub localpart: String,
    /// The room's `m.bridge` state content (MSC2346), which names nobody.
    pub bridge_info: Value,
    /// The room's [`ROOM_FEATURES`](crate::domain::capability::ROOM_FEATURES) state content.
    pub features: Value,
    /// The room's [`ENCRYPTION_LEGS`](crate::domain::boundary::ENCRYPTION_LEGS) state content.
    pub legs: Value,
}

/// What a room is, as far as the bridge cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomState {
    pub encrypted: bool,
    /// Joined and invited users, ours included.
    pub members: Vec<OwnedUserId>,
}

#[async_trait]
pub trait Homeserver: Send + Sync {
    /// The Matrix id of one of our users.
    fn user_id(&self, who: &ActAs) -> OwnedUserId;

    /// Which of our users an id names; `None` for everybody else's.
    fn our_user(&self, user: &UserId) -> Option<ActAs>;

    /// Makes the user exist under this name. Safe to repeat.
    async fn ensure_user(&self, who: &ActAs, display_name: Option<&str>) -> Result<(), Failure>;

    /// The name that a person shows to everybody, if they have one.
    async fn display_name(&self, person: &UserId) -> Result<Option<String>, Failure>;

    /// Creates the room, encrypted from its first event, or finds it by its alias.
    async fn direct_room(&self, room: &DirectRoom) -> Result<OwnedRoomId, Failure>;

    /// Puts the signs into a room that somebody else made.
    async fn put_signs(&self, who: &ActAs, room: &RoomId, signs: &Signs) -> Result<(), Failure>;

    /// The content of a state event, if there is one.
    async fn state(
        &self,
        who: &ActAs,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Value>, Failure>;

    /// Invites a person; nothing happens if they are invited or joined already.
    async fn invite(&self, who: &ActAs, room: &RoomId, person: &UserId) -> Result<(), Failure>;

    async fn join(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure>;

    /// Joins a public room by whatever name it is known; being in it already is fine.
    async fn join_named(&self, who: &ActAs, room: &RoomOrAliasId) -> Result<OwnedRoomId, Failure>;

    async fn leave(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure>;

    /// Takes an alias of our namespace from whatever room has it, by its localpart; it is fine if none
    /// has. For as long as a room has one, the homeserver brings us its events.
    async fn free_alias(&self, who: &ActAs, localpart: &str) -> Result<(), Failure>;

    async fn room_state(&self, who: &ActAs, room: &RoomId) -> Result<RoomState, Failure>;

    /// Every state event of a room.
    async fn all_state(&self, who: &ActAs, room: &RoomId) -> Result<Vec<RawEvent>, Failure>;

    /// Sends under the event's own transaction id, so a repetition gives the same event id. An event
    /// of the type [`REDACTION`] redacts.
    async fn send(&self, event: &OutboundEvent) -> Result<OwnedEventId, Failure>;

    /// Fetches an event again: the homeserver is the archive.
    async fn event(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &ruma::EventId,
    ) -> Result<Option<RawEvent>, Failure>;

    /// The encrypted events of `sender` that stand before an event, newest first; at most `limit`.
    async fn messages_before(
        &self,
        sender: &ActAs,
        room: &RoomId,
        event: &ruma::EventId,
        limit: u32,
    ) -> Result<Vec<OwnedEventId>, Failure>;

    /// Says that one of our users read the room up to an event. The receipt never moves back.
    async fn read(&self, who: &ActAs, room: &RoomId, event: &ruma::EventId) -> Result<(), Failure>;

    /// Says that one of our users is typing, for at most so long, or (`None`) that it is not.
    /// Ephemeral: nobody hears of it who is not there.
    async fn typing(
        &self,
        who: &ActAs,
        room: &RoomId,
        lasts: Option<Duration>,
    ) -> Result<(), Failure>;

    /// Asks the homeserver to push to us now, which ends its back-off after our downtime.
    async fn ping(&self) -> Result<(), Failure>;

    /// Makes the homeserver push a transaction that holds nothing of interest, once for each `id`.
    async fn sound(&self, id: &str) -> Result<(), Failure>;

    /// The bytes of the largest file that the homeserver takes. Asked for once in a while.
    async fn media_limit(&self) -> Result<u64, Failure>;

    /// Fetches a file as one of our users. Fails before the first byte when the homeserver refuses;
    /// the bytes then come as slowly as they come: whoever takes them decides how long to wait.
    async fn download_media(&self, who: &ActAs, uri: &MxcUri) -> Result<Download, MediaFailure>;

    /// Uploads a file of exactly `length` bytes as one of our users, as a stream of bytes that mean
    /// nothing to the homeserver. It exists only if the stream ended well, and every upload makes
    /// a file of its own. What the stream fails with need not be what is returned.
    async fn upload_media(
        &self,
        who: &ActAs,
        length: u64,
        bytes: MediaBytes,
    ) -> Result<OwnedMxcUri, MediaFailure>;
}
