//! Matrix → network: what becomes of a decrypted event.

#[cfg(test)]
mod tests;

use std::fmt;

use causeway_wire::message::MAX_REACTION_CHARS;
use ruma::{EventId, OwnedEventId, UserId};
use serde_json::{Value, json};

use super::{
    bridged::Direction,
    capability::Capabilities,
    fallback::{extensible, location, poll},
    ids::RemoteMessageId,
    limits::{DELETION_WINDOW, EDIT_WINDOW, millis},
    markup::{self, NETWORK_TEXT_CHARS_MAX, TooLong},
    media::{self, OutgoingMedia, Shape},
    notice::{Content, Earlier, Notice},
    text::{EDIT_MARKER, shortened},
};

/// The decision.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing that the other side should see.
    Nothing,
    /// Send this text; the notices tell the person what did not come along.
    Text { text: String, about: About, notices: Vec<Notice> },
    /// Move this file and send it.
    Media { media: Box<OutgoingMedia>, about: About, notices: Vec<Notice> },
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
    /// It replaces the words with the file of this one.
    Recaptions(OwnedEventId),
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text { text: _, about, notices } => write!(f, "Text(…, {about:?}, {notices:?})"),
            Self::Media { media, about, notices } => {
                write!(f, "Media({media:?}, {about:?}, {notices:?})")
            }
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
        "m.sticker" => file(Shape::Sticker, content),
        "m.reaction" => reaction(&content["m.relates_to"]),
        "m.poll.start" | "org.matrix.msc3381.poll.start" => {
            match poll::to_network(new_content(content)) {
                Some(text) => instead(text, content, vec![Notice::Content(Content::PollAsText)]),
                None => refused("polls without a question"),
            }
        }
        // Extensible events (MSC1767) that no client sends in earnest yet, and whose text is all that they are.
        "m.message" | "org.matrix.msc1767.message" => match extensible::text(content) {
            Some(body) => text(&json!({"body": body, "m.relates_to": content["m.relates_to"]})),
            None => Outgoing::Nothing,
        },
        // Everything else that clients encrypt (calls, verification, polls' answers, steps of a live location) is
        // no message.
        _ => Outgoing::Nothing,
    }
}

fn message(content: &Value) -> Outgoing {
    match content["msgtype"].as_str() {
        Some("m.text" | "m.notice" | "m.emote") => text(content),
        Some("m.image") => file(Shape::Image, content),
        Some("m.video") => file(Shape::Video, content),
        Some("m.audio") => file(Shape::Audio, content),
        Some("m.file") => file(Shape::File, content),
        Some("m.location") => match location::to_network(new_content(content)) {
            Some(text) => instead(text, content, Vec::new()),
            None => refused("locations without a place"),
        },
        // In-room verification is between clients.
        Some("m.key.verification.request") => Outgoing::Nothing,
        Some(other) if is_name(other) => refused(&format!("messages of the kind {other}")),
        _ => refused("this kind of message"),
    }
}

