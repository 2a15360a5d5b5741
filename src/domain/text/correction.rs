//! Corrections of a contact: what the events of an earlier message say from then on.

use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};

use super::{EDIT_MARKER, Form, IncomingText, content, shortened};
use crate::domain::{
    markup::{self, MatrixText},
    media,
};

impl IncomingText {
    /// The same for a text that replaces the `earlier` events of a message. It may take fewer than
    /// those. Where none is known, or it takes more, it is a new message with a marker: nothing of it is
    /// lost.
    pub fn replacing(&self, earlier: &[&EventId]) -> Replaced {
        let parts = markup::to_matrix_parts(&self.body);
        let (last, before) = match earlier.split_last() {
            Some((last, before)) if parts.len() <= earlier.len() => (*last, before),
            earlier => {
                let contents = self.anew(earlier.map(|(last, _)| *last));
                return Replaced { contents, surplus: Vec::new() };
            }
        };
        // The last event stands for the message, and stays.
        let (kept, surplus) = before.split_at(parts.len().saturating_sub(1));
        let events = kept.iter().copied().chain([last]);
        Replaced {
            contents: parts
                .iter()
                .zip(events)
                .map(|(text, event)| replacing(text, event))
                .collect(),
            surplus: surplus.iter().map(|event| (*event).to_owned()).collect(),
        }
    }

    /// The content of an event that gives the file of an `earlier` one of that content these words, or
    /// takes them away. `None` if that is no file, or the words do not fit beside it.
    pub fn recaptioning(&self, earlier: &EventId, content: &Value) -> Option<Value> {
        let parts = markup::to_matrix_parts(&self.body);
        let [words] = parts.as_slice() else { return None };
        media::recaptioned(earlier, content, Some(words).filter(|words| !words.body.is_empty()))
    }

    /// A new message with a marker, which answers the earlier one where that is known.
    pub fn anew(&self, answered: Option<&EventId>) -> Vec<Value> {
        let body = format!("{EDIT_MARKER}{}", self.body);
        Self::new(body, Form::Markup, None).contents(answered)
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// How a correction is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The contents of `m.room.message` events, in order.
    pub contents: Vec<Value>,
    /// Events that nothing is left for.
    pub surplus: Vec<OwnedEventId>,
}

fn replacing(text: &MatrixText, event: &EventId) -> Value {
    json!({
        "msgtype": "m.text",
        // For clients that know no edits. An event has no room for the whole text twice.
        "body": format!("* {}", shortened(&text.body)),
        "m.new_content": content(text),
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    })
}

#[cfg(test)]
mod tests {
    use causeway_wire::message;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::domain::{
        ids::RemoteMessageId,
        text::{Incoming, incoming},
    };

    fn edit_of(body: &str) -> IncomingText {
        let target = message::Target { chat: None, from_me: true, id: "ABC".to_owned() };
        let encoded = message::encode_edit(&target, body, 1).unwrap();
        let incoming = incoming(&message::pad(encoded, &mut StdRng::seed_from_u64(1)));
        assert_eq!(incoming.about(), Some(RemoteMessageId("ABC".to_owned())));
        let Incoming::Edit { text, .. } = incoming else { unreachable!("no edit") };
        text
    }

    #[test]
    fn an_edit_replaces_its_event_or_is_a_new_message() {
        let event = ruma::event_id!("$1");
        let replaced = edit_of("*new*").replacing(&[event]).contents;
        let formatted = "<strong>new</strong>";
        assert_eq!(replaced[0]["m.new_content"]["formatted_body"], formatted);
        assert_eq!(replaced[0]["m.relates_to"]["event_id"], "$1");
        let anew = edit_of("*new*").replacing(&[]).contents;
        assert_eq!(anew[0]["body"], "\u{270f}\u{fe0f} *new*");
        assert!(anew[0]["m.relates_to"].is_null());
        // Too long for one event: nothing is replaced by half of it.
        let parts = edit_of(&"word ".repeat(12_000)).replacing(&[event]).contents;
        assert!(parts.len() > 1);
        assert_eq!(parts[0]["m.relates_to"], json!({"m.in_reply_to": {"event_id": "$1"}}));
    }

    #[test]
    fn an_edit_takes_as_many_events_as_it_needs() {
        let events = ["$1", "$2", "$3"].map(|id| EventId::parse(id).unwrap());
        let earlier: Vec<&EventId> = events.iter().map(|event| &**event).collect();
        let about = |body: &str| {
            let Replaced { contents, surplus } = edit_of(body).replacing(&earlier);
            let of = |content: &Value| content["m.relates_to"]["event_id"].to_string();
            (contents.iter().map(of).collect::<Vec<_>>().join(" "), surplus)
        };
        assert_eq!(about("short"), (r#""$3""#.to_owned(), events[..2].to_vec()));
        let (contents, surplus) = about(&"word ".repeat(9_000));
        assert_eq!((contents.as_str(), surplus), (r#""$1" "$3""#, events[1..2].to_vec()));
    }

    /// The longest edit that replaces still fits into an encrypted event (client-server API, "Size
    /// limits"): base64 takes a third on top, and keys, ids and signatures the rest.
    #[test]
    fn the_longest_edit_fits_into_an_event() {
        let event = ruma::event_id!("$1");
        let mut longest = "\u{1}".repeat(markup::MATRIX_TEXT_BYTES_MAX / 6 - 1);
        let replaced = edit_of(&longest).replacing(&[event]).contents;
        assert_eq!(replaced.len(), 1);
        assert!(replaced[0].to_string().len() * 4 / 3 < 64_000);
        longest.push_str("\u{1}\u{1}");
        assert!(edit_of(&longest).replacing(&[event]).contents.len() > 1);
    }
}
