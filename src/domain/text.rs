//! What is said, in and out of the network's messages: translation, protobuf and padding together.

mod correction;

use causeway_wire::{
    message::{self, Call, Edit, Media, MessageContent, Quote, Reaction},
    stanza::Personal,
};
use rand::CryptoRng;
use ruma::EventId;
use serde_json::{Value, json};

use super::{
    bridged::{Direction, Timestamp},
    fallback::{contact, described, location, poll},
    ids::{RemoteMessageId, RemoteUser},
    limits,
    markup::{self, MatrixText},
    media::IncomingMedia,
    notice::{Content, Notice},
    part::Part,
};

pub use self::correction::Replaced;

/// Stands before a text that replaces an earlier one and is shown beside it.
pub(super) const EDIT_MARKER: &str = "\u{270f}\u{fe0f} ";

/// What a decrypted message of the network becomes.
#[derive(Clone, PartialEq, Eq)]
pub enum Incoming {
    Text(IncomingText),
    /// A file, to be moved before it can be shown.
    Media(Box<IncomingMedia>),
    /// An emoji for a message, or none any more.
    Reaction {
        target: RemoteMessageId,
        emoji: Option<String>,
    },
    /// A text that replaces the earlier message `target`, or the words that stand with its file.
    Edit {
        target: RemoteMessageId,
        text: IncomingText,
        is_caption: bool,
    },
    /// The contact deleted the earlier message `target`.
    Deletion {
        target: RemoteMessageId,
    },
    /// Nothing to show: keys, protocol steps.
    Nothing,
    /// Something that the bridge tells in its own words.
    Told(Notice),
    /// Decrypted, but no message.
    Malformed,
}

impl Incoming {
    /// The earlier message that this is about.
    pub fn about(&self) -> Option<RemoteMessageId> {
        match self {
            Self::Text(text) => text.answers(),
            Self::Media(media) => media.answers(),
            Self::Reaction { target, .. }
            | Self::Edit { target, .. }
            | Self::Deletion { target } => Some(target.clone()),
            Self::Nothing | Self::Told(_) | Self::Malformed => None,
        }
    }
}

/// What a contact says in words, or what stands for it in words.
#[derive(Clone, PartialEq, Eq)]
pub struct IncomingText {
    body: String,
    form: Form,
    quote: Option<Quote>,
}

/// How words are shown.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// In the network's markup.
    Markup,
    /// As they are: they stand for a kind that Matrix clients do not know.
    Lines,
    /// As they are, and marked as the bridge's.
    Notice,
    /// On a map: the content of an `m.location`.
    Place(Value),
}

impl IncomingText {
    fn new(body: String, form: Form, quote: Option<Quote>) -> Self {
        Self { body, form, quote }
    }

    /// The message that it answers.
    pub fn answers(&self) -> Option<RemoteMessageId> {
        self.quote.as_ref().map(|quote| RemoteMessageId(quote.id.clone()))
    }

    /// The contents of one or more `m.room.message` events, in order: a long text does not fit into
    /// one. Without an `answered` event, what it answers stands above it as a quotation.
    pub fn contents(&self, answered: Option<&EventId>) -> Vec<Value> {
        let quoted = self.quote.as_ref().and_then(|quote| quote.text.as_deref());
        let body = match (answered, quoted) {
            (None, Some(quoted)) => format!("{}{}", quotation(quoted), self.body),
            _ => self.body.clone(),
        };
        let mut contents: Vec<Value> = match &self.form {
            Form::Markup => markup::to_matrix_parts(&body).iter().map(content).collect(),
            Form::Lines => plain("m.text", &body),
            Form::Notice => plain("m.notice", &body),
            Form::Place(place) => vec![place.clone()],
        };
        if let (Some(event), Some(first)) = (answered, contents.first_mut()) {
            first["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
        }
        contents
    }
}

/// At most [`limits::QUOTE_CHARS_MAX`] characters of a text, and a sign that there was more.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(limits::QUOTE_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

pub(super) fn quotation(text: &str) -> String {
    text.lines().flat_map(|line| ["> ", line, "\n"]).collect()
}

/// The content of an `m.reaction` to `event`.
pub fn reaction(event: &EventId, emoji: &str) -> Value {
    json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": emoji}})
}

/// What stands for a reaction to a message that is no event here.
pub fn reaction_to_unknown(emoji: &str) -> Value {
    let body = format!("reacted with {emoji} to a message that is not in this room");
    json!({"msgtype": "m.emote", "body": body})
}

/// What is sent to the network. Whoever makes one has kept to the limits.
#[derive(Clone, PartialEq, Eq)]
pub enum NetworkMessage {
    Text {
        text: String,
        quote: Option<Quoted>,
    },
    Reaction {
        chat: RemoteUser,
        /// The message that it is for, and whose that is.
        target: RemoteMessageId,
        direction: Direction,
        /// `None` takes an earlier one back.
        emoji: Option<String>,
        at: Timestamp,
    },
    /// The text of an earlier message from now on.
    Edit {
        chat: RemoteUser,
        target: RemoteMessageId,
        text: String,
        at: Timestamp,
    },
    /// An earlier message is to be gone.
    Deletion {
        chat: RemoteUser,
        target: RemoteMessageId,
    },
    /// Made by [`super::media::OutgoingMedia::message`] alone.
    Media(Box<Media>),
}

/// The message that another answers, as the contact knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Quoted {
    pub id: RemoteMessageId,
    pub sender: Option<RemoteUser>,
    pub text: Option<String>,
}

