//! What clients that know it are told of each message of the person: `com.beeper.message_send_status`.
//!
//! It is sent in the clear, so it holds nothing of the message, not even its kind or length: a
//! reference, a state, and for what failed the sentence of the notice, if that says nothing of what
//! only who decrypted the message can know.

use ruma::{EventId, UserId};
use serde_json::{Value, json};

use super::notice::Notice;

/// The event type. No stable name exists; the most used bridges and clients share this one.
pub const STATUS: &str = "com.beeper.message_send_status";

/// It waits for longer than a moment, and is sent as soon as it can be.
pub fn pending(event: &EventId) -> Value {
    let mut status = status(event, "PENDING");
    status["message"] = json!(WAITS);
    status
}

/// The network's server has it. Whether the contact has is still to be told.
pub fn sent(event: &EventId) -> Value {
    let mut status = status(event, "SUCCESS");
    status["delivered_to_users"] = json!([]);
    status
}

/// The contact's device has it.
pub fn delivered(event: &EventId, contact: &UserId) -> Value {
    let mut status = status(event, "SUCCESS");
    status["delivered_to_users"] = json!([contact]);
    status
}

/// It was not sent, or did not arrive.
pub fn failed(event: &EventId, notice: &Notice) -> Value {
    let state = if may_be_sent_again(notice) { "FAIL_RETRIABLE" } else { "FAIL_PERMANENT" };
    let mut status = status(event, state);
    status["reason"] = json!(reason(notice));
    status["message"] =
        json!(if is_for_everybody(notice) { notice.text() } else { UNSAID.to_owned() });
    status
}

const WAITS: &str = "This message waits. It is sent by itself as soon as that is possible.";

/// What stands in the clear instead of a sentence about what was decrypted.
const UNSAID: &str = "This message was not sent. The notice in this room says why.";

fn status(event: &EventId, state: &str) -> Value {
    json!({
        "network": "whatsapp",
        "m.relates_to": {"rel_type": "m.reference", "event_id": event},
        "status": state,
    })
}

/// Whether the same message can succeed when it is sent anew.
fn may_be_sent_again(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::RoomKeyNeverCame
            | Notice::EventUndecryptable
            | Notice::ContactWithoutKeys
            | Notice::ContactKeysInvalid
            | Notice::BridgeFailed
            | Notice::NotLoggedIn
    )
}

/// Whether the sentence could be said by somebody who cannot decrypt the message.
fn is_for_everybody(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::UnencryptedRoom
            | Notice::UnencryptedMessage
            | Notice::NotYours
            | Notice::RoomKeyNeverCame
            | Notice::EventUndecryptable
            | Notice::ContactWithoutKeys
            | Notice::ContactKeysInvalid
            | Notice::RefusedByNetwork { .. }
            | Notice::BridgeFailed
            | Notice::NotLoggedIn
    )
}

/// The shortest account of it, in the words that clients know.
fn reason(notice: &Notice) -> &'static str {
    match notice {
        Notice::RoomKeyNeverCame | Notice::EventUndecryptable => "com.beeper.undecryptable_event",
        Notice::NotYours | Notice::NotAllowed(_) => "m.no_permission",
        Notice::NotLoggedIn => "m.bridge_unavailable",
        Notice::BridgeFailed => "m.event_not_handled",
        Notice::ContactWithoutKeys
        | Notice::ContactKeysInvalid
        | Notice::RefusedByNetwork { .. } => "m.foreign_network_error",
        _ => "com.beeper.unsupported_event",
    }
}

#[cfg(test)]
mod tests {
    use ruma::{event_id, user_id};

    use super::*;

    const REFERENCE: &str = r#"{"rel_type":"m.reference","event_id":"$1"}"#;

    #[track_caller]
    fn check(status: &Value, expected: &str) {
        let reference: Value = serde_json::from_str(REFERENCE).unwrap();
        assert_eq!(status["m.relates_to"], reference);
        assert_eq!(status["network"], "whatsapp");
        let shown = [&status["status"], &status["reason"], &status["delivered_to_users"]];
        assert_eq!(shown.map(ToString::to_string).join(" "), expected);
    }

    #[test]
    fn a_message_goes_its_way() {
        let event = event_id!("$1");
        check(&pending(event), r#""PENDING" null null"#);
        check(&sent(event), r#""SUCCESS" null []"#);
        let contact = user_id!("@whatsapp_a:example.org");
        check(&delivered(event, contact), r#""SUCCESS" null ["@whatsapp_a:example.org"]"#);
    }

    #[test]
    fn what_failed_says_why_and_whether_to_try_again() {
        for (notice, expected) in [
            (Notice::RoomKeyNeverCame, r#""FAIL_RETRIABLE" "com.beeper.undecryptable_event" null"#),
            (Notice::NotLoggedIn, r#""FAIL_RETRIABLE" "m.bridge_unavailable" null"#),
            (Notice::BridgeFailed, r#""FAIL_RETRIABLE" "m.event_not_handled" null"#),
            (Notice::ContactWithoutKeys, r#""FAIL_RETRIABLE" "m.foreign_network_error" null"#),
            (Notice::NotYours, r#""FAIL_PERMANENT" "m.no_permission" null"#),
            (
                Notice::TooLong { chars: 2, max: 1 },
                r#""FAIL_PERMANENT" "com.beeper.unsupported_event" null"#,
            ),
            (
                Notice::RefusedByNetwork { reason: "it said no".to_owned() },
                r#""FAIL_PERMANENT" "m.foreign_network_error" null"#,
            ),
        ] {
            let status = failed(event_id!("$1"), &notice);
            check(&status, expected);
            let unsaid = matches!(notice, Notice::TooLong { .. });
            assert_eq!(status["message"] == UNSAID, unsaid, "{status}");
            assert_eq!(status["message"] == notice.text(), !unsaid, "{status}");
        }
    }
}