/// Whether the name of a kind can be shown to a person.
fn is_name(kind: &str) -> bool {
    const NAME_CHARS_MAX: usize = 60;
    kind.len() <= NAME_CHARS_MAX
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// What an event says in the end: an edit holds it apart.
fn new_content(content: &Value) -> &Value {
    let edit = content["m.relates_to"]["rel_type"] == "m.replace";
    if edit { &content["m.new_content"] } else { content }
}

/// A text that stands for something else.
fn instead(text: String, content: &Value, notices: Vec<Notice>) -> Outgoing {
    let about = about(&content["m.relates_to"]);
    Outgoing::Text { text, about, notices }
}

fn file(shape: Shape, content: &Value) -> Outgoing {
    let about = about(&content["m.relates_to"]);
    if let About::Replaces(event) = about {
        return match media::caption(shape, &content["m.new_content"]) {
            Ok(Some(words)) => said(words, About::Recaptions(event)),
            Ok(None) => Outgoing::Refused(Notice::Content(Content::FileEditNotCarried)),
            Err(notice) => Outgoing::Refused(notice),
        };
    }
    match OutgoingMedia::read(shape, content) {
        Ok(media) => {
            let notices = media.notices();
            Outgoing::Media { media: Box::new(media), about, notices }
        }
        Err(notice) => Outgoing::Refused(notice),
    }
}

fn text(content: &Value) -> Outgoing {
    let relation = &content["m.relates_to"];
    let shown = new_content(content);
    let Some(body) = shown["body"].as_str() else {
        return refused("this kind of message");
    };
    let formatted = (shown["format"] == "org.matrix.custom.html")
        .then(|| shown["formatted_body"].as_str())
        .flatten();
    let about = about(relation);
    let body = if matches!(about, About::Answers(_)) { without_fallback(body) } else { body };
    match markup::to_network(body, formatted) {
        Ok(translated) if translated.text.trim().is_empty() => Outgoing::Nothing,
        Ok(translated) => said(translated.text, about),
        Err(TooLong { chars, max }) => Outgoing::Refused(Notice::TooLong { chars, max }),
    }
}

fn said(text: String, about: About) -> Outgoing {
    // An edit leaves room for its marker, whether or not it will need one.
    let edit = matches!(about, About::Replaces(_) | About::Recaptions(_));
    let marker = if edit { EDIT_MARKER.encode_utf16().count() } else { 0 };
    let chars = text.encode_utf16().count() + marker;
    if chars > NETWORK_TEXT_CHARS_MAX {
        return Outgoing::Refused(Notice::TooLong { chars, max: NETWORK_TEXT_CHARS_MAX });
    }
    Outgoing::Text { text, about, notices: Vec::new() }
}

/// What becomes of a change of an earlier message.
#[derive(Clone, PartialEq, Eq)]
pub enum Correction {
    /// This message is changed.
    InPlace(RemoteMessageId),
    /// This is said instead, and the person is told that.
    Anew { text: String, notices: Vec<Notice> },
}

/// A message that is on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBefore {
    pub id: RemoteMessageId,
    pub direction: Direction,
    /// Milliseconds since then.
    pub age: i64,
}

/// Decides on the new `text` of a message. One that never left (it was too long, for example) needs no
/// correction: the contact gets the new text alone.
pub fn correction(
    text: &str,
    about: &About,
    earlier: Option<SentBefore>,
    can: Capabilities,
) -> Correction {
    let Some(SentBefore { id, direction, age }) = earlier else {
        return Correction::Anew { text: text.to_owned(), notices: Vec::new() };
    };
    let is_own_text = matches!(about, About::Replaces(_)) && direction == Direction::ToNetwork;
    if can.edits && is_own_text && age < millis(EDIT_WINDOW) {
        return Correction::InPlace(id);
    }
    Correction::Anew {
        text: format!("{EDIT_MARKER}{text}"),
        notices: vec![Notice::Earlier(Earlier::EditSentAnew)],
    }
}

/// Whether a message can be taken back.
pub fn can_be_deleted(message: &SentBefore, can: Capabilities) -> bool {
    can.deletions && message.age < millis(DELETION_WINDOW)
}

impl fmt::Debug for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InPlace(id) => write!(f, "InPlace({id:?})"),
            Self::Anew { text: _, notices } => write!(f, "Anew(…, {notices:?})"),
        }
    }
}

impl About {
    /// The event of that message.
    pub fn event(&self) -> Option<&EventId> {
        match self {
            Self::None => None,
            Self::Answers(event) | Self::Replaces(event) | Self::Recaptions(event) => Some(event),
        }
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

/// What an answer to an event of this content repeats of it; `None` if there is nothing to say of it.
pub fn quotable(content: &Value) -> Option<String> {
    let shape = match content["msgtype"].as_str() {
        Some("m.image") => Some((Shape::Image, "\u{1f4f7}")),
        Some("m.video") => Some((Shape::Video, "\u{1f3a5}")),
        Some("m.audio") => Some((Shape::Audio, "\u{1f3a7}")),
        Some("m.file") => Some((Shape::File, "\u{1f4c4}")),
        _ => None,
    };
    let text = if let Some((shape, symbol)) = shape {
        media::caption(shape, content).ok()?.unwrap_or_else(|| symbol.to_owned())
    } else {
        let formatted = (content["format"] == "org.matrix.custom.html")
            .then(|| content["formatted_body"].as_str())
            .flatten();
        let body = without_fallback(content["body"].as_str()?);
        markup::to_network(body, formatted).ok()?.text
    };
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
