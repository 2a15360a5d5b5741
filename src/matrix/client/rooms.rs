//! Rooms and what is in them.

use http::StatusCode;
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, RoomId, RoomOrAliasId, UserId,
    api::client::{
        alias::{delete_alias, get_alias},
        membership::{
            get_member_events,
            invite_user::{self, v3::InviteUserId},
            join_room_by_id, join_room_by_id_or_alias, leave_room,
        },
        message::send_message_event,
        redact::redact_event,
        room::{
            create_room::{self, v3::RoomPreset},
            get_room_event,
        },
        state::{get_state_event_for_key, get_state_events, send_state_event},
    },
    events::{
        AnyInitialStateEvent, AnyMessageLikeEventContent, AnyStateEventContent,
        MessageLikeEventType, StateEventType, room::member::MembershipState,
    },
    serde::Raw,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CallFailure, MatrixHomeserver};
use crate::{
    domain::{
        boundary::ENCRYPTION_LEGS,
        bridged::ActAs,
        capability::ROOM_FEATURES,
        item::{OutboundEvent, RawEvent},
    },
    port::{
        Failure,
        homeserver::{DirectRoom, REDACTION, RoomState, Signs},
    },
};

/// The two names of the bridge info state (MSC2346); clients read the unstable one.
const BRIDGE_INFO_TYPES: [&str; 2] = ["m.bridge", "uk.half-shot.bridge"];

impl MatrixHomeserver {
    /// Creates the room or completes the one that has its alias: a creation that was cut off
    /// may have left it without its person or its encryption. A room that its creator was thrown
    /// out of gives its alias to a new one.
    pub(super) async fn ensure_direct_room(
        &self,
        room: &DirectRoom,
    ) -> Result<OwnedRoomId, Failure> {
        let creator = self.names.user_id(&room.creator);
        if let Some(created) = self.create(room).await? {
            return Ok(created);
        }
        let alias = self.names.alias(&room.alias_localpart);
        let request = get_alias::v3::Request::new(alias);
        let found =
            self.api.call("resolving an alias", self.identity(&creator), request).await?.room_id;
        let request = join_room_by_id::v3::Request::new(found.clone());
        match self.api.call("joining a room", self.identity(&creator), request).await {
            Ok(_) => {
                self.complete_direct_room(room, &found).await?;
                return Ok(found);
            }
            Err(failure) if failure.is(StatusCode::FORBIDDEN, "M_FORBIDDEN") => {}
            Err(failure) => return Err(failure.into()),
        }
        self.delete_alias(&room.creator, &room.alias_localpart).await?;
        let created = self.create(room).await?;
        created.ok_or_else(|| Failure::later("a room's alias was taken while it was made"))
    }