impl Quoted {
    pub(super) fn to_wire(&self) -> Quote {
        let sender = self.sender.as_ref().map(|sender| Personal(sender.0.clone()));
        Quote { id: self.id.0.clone(), sender, text: self.text.clone() }
    }
}

/// The padded plaintext of a message, ready to be encrypted.
///
/// The translation has refused whatever is too long, so this cannot fail.
pub fn network_plaintext(message: &NetworkMessage, rng: &mut impl CryptoRng) -> Vec<u8> {
    let encoded = match message {
        NetworkMessage::Text { text, quote: None } => message::encode_text(text),
        NetworkMessage::Text { text, quote: Some(quote) } => {
            message::encode_reply(text, &quote.to_wire())
        }
        NetworkMessage::Reaction { chat, target, direction, emoji, at } => {
            let target = message::Target {
                chat: Some(Personal(chat.0.clone())),
                from_me: *direction == Direction::ToNetwork,
                id: target.0.clone(),
            };
            message::encode_reaction(&Reaction { target, emoji: emoji.clone() }, *at)
        }
        NetworkMessage::Edit { chat, target, text, at } => {
            message::encode_edit(&ours(chat, target), text, *at)
        }
        NetworkMessage::Deletion { chat, target } => message::encode_deletion(&ours(chat, target)),
        NetworkMessage::Media(media) => message::encode_media(media),
    };
    message::pad(encoded.expect("the translation has the stricter limits"), rng)
}

/// A message of the person in the chat with a contact.
fn ours(chat: &RemoteUser, id: &RemoteMessageId) -> message::Target {
    let chat = Some(Personal(chat.0.clone()));
    message::Target { chat, from_me: true, id: id.0.clone() }
}

/// Reads a decrypted, still padded message.
pub fn incoming(padded: &[u8]) -> Incoming {
    let Ok(message) = message::unpad(padded).and_then(message::decode) else {
        return Incoming::Malformed;
    };
    match message.content {
        MessageContent::Text(text) if text.body.is_empty() => Incoming::Nothing,
        MessageContent::Text(message::Text { body, quote }) => {
            Incoming::Text(IncomingText::new(body, Form::Markup, quote))
        }
        MessageContent::Reaction(Reaction { target, emoji }) => {
            Incoming::Reaction { target: RemoteMessageId(target.id), emoji }
        }
        MessageContent::Edit(Edit { target, text, is_caption }) => Incoming::Edit {
            target: RemoteMessageId(target.id),
            text: IncomingText::new(text.body, Form::Markup, None),
            is_caption,
        },
        MessageContent::Deletion(target) => {
            Incoming::Deletion { target: RemoteMessageId(target.id) }
        }
        MessageContent::Media(media) => {
            Incoming::Media(Box::new(IncomingMedia::new(*media, message.view_once)))
        }
        MessageContent::Location(place) => {
            let shown = Form::Place(location::to_matrix(&place));
            said(String::new(), shown, place.quote)
        }
        MessageContent::Contacts(contacts) => {
            said(contact::to_matrix(&contacts), Form::Lines, contacts.quote)
        }
        MessageContent::Poll(asked) => said(poll::to_matrix(&asked), Form::Lines, asked.quote),
        MessageContent::Described(words) => {
            said(described::to_matrix(&words), Form::Notice, words.quote)
        }
        MessageContent::Call(Call { video, missed }) => {
            Incoming::Told(Notice::Content(Content::Called { video, missed }))
        }
        MessageContent::Silent { .. } => Incoming::Nothing,
        MessageContent::Unsupported { kind } => {
            Incoming::Told(Notice::MessageKindNotShown { kind: kind.to_owned() })
        }
    }
}

