//! Whether a room that somebody else made can be the room of a chat.

use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::Value;

use super::notice::{Notice, Opening};

/// `None` if the room fits: encrypted, and nobody in it but the person and the ghost.
///
/// A third member would read what the person and the contact believe to be between them.
pub fn unfit(
    encrypted: bool,
    members: &[OwnedUserId],
    person: &UserId,
    ghost: &UserId,
) -> Option<Notice> {
    if !encrypted {
        return Some(Notice::UnencryptedRoom);
    }
    let stranger = members.iter().any(|member| member != person && member != ghost);
    stranger.then_some(Notice::Opening(Opening::NotAlone))
}

/// Whether a room was replaced by another, as both say: the tombstone of the old one, and the
/// creation event of the new one.
pub fn replaces(new: (&RoomId, Option<&Value>), old: (&RoomId, Option<&Value>)) -> bool {
    let ((new, creation), (old, tombstone)) = (new, old);
    let named = tombstone.and_then(|tombstone| tombstone["replacement_room"].as_str());
    let predecessor = creation.and_then(|it| it["predecessor"]["room_id"].as_str());
    named == Some(new.as_str()) && predecessor == Some(old.as_str())
}

#[cfg(test)]
mod tests {
    use ruma::{room_id, user_id};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_room_of_two_that_is_encrypted_fits() {
        let (person, ghost) = (user_id!("@a:b.c"), user_id!("@whatsapp_x:b.c"));
        let two = vec![person.to_owned(), ghost.to_owned()];
        let mut three = two.clone();
        three.push(user_id!("@d:b.c").to_owned());
        assert_eq!(unfit(true, &two, person, ghost), None);
        assert_eq!(unfit(false, &two, person, ghost), Some(Notice::UnencryptedRoom));
        let not_alone = Some(Notice::Opening(Opening::NotAlone));
        assert_eq!(unfit(true, &three, person, ghost), not_alone);
    }

    #[test]
    fn both_rooms_must_say_that_one_replaces_the_other() {
        let (new, old) = (room_id!("!new:b.c"), room_id!("!old:b.c"));
        let creation = json!({"predecessor": {"room_id": old}});
        let tombstone = json!({"replacement_room": new});
        assert!(replaces((new, Some(&creation)), (old, Some(&tombstone))));
        assert!(!replaces((new, None), (old, Some(&tombstone))));
        assert!(!replaces((new, Some(&creation)), (old, None)));
        assert!(!replaces((old, Some(&creation)), (new, Some(&tombstone))));
        assert!(!replaces((new, Some(&json!({}))), (old, Some(&tombstone))));
    }
}