    pub(super) async fn delete_alias(&self, who: &ActAs, localpart: &str) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let request = delete_alias::v3::Request::new(self.names.alias(localpart));
        let answer = self.api.call("freeing an alias", self.identity(&user), request).await;
        found(answer).map(drop)
    }

    /// `None` if the alias is taken.
    async fn create(&self, room: &DirectRoom) -> Result<Option<OwnedRoomId>, Failure> {
        let creator = self.names.user_id(&room.creator);
        let request = self.creation(room)?;
        match self.api.call("creating a room", self.identity(&creator), request).await {
            Ok(response) => Ok(Some(response.room_id)),
            Err(failure) if failure.is(StatusCode::BAD_REQUEST, "M_ROOM_IN_USE") => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    fn creation(&self, room: &DirectRoom) -> Result<create_room::v3::Request, Failure> {
        let state = |event_type: &str, state_key: &str, content: &Value| {
            raw(&json!({ "type": event_type, "state_key": state_key, "content": content }))
        };
        let mut initial_state: Vec<Raw<AnyInitialStateEvent>> = vec![
            state("m.room.encryption", "", &encryption())?,
            state("m.room.history_visibility", "", &json!({ "history_visibility": "invited" }))?,
        ];
        for (event_type, state_key, content) in self.signs(&room.signs) {
            initial_state.push(state(event_type, &state_key, content)?);
        }
        let mut request = create_room::v3::Request::new();
        request.topic = Some(room.topic.clone());
        // Gives the person the same power as the ghost: the room is theirs.
        request.preset = Some(RoomPreset::TrustedPrivateChat);
        request.initial_state = initial_state;
        request.is_direct = true;
        request.invite = vec![room.person.clone()];
        request.room_alias_name = Some(self.names.alias_localpart(&room.alias_localpart));
        Ok(request)
    }

    /// Types, state keys and contents.
    fn signs<'s>(&self, signs: &'s Signs) -> [(&'static str, String, &'s Value); 4] {
        let key = format!("causeway://{}", self.names.alias_localpart(&signs.localpart));
        let [stable, unstable] = BRIDGE_INFO_TYPES;
        [
            (stable, key.clone(), &signs.bridge_info),
            (unstable, key, &signs.bridge_info),
            (ROOM_FEATURES, String::new(), &signs.features),
            (ENCRYPTION_LEGS, String::new(), &signs.legs),
        ]
    }

    pub(super) async fn set_signs(
        &self,
        who: &ActAs,
        room: &RoomId,
        signs: &Signs,
    ) -> Result<(), Failure> {
        for (event_type, state_key, content) in self.signs(signs) {
            self.set_state(who, room, event_type.into(), state_key, content).await?;
        }
        Ok(())
    }

    async fn set_state(
        &self,
        who: &ActAs,
        room: &RoomId,
        event_type: StateEventType,
        state_key: String,
        content: &Value,
    ) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let request = send_state_event::v3::Request::new_raw(
            room.to_owned(),
            event_type,
            state_key,
            raw::<AnyStateEventContent>(content)?,
        );
        self.api.call("setting room state", self.identity(&user), request).await?;
        Ok(())
    }

    async fn complete_direct_room(&self, room: &DirectRoom, id: &RoomId) -> Result<(), Failure> {
        let state = self.read_room_state(&room.creator, id).await?;
        if !state.encrypted {
            let encryption_type = StateEventType::RoomEncryption;
            self.set_state(&room.creator, id, encryption_type, String::new(), &encryption())
                .await?;
        }
        if !state.members.contains(&room.person) {
            self.ensure_invited(&room.creator, id, &room.person).await?;
        }
        Ok(())
    }

    pub(super) async fn ensure_invited(
        &self,
        who: &ActAs,
        room: &RoomId,
        person: &UserId,
    ) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let recipient = InviteUserId::new(person.to_owned()).into();
        let request = invite_user::v3::Request::new(room.to_owned(), recipient);
        let answer = self.api.call("inviting", self.identity(&user), request).await;
        let Err(failure) = answer else { return Ok(()) };
        // The same answer says "they are in" and "you may not".
        if failure.is(StatusCode::FORBIDDEN, "M_FORBIDDEN")
            && self.is_in(who, room, person).await.unwrap_or(false)
        {
            return Ok(());
        }
        Err(failure.into())
    }

    /// Whether somebody is joined or invited.
    async fn is_in(&self, who: &ActAs, room: &RoomId, person: &UserId) -> Result<bool, Failure> {
        let member =
            self.read_state(who, room, StateEventType::RoomMember, person.as_str()).await?;
        let membership = member.as_ref().and_then(|content| content.get("membership")?.as_str());
        Ok(matches!(membership, Some("join" | "invite")))
    }

    pub(super) async fn join_room(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let request = join_room_by_id::v3::Request::new(room.to_owned());
        self.api.call("joining a room", self.identity(&user), request).await?;
        Ok(())
    }

    pub(super) async fn join_named_room(
        &self,
        who: &ActAs,
        room: &RoomOrAliasId,
    ) -> Result<OwnedRoomId, Failure> {
        let user = self.names.user_id(who);
        let request = join_room_by_id_or_alias::v3::Request::new(room.to_owned());
        let answer = self.api.call("joining a room", self.identity(&user), request).await?;
        Ok(answer.room_id)
    }

    pub(super) async fn read_all_state(
        &self,
        who: &ActAs,
        room: &RoomId,
    ) -> Result<Vec<RawEvent>, Failure> {
        const WHAT: &str = "reading a room's state";
        let user = self.names.user_id(who);
        let request = get_state_events::v3::Request::new(room.to_owned());
        let answer = self.api.call(WHAT, self.identity(&user), request).await?;
        let events = answer.room_state.iter();
        events.map(|event| parsed(event.json().get(), WHAT).map(RawEvent)).collect()
    }

    pub(super) async fn leave_room(&self, who: &ActAs, room: &RoomId) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let request = leave_room::v3::Request::new(room.to_owned());
        match self.api.call("leaving a room", self.identity(&user), request).await {
            Ok(_) => Ok(()),
            // Not in the room, or no such room: out is out.
            Err(failure)
                if failure.is(StatusCode::FORBIDDEN, "M_FORBIDDEN")
                    || failure.is(StatusCode::NOT_FOUND, "M_NOT_FOUND") =>
            {
                Ok(())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn read_room_state(
        &self,
        who: &ActAs,
        room: &RoomId,
    ) -> Result<RoomState, Failure> {
        let encrypted =
            self.read_state(who, room, StateEventType::RoomEncryption, "").await?.is_some();
        let user = self.names.user_id(who);
        let mut request = get_member_events::v3::Request::new(room.to_owned());
        request.not_membership = Some(MembershipState::Leave);
        let response = self.api.call("reading members", self.identity(&user), request).await?;
        let members = response.chunk.iter().filter_map(|event| {
            let content: Value = event.get_field("content").ok()??;
            let membership = content.get("membership")?.as_str()?;
            let is_in = matches!(membership, "join" | "invite");
            is_in.then(|| event.get_field("state_key").ok().flatten())?
        });
        Ok(RoomState { encrypted, members: members.collect() })
    }

    pub(super) async fn read_state(
        &self,
        who: &ActAs,
        room: &RoomId,
        event_type: StateEventType,
        state_key: &str,
    ) -> Result<Option<Value>, Failure> {
        let user = self.names.user_id(who);
        let request = get_state_event_for_key::v3::Request::new(
            room.to_owned(),
            event_type,
            state_key.to_owned(),
        );
        let answer = self.api.call("reading room state", self.identity(&user), request).await;
        let content = found(answer)?.map(|response| response.event_or_content);
        content.map(|content| parsed(content.get(), "reading room state")).transpose()
    }

    pub(super) async fn send_event(&self, event: &OutboundEvent) -> Result<OwnedEventId, Failure> {
        let user = self.names.user_id(&event.sender);
        if event.event_type == REDACTION {
            return self.redact(&user, event).await;
        }
        let request = send_message_event::v3::Request::new_raw(
            event.room.clone(),
            event.transaction_id.as_str().into(),
            MessageLikeEventType::from(event.event_type.as_str()),
            raw::<AnyMessageLikeEventContent>(&event.content)?,
        );
        let response = self.api.call("sending an event", self.identity(&user), request).await?;
        Ok(response.event_id)
    }

    /// A redaction has a call of its own, which suits every room version.
    async fn redact(
        &self,
        user: &UserId,
        redaction: &OutboundEvent,
    ) -> Result<OwnedEventId, Failure> {
        let redacts = redaction.content["redacts"].as_str().and_then(|id| EventId::parse(id).ok());
        let redacts = redacts.ok_or_else(|| Failure::never("a redaction that names no event"))?;
        let request = redact_event::v3::Request::new(
            redaction.room.clone(),
            redacts,
            redaction.transaction_id.as_str().into(),
        );
        let response = self.api.call("redacting an event", self.identity(user), request).await?;
        Ok(response.event_id)
    }

    pub(super) async fn fetch_event(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<RawEvent>, Failure> {
        let user = self.names.user_id(who);
        let request = get_room_event::v3::Request::new(room.to_owned(), event.to_owned());
        let answer = self.api.call("fetching an event", self.identity(&user), request).await;
        let event = found(answer)?.map(|response| response.event);
        event.map(|event| parsed(event.json().get(), "fetching an event").map(RawEvent)).transpose()
    }
}

fn encryption() -> Value {
    json!({ "algorithm": "m.megolm.v1.aes-sha2" })
}

/// Absent is an answer, not a failure.
fn found<T>(answer: Result<T, CallFailure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(response) => Ok(Some(response)),
        Err(failure) if failure.is(StatusCode::NOT_FOUND, "M_NOT_FOUND") => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn raw<T>(content: &impl Serialize) -> Result<Raw<T>, Failure> {
    let json = serde_json::value::to_raw_value(content)
        .map_err(|_error| Failure::never("an event's content is no JSON"))?;
    Ok(Raw::from_json(json))
}

fn parsed(json: &str, what: &str) -> Result<Value, Failure> {
    serde_json::from_str(json)
        .map_err(|_error| Failure::later(format!("{what}: the homeserver's answer is unreadable")))
}
