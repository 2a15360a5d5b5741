//! Reactions: an emoji for a message; another one replaces it, none takes it back (network facts
//! 2.5). One person has at most one reaction on a message.

use std::fmt;

use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    tags,
    whatsapp::{Message, MessageKey, message::ReactionMessage},
};

use super::{MessageError, Value, bytes_of, fields, text};
use crate::stanza::Personal;

/// The most characters of a reaction: several times what the longest emoji sequences have, and far
/// from a text.
pub const MAX_REACTION_CHARS: usize = 32;

/// An emoji for a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The message that it is for.
    pub target: Target,
    /// The emoji; `None` takes an earlier one back.
    pub emoji: Option<String>,
}

/// Names a message of a direct chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The chat, as the sender of this names it.
    pub chat: Option<Personal>,
    /// Whether the sender of this also sent the message.
    pub from_me: bool,
    /// The id of its stanza.
    pub id: String,
}

impl Target {
    pub(super) fn to_key(&self) -> MessageKey {
        MessageKey {
            remote_jid: self.chat.as_ref().map(|chat| chat.0.clone()),
            from_me: Some(self.from_me),
            id: Some(self.id.clone()),
            ..Default::default()
        }
    }
}

/// Writes a reaction, without padding. `sent_at_ms` is in milliseconds of Unix time.
pub fn encode_reaction(reaction: &Reaction, sent_at_ms: i64) -> Result<Vec<u8>, MessageError> {
    let Reaction { target, emoji } = reaction;
    if target.id.is_empty() {
        return Err(MessageError::NoTarget);
    }
    let emoji = match emoji {
        Some(emoji) if !is_emoji_sized(emoji) => return Err(MessageError::NoEmoji),
        Some(emoji) => emoji.clone(),
        None => String::new(),
    };
    let reaction = ReactionMessage {
        key: MessageField::some(target.to_key()),
        text: Some(emoji),
        sender_timestamp_ms: Some(sent_at_ms),
        ..Default::default()
    };
    let message = Message { reaction_message: MessageField::some(reaction), ..Default::default() };
    Ok(message_to_vec(&message))
}

/// `None` if it is for no message, or holds more than an emoji.
pub(super) fn read(reaction: &[u8]) -> Result<Option<Reaction>, MessageError> {
    let emoji = text(bytes_of(reaction, tags::message::reaction_message::TEXT)?)?;
    if !emoji.is_empty() && !is_emoji_sized(&emoji) {
        return Ok(None);
    }
    let target = target(bytes_of(reaction, tags::message::reaction_message::KEY)?)?;
    let emoji = Some(emoji).filter(|emoji| !emoji.is_empty());
    Ok(target.map(|target| Reaction { target, emoji }))
}

/// The message that a key names; `None` if it names none.
pub(super) fn target(key: &[u8]) -> Result<Option<Target>, MessageError> {
    let id = text(bytes_of(key, tags::message_key::ID)?)?;
    if id.is_empty() {
        return Ok(None);
    }
    let chat = text(bytes_of(key, tags::message_key::REMOTE_JID)?)?;
    let from_me = fields(key).try_fold(false, |earlier, field| {
        Ok(match field? {
            (tags::message_key::FROM_ME, Value::Number(number)) => number != 0,
            _ => earlier,
        })
    })?;
    let chat = Some(chat).filter(|chat| !chat.is_empty()).map(Personal);
    Ok(Some(Target { chat, from_me, id }))
}

fn is_emoji_sized(emoji: &str) -> bool {
    !emoji.trim().is_empty() && emoji.chars().count() <= MAX_REACTION_CHARS
}

impl fmt::Debug for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaction")
            .field("target", &self.target)
            .field("removes", &self.emoji.is_none())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("id", &self.id)
            .field("from_me", &self.from_me)
            .finish_non_exhaustive()
    }
}
