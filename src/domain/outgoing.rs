//! Matrix → network: what becomes of a decrypted event.

use std::fmt;

use ruma::UserId;
use serde_json::Value;

use super::{
    markup::{self, TooLong},
    notice::Notice,
};

/// The decision.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing that the other side should see.
    Nothing,
    /// Send this text; the notices tell the person what did not come along.
    Text { text: String, notices: Vec<Notice> },
    /// Send nothing and say why.
    Refused(Notice),
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text { text: _, notices } => write!(f, "Text(…, {notices:?})"),
            Self::Refused(notice) => write!(f, "Refused({notice:?})"),
        }
    }
}

/// Decides on an event that was decrypted in a portal of `person`.
pub fn outgoing(person: &UserId, sender: &UserId, event_type: &str, content: &Value) -> Outgoing {
    if sender != person {
        return Outgoing::Refused(Notice::NotYours);
    }
    match event_type {
        "m.room.message" => message(content),
        "m.sticker" => refused("stickers"),
        "m.reaction" => refused("reactions"),
        "m.poll.start" | "org.matrix.msc3381.poll.start" => refused("polls"),
        // Everything else that clients encrypt (calls, verification, polls' answers) is no message.
        _ => Outgoing::Nothing,
    }
}

fn message(content: &Value) -> Outgoing {
    let kind = match content["msgtype"].as_str() {
        Some("m.text" | "m.notice" | "m.emote") => return text(content),
        Some("m.image") => "images",
        Some("m.video") => "videos",
        Some("m.audio") => "audio",
        Some("m.file") => "files",
        Some("m.location") => "locations",
        // In-room verification is between clients.
        Some("m.key.verification.request") => return Outgoing::Nothing,
        _ => "this kind of message",
    };
    refused(kind)
}

fn text(content: &Value) -> Outgoing {
    let edit = content["m.relates_to"]["rel_type"] == "m.replace";
    let shown = if edit { &content["m.new_content"] } else { content };
    let Some(body) = shown["body"].as_str() else {
        return refused("this kind of message");
    };
    let formatted = (shown["format"] == "org.matrix.custom.html")
        .then(|| shown["formatted_body"].as_str())
        .flatten();
    match markup::to_network(body, formatted) {
        Ok(translated) if translated.text.trim().is_empty() => Outgoing::Nothing,
        Ok(translated) => Outgoing::Text {
            text: translated.text,
            notices: if edit { vec![Notice::EditSentAnew] } else { Vec::new() },
        },
        Err(TooLong { chars, max }) => Outgoing::Refused(Notice::TooLong { chars, max }),
    }
}

fn refused(kind: &str) -> Outgoing {
    Outgoing::Refused(Notice::EventKindNotCarried { kind: kind.to_owned() })
}

#[cfg(test)]
mod tests {
    use ruma::user_id;
    use serde_json::json;

    use super::*;

    fn decide(content: &Value) -> Outgoing {
        let person = user_id!("@p:example.org");
        outgoing(person, person, "m.room.message", content)
    }

    #[track_caller]
    fn check_text(content: &Value, expected: &str, notices_expected: &[Notice]) {
        let Outgoing::Text { text, notices } = decide(content) else {
            unreachable!("{content} was not forwarded")
        };
        assert_eq!((text.as_str(), notices.as_slice()), (expected, notices_expected));
    }

    #[test]
    fn text_is_forwarded() {
        check_text(&json!({"msgtype": "m.text", "body": "hi"}), "hi", &[]);
        let html = json!({"msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html",
            "formatted_body": "<strong>x</strong>"});
        check_text(&html, "*x*", &[]);
    }

    #[test]
    fn an_edit_is_sent_anew_and_says_so() {
        let edit = json!({"msgtype": "m.text", "body": "* new",
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
            "m.new_content": {"msgtype": "m.text", "body": "new"}});
        check_text(&edit, "new", &[Notice::EditSentAnew]);
    }

    #[test]
    fn what_is_not_carried_is_refused_aloud() {
        let refused =
            |kind: &str| Outgoing::Refused(Notice::EventKindNotCarried { kind: kind.to_owned() });
        assert!(decide(&json!({"msgtype": "m.image", "body": "a.png"})) == refused("images"));
        assert!(decide(&json!({"msgtype": "m.text"})) == refused("this kind of message"));
        assert!(decide(&json!("no object")) == refused("this kind of message"));
    }

    #[test]
    fn strangers_cannot_write_in_a_persons_name() {
        let content = json!({"msgtype": "m.text", "body": "hi"});
        let (person, stranger) = (user_id!("@p:example.org"), user_id!("@s:example.org"));
        let decision = outgoing(person, stranger, "m.room.message", &content);
        assert!(decision == Outgoing::Refused(Notice::NotYours));
    }

    #[test]
    fn an_empty_text_is_no_message() {
        assert!(decide(&json!({"msgtype": "m.text", "body": " \n"})) == Outgoing::Nothing);
    }
}
