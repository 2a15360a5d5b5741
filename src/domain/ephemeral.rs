//! What the homeserver says of people in rooms and does not say again: how far they read, whether
//! they are typing. Any of it may be lost.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::Value;

/// One ephemeral event, as far as the bridge looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ephemeral {
    Read(ReadReceipts),
    /// Everybody who is typing in the room now; nobody else is.
    Typing {
        room: OwnedRoomId,
        users: Vec<OwnedUserId>,
    },
}

/// Who read up to which events of a room: public receipts alone, of threads as well. Private ones
/// (`m.read.private`) are for the reader's own devices, although a homeserver may show them to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReceipts {
    pub room: OwnedRoomId,
    pub readers: BTreeMap<OwnedUserId, BTreeSet<OwnedEventId>>,
}

impl Ephemeral {
    /// `None` for anything malformed or of no interest. What is malformed inside is left out.
    pub fn parse(raw: &Value) -> Option<Self> {
        let room = OwnedRoomId::try_from(raw["room_id"].as_str()?).ok()?;
        let content = &raw["content"];
        match raw["type"].as_str()? {
            "m.receipt" => Some(Self::Read(ReadReceipts { room, readers: readers(content)? })),
            "m.typing" => {
                let users = content["user_ids"].as_array()?.iter();
                let users = users.filter_map(|user| OwnedUserId::try_from(user.as_str()?).ok());
                Some(Self::Typing { room, users: users.collect() })
            }
            _ => None,
        }
    }
}

fn readers(content: &Value) -> Option<BTreeMap<OwnedUserId, BTreeSet<OwnedEventId>>> {
    let mut readers = BTreeMap::<_, BTreeSet<_>>::new();
    for (event, receipts) in content.as_object()? {
        let Ok(event) = EventId::parse(event) else { continue };
        let users = receipts["m.read"].as_object().into_iter().flat_map(serde_json::Map::keys);
        for user in users.filter_map(|user| OwnedUserId::try_from(user.as_str()).ok()) {
            readers.entry(user).or_default().insert(event.clone());
        }
    }
    Some(readers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(content: &Value) -> BTreeMap<OwnedUserId, BTreeSet<OwnedEventId>> {
        let raw = json!({"type": "m.receipt", "room_id": "!r:b.c", "content": content});
        match Ephemeral::parse(&raw) {
            Some(Ephemeral::Read(receipts)) => receipts.readers,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn public_receipts_are_read_in_threads_as_well() {
        let readers = read(&json!({
            "$1": {"m.read": {"@a:b.c": {"ts": 1}, "@d:b.c": {}}},
            "$2": {"m.read": {"@a:b.c": {"ts": 2, "thread_id": "$1"}}},
        }));
        let of = |user: &str| -> Vec<String> {
            let user = OwnedUserId::try_from(user).unwrap();
            readers[&user].iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            (of("@a:b.c"), of("@d:b.c")),
            (vec!["$1".into(), "$2".into()], vec!["$1".into()])
        );
    }

    #[test]
    fn private_receipts_are_nobodys() {
        let private = json!({"$1": {"m.read.private": {"@a:b.c": {"ts": 1}}}});
        assert_eq!(read(&private), BTreeMap::new());
    }

    #[test]
    fn malformed_parts_spoil_only_themselves() {
        let broken = json!({
            "no event": {"m.read": {"@a:b.c": {}}}, "$1": 7, "$2": {"m.read": ["@a:b.c"]},
            "$3": {"m.read": {"nobody": {}, "@a:b.c": null}},
        });
        assert_eq!(read(&broken).len(), 1);
        for raw in [
            json!(7),
            json!({"type": "m.receipt", "room_id": "!r:b.c", "content": 7}),
            json!({"type": "m.typing", "room_id": "!r:b.c", "content": {}}),
            json!({"type": "m.presence", "room_id": "!r:b.c", "content": {}}),
            json!({"type": "m.typing", "room_id": "r", "content": {"user_ids": []}}),
        ] {
            assert_eq!(Ephemeral::parse(&raw), None, "{raw}");
        }
    }

    #[test]
    fn typing_names_everybody_who_is() {
        let raw = json!({"type": "m.typing", "room_id": "!r:b.c",
            "content": {"user_ids": ["@a:b.c", "nobody", 7]}});
        let Some(Ephemeral::Typing { users, .. }) = Ephemeral::parse(&raw) else { unreachable!() };
        assert_eq!(users, ["@a:b.c"]);
    }
}
