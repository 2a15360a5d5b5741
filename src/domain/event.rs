//! A Matrix event as far as the bridge looks at it before decryption.

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::Value;

use super::{ids::RoomKeyId, item::RawEvent};

/// The fields that every room event has.
#[derive(Clone)]
pub struct Event {
    pub room: OwnedRoomId,
    pub id: OwnedEventId,
    pub sender: OwnedUserId,
    pub event_type: String,
    pub state_key: Option<String>,
    pub content: Value,
    /// What a redaction redacts: in the content since room version 11, beside it before.
    pub redacts: Option<OwnedEventId>,
}

impl Event {
    /// `None` if a field is missing or malformed.
    pub fn parse(RawEvent(raw): &RawEvent) -> Option<Self> {
        Self::parse_value(raw)
    }

    /// The same of JSON that is no item yet.
    pub fn parse_value(raw: &Value) -> Option<Self> {
        Some(Self {
            room: OwnedRoomId::try_from(raw["room_id"].as_str()?).ok()?,
            id: EventId::parse(raw["event_id"].as_str()?).ok()?,
            sender: OwnedUserId::try_from(raw["sender"].as_str()?).ok()?,
            event_type: raw["type"].as_str()?.to_owned(),
            state_key: raw["state_key"].as_str().map(str::to_owned),
            content: raw["content"].is_object().then(|| raw["content"].clone())?,
            redacts: [&raw["content"]["redacts"], &raw["redacts"]]
                .into_iter()
                .find_map(|redacts| EventId::parse(redacts.as_str()?).ok()),
        })
    }

    /// Whether clients show it as a message.
    pub fn is_message(&self) -> bool {
        matches!(self.event_type.as_str(), "m.room.encrypted" | "m.room.message" | "m.sticker")
    }

    /// The room key that it is encrypted with.
    pub fn room_key(&self) -> Option<RoomKeyId> {
        RoomKeyId::parse(self.content["session_id"].as_str()?)
    }

    /// Whether this is the state of that type that a room has one of.
    pub fn is_state(&self, event_type: &str) -> bool {
        self.event_type == event_type && self.state_key.as_deref() == Some("")
    }

    /// The membership that this event gives to somebody, and to whom.
    pub fn membership(&self) -> Option<(&str, &str)> {
        let member = self.state_key.as_deref()?;
        let membership = self.content["membership"].as_str()?;
        (self.event_type == "m.room.member").then_some((member, membership))
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event")
            .field("room", &self.room)
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_without_one_of_its_fields_is_malformed() {
        let event = json!({"type": "m.room.message", "event_id": "$1", "content": {},
            "sender": "@a:b.c", "room_id": "!r:b.c"});
        assert!(Event::parse_value(&event).is_some());
        for field in ["type", "event_id", "content", "sender", "room_id"] {
            let mut broken = event.clone();
            broken[field] = json!(7);
            assert!(Event::parse_value(&broken).is_none(), "{field}");
        }
    }

    #[test]
    fn a_redaction_names_its_event_in_either_place() {
        let event = json!({"type": "m.room.redaction", "event_id": "$1", "content": {},
            "sender": "@a:b.c", "room_id": "!r:b.c"});
        let redacts = |event: &Value| Event::parse_value(event).unwrap().redacts;
        assert_eq!(redacts(&event), None);
        let (mut old, mut new) = (event.clone(), event);
        old["redacts"] = json!("$2");
        new["content"]["redacts"] = json!("$2");
        let expected = EventId::parse("$2").ok();
        assert_eq!((redacts(&old), redacts(&new)), (expected.clone(), expected));
    }

    #[test]
    fn a_membership_names_its_member() {
        let event = json!({"type": "m.room.member", "event_id": "$1", "sender": "@a:b.c",
            "room_id": "!r:b.c", "state_key": "@d:b.c", "content": {"membership": "invite"}});
        let event = Event::parse_value(&event).unwrap();
        assert_eq!(event.membership(), Some(("@d:b.c", "invite")));
    }
}
