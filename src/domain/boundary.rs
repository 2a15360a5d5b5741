//! Who can read a bridged chat: what its room says of its two legs of encryption.
//!
//! A chat through a bridge is encrypted twice and in the clear between. People cannot see that from a
//! padlock, so each room says it: in its topic for people, in a state event for programs.

use ruma::{ServerName, UserId};
use serde_json::{Value, json};

use super::ids::PROTOCOL;

/// The type of the state event; its state key is empty.
pub const ENCRYPTION_LEGS: &str = "eu.causeway.encryption_legs";

/// What a person reads. `server` is the homeserver of the bridge.
pub fn topic(server: &ServerName) -> String {
    format!(
        "WhatsApp, through the bridge at {server}. Encrypted from your client to the bridge, and \
         again from the bridge to the contact's phone. In between, whoever operates the bridge \
         could read this chat. Your keys are in your clients, the contact's are on their phone, \
         the bridge has one set for each side."
    )
}

/// The content of the state event: each leg with its protocol and who holds which keys, and where
/// the words are in the clear. It names nobody of the network.
pub fn legs(person: &UserId, ghost: &UserId, server: &ServerName) -> Value {
    json!({
        "end_to_end": false,
        "legs": [
            {
                "leg": "matrix",
                "protocol": "m.megolm.v1.aes-sha2",
                "keys": [
                    {"of": person, "held_by": "clients"},
                    {"of": ghost, "held_by": "bridge"},
                ],
            },
            {
                "leg": "network",
                "network": PROTOCOL,
                "protocol": "signal",
                "keys": [
                    {"of": person, "held_by": "bridge"},
                    {"of": "contact", "held_by": "phone"},
                ],
            },
        ],
        "in_the_clear": [{"at": "bridge", "server": server, "stored": false}],
    })
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::*;

    #[test]
    fn the_topic_says_where_it_can_be_read_and_fits_into_a_line() {
        let topic = topic(server_name!("example.org"));
        for needle in ["example.org", "operates", "Your keys", "their phone"] {
            assert!(topic.contains(needle), "{needle}");
        }
        assert!(!topic.contains('\n') && !topic.contains("  ") && topic.len() < 400, "{topic}");
    }

    #[test]
    fn every_leg_has_its_protocol_and_both_holders_of_keys() {
        let (person, ghost) = (user_id!("@a:b.c"), user_id!("@whatsapp_x:b.c"));
        let legs = legs(person, ghost, server_name!("b.c"));
        for (leg, holders) in [(0, ["clients", "bridge"]), (1, ["bridge", "phone"])] {
            let leg = &legs["legs"][leg];
            assert!(leg["protocol"].is_string(), "{leg}");
            let held = leg["keys"].as_array().unwrap().iter().map(|key| &key["held_by"]);
            assert_eq!(held.collect::<Vec<_>>(), holders);
        }
        assert_eq!(legs["in_the_clear"][0]["server"], "b.c");
    }
}