fn said(body: String, form: Form, quote: Option<Quote>) -> Incoming {
    Incoming::Text(IncomingText::new(body, form, quote))
}

fn content(text: &MatrixText) -> Value {
    Part::text(text).content
}

/// Words without any formatting, however many events they take.
fn plain(msgtype: &str, body: &str) -> Vec<Value> {
    let parts = markup::to_matrix_parts(body);
    parts.iter().map(|part| json!({"msgtype": msgtype, "body": part.body})).collect()
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Reaction { .. } => "Reaction(…)",
            Self::Edit { .. } => "Edit(…)",
            Self::Deletion { .. } => "Deletion",
            Self::Nothing => "Nothing",
            Self::Media(_) => "Media(…)",
            Self::Told(_) => "Told",
            Self::Malformed => "Malformed",
        })
    }
}

impl std::fmt::Debug for IncomingText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IncomingText({} bytes)", self.body.len())
    }
}

impl std::fmt::Debug for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quoted({:?})", self.id)
    }
}

impl std::fmt::Debug for NetworkMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text(…)",
            Self::Reaction { .. } => "Reaction(…)",
            Self::Edit { .. } => "Edit(…)",
            Self::Deletion { .. } => "Deletion",
            Self::Media(_) => "Media(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn text(text: &str, quote: Option<Quoted>) -> NetworkMessage {
        NetworkMessage::Text { text: text.to_owned(), quote }
    }

    fn quote(text: Option<&str>) -> Quoted {
        let id = RemoteMessageId("ABC".to_owned());
        Quoted { id, sender: None, text: text.map(str::to_owned) }
    }

    fn contents_of(message: &NetworkMessage, answered: Option<&EventId>) -> Vec<Value> {
        let padded = network_plaintext(message, &mut StdRng::seed_from_u64(1));
        let Incoming::Text(text) = incoming(&padded) else { unreachable!("no text") };
        text.contents(answered)
    }

    #[test]
    fn an_answer_relates_to_its_event_or_quotes() {
        let event = ruma::event_id!("$1");
        let related = contents_of(&text("yes", Some(quote(Some("sure?")))), Some(event));
        let relation = json!({"m.in_reply_to": {"event_id": "$1"}});
        assert_eq!((&related[0]["body"], &related[0]["m.relates_to"]), (&json!("yes"), &relation));
        let quoted = contents_of(&text("yes", Some(quote(Some("sure?\n\nreally?")))), None);
        assert_eq!(quoted[0]["body"], "> sure?\n> \n> really?\nyes");
        assert!(quoted[0]["m.relates_to"].is_null());
        let bare = contents_of(&text("yes", Some(quote(None))), None);
        assert_eq!(bare[0], json!({"msgtype": "m.text", "body": "yes"}));
    }

    #[test]
    fn a_long_answer_relates_once() {
        let event = ruma::event_id!("$1");
        let contents = contents_of(&text(&"word ".repeat(12_000), Some(quote(None))), Some(event));
        let related = contents.iter().filter(|content| !content["m.relates_to"].is_null());
        assert!(contents.len() > 1);
        assert_eq!(related.count(), 1);
    }

    #[test]
    fn a_text_comes_back_as_it_was_sent() {
        let contents = contents_of(&text("hello *world* مرحبا 🎉", None), None);
        assert_eq!(contents.len(), 1);
        assert_eq!(contents[0]["body"], "hello *world* مرحبا 🎉");
        let formatted = contents[0]["formatted_body"].as_str().unwrap();
        assert!(formatted.contains("<strong>world</strong>"), "{formatted}");
    }

    #[test]
    fn what_is_no_message_is_said_to_be_none() {
        assert!(incoming(b"") == Incoming::Malformed);
        assert!(incoming(&[0xff; 40]) == Incoming::Malformed);
    }
}
