//! Matrix → network: what becomes of a decrypted event.

#[cfg(test)]
mod tests;

use std::fmt;

use causeway_wire::message::MAX_REACTION_CHARS;
use ruma::{EventId, OwnedEventId, UserId};
use serde_json::Value;

use super::{
    markup::{self, NETWORK_TEXT_CHARS_MAX, TooLong},
    notice::{Earlier, Notice},
    text::{EDIT_MARKER, shortened},
};

/// The decision.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing that the other side should see.
    Nothing,
    /// Send this text; the notices tell the person what did not come along.
    Text { text: String, about: About, notices: Vec<Notice> },
    /// Send this emoji for the message that is `target`.
    Reaction { target: OwnedEventId, emoji: String },
    /// Send nothing and say why.
    Refused(Notice),
}

/// Which earlier message a text is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    None,
    /// It answers this one.
    Answers(OwnedEventId),
    /// It replaces this one.
    Replaces(OwnedEventId),
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text { text: _, about, notices } => write!(f, "Text(…, {about:?}, {notices:?})"),
            Self::Reaction { target, emoji: _ } => write!(f, "Reaction({target}, …)"),
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
        "m.reaction" => reaction(&content["m.relates_to"]),
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
    let relation = &content["m.relates_to"];
    let edit = relation["rel_type"] == "m.replace";
    let shown = if edit { &content["m.new_content"] } else { content };
    let Some(body) = shown["body"].as_str() else {
        return refused("this kind of message");
    };
    let formatted = (shown["format"] == "org.matrix.custom.html")
        .then(|| shown["formatted_body"].as_str())
        .flatten();
    let about = about(relation);
    let body = if matches!(about, About::Answers(_)) { without_fallback(body) } else { body };
    let (text, notices) = match markup::to_network(body, formatted) {
        Ok(translated) if translated.text.trim().is_empty() => return Outgoing::Nothing,
        Ok(translated) => (translated.text, Vec::new()),
        Err(TooLong { chars, max }) => return Outgoing::Refused(Notice::TooLong { chars, max }),
    };
    // An edit leaves room for its marker, whether or not it will need one.
    let chars =
        text.encode_utf16().count() + if edit { EDIT_MARKER.encode_utf16().count() } else { 0 };
    if chars > NETWORK_TEXT_CHARS_MAX {
        return Outgoing::Refused(Notice::TooLong { chars, max: NETWORK_TEXT_CHARS_MAX });
    }
    Outgoing::Text { text, about, notices }
}

/// The text of an edit, as a network without edits gets it, and what the person is told of that.
/// A message that never left (it was too long, for example) needs no correction: the contact gets
/// the new text alone.
pub fn correction(text: &str, earlier_left: bool) -> (String, Vec<Notice>) {
    if earlier_left {
        (format!("{EDIT_MARKER}{text}"), vec![Notice::Earlier(Earlier::EditSentAnew)])
    } else {
        (text.to_owned(), Vec::new())
    }
}

/// A thread is a chain of answers to a network that has no threads.
fn about(relation: &Value) -> About {
    let event = |value: &Value| EventId::parse(value["event_id"].as_str()?).ok();
    let root = || (relation["rel_type"] == "m.thread").then(|| event(relation)).flatten();
    if relation["rel_type"] == "m.replace" {
        return event(relation).map_or(About::None, About::Replaces);
    }
    event(&relation["m.in_reply_to"]).or_else(root).map_or(About::None, About::Answers)
}

/// A body without the quotation that older clients put above an answer, which names its author, as no
/// quotation of a person's does (client-server API, "Fallbacks for rich replies").
fn without_fallback(body: &str) -> &str {
    if !body.starts_with("> <@") && !body.starts_with("> * <@") {
        return body;
    }
    let mut rest = body;
    while rest.starts_with('>') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}

/// What an answer to an event of this content repeats of it; `None` if it has no text.
pub fn quotable(content: &Value) -> Option<String> {
    let formatted = (content["format"] == "org.matrix.custom.html")
        .then(|| content["formatted_body"].as_str())
        .flatten();
    let body = without_fallback(content["body"].as_str()?);
    let text = markup::to_network(body, formatted).ok()?.text;
    let quoted = shortened(&text);
    (!quoted.trim().is_empty()).then_some(quoted)
}

fn reaction(relation: &Value) -> Outgoing {
    let target = relation["event_id"].as_str().and_then(|event| EventId::parse(event).ok());
    let Some((target, emoji)) = target.zip(relation["key"].as_str()) else {
        return Outgoing::Nothing;
    };
    if !is_emoji(emoji) {
        return Outgoing::Refused(Notice::Earlier(Earlier::ReactionIsNoEmoji));
    }
    Outgoing::Reaction { target, emoji: emoji.to_owned() }
}

/// Keeps out words and custom images (`mxc:` addresses), which are what clients offer beside emoji.
/// Whether the rest has a picture is for the other side's font to say.
fn is_emoji(key: &str) -> bool {
    let wordy = |c: char| c.is_ascii_alphabetic() || c.is_whitespace() || c.is_control();
    !key.is_ascii() && !key.contains(wordy) && key.chars().count() <= MAX_REACTION_CHARS
}

fn refused(kind: &str) -> Outgoing {
    Outgoing::Refused(Notice::EventKindNotCarried { kind: kind.to_owned() })
}
