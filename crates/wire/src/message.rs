//! What people say to each other: the plaintext of a ciphertext.
//!
//! A padded protobuf `Message` of which one field is set (network facts 2.5, 3.7). Fields that are not
//! understood here are named, so that a person can be told what they miss; their content stays
//! unread.

mod change;
mod kind;
mod padding;
mod quote;
mod reaction;
#[cfg(test)]
mod tests;

use std::fmt;

pub use change::{Edit, encode_deletion, encode_edit};
pub use padding::{MAX_PADDING, pad, unpad};
pub use quote::{Quote, encode_reply};
pub use reaction::{MAX_REACTION_CHARS, Reaction, Target, encode_reaction};
use waproto::{
    buffa::{
        MessageField,
        encoding::{Tag, WireType, decode_varint, skip_field},
    },
    codec::{message_decode, message_to_vec},
    tags::message as tags,
    whatsapp::{Message, message::DeviceSentMessage},
};

use self::kind::Kind;
use super::stanza::Personal;

/// The most characters of a text (network facts 2.5).
pub const MAX_TEXT_CHARS: usize = 65_536;

/// The most wrappers around a message: seen are a copy for one's own device around a disappearing or
/// view-once message.
pub const MAX_WRAPPERS: usize = 4;

/// What a message holds. `Debug` hides texts.
#[derive(Clone, PartialEq, Eq)]
pub enum MessageContent {
    /// A text.
    Text(Text),
    /// An emoji for a message, or none any more.
    Reaction(Reaction),
    /// A text that replaces an earlier one.
    Edit(Edit),
    /// An earlier message is taken back.
    Deletion(Target),
    /// Nothing to show: keys, protocol steps.
    Silent {
        /// The name of the field that is set.
        kind: &'static str,
    },
    /// Something that cannot be read here.
    Unsupported {
        /// The name of the field that is set, or `unknown`.
        kind: &'static str,
    },
}

/// A text message.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// The text, in the network's own markup.
    pub body: String,
    /// The message that it answers, if it answers one.
    pub quote: Option<Quote>,
}

/// A message and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// What it holds.
    pub content: MessageContent,
    /// For a copy of what another device of the same person sent: to whom that went.
    pub sent_to: Option<Personal>,
    /// Whether it came wrapped as disappearing or as to be seen once, which we cannot honor.
    pub ephemeral: bool,
}

/// Why a plaintext is no message, or a text cannot be sent. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The padding is not what it should be.
    #[error("the padding of a message is damaged")]
    Padding,
    /// Not the protobuf that it should be.
    #[error("not a message")]
    NotAMessage,
    /// Wrapped more than [`MAX_WRAPPERS`] times.
    #[error("a message wrapped more than {MAX_WRAPPERS} times")]
    TooDeep,
    /// A text of more than [`MAX_TEXT_CHARS`] characters.
    #[error("a text of {chars} characters, the limit is {MAX_TEXT_CHARS}")]
    TextTooLong {
        /// How many.
        chars: usize,
    },
    /// An answer or a reaction to no message.
    #[error("it names no message that it is about")]
    NoTarget,
    /// Blank, or more than [`MAX_REACTION_CHARS`] characters.
    #[error("a reaction that is no emoji")]
    NoEmoji,
}

/// Writes a text as a message, without padding.
pub fn encode_text(body: &str) -> Result<Vec<u8>, MessageError> {
    check_text(body)?;
    let message = Message { conversation: Some(body.to_owned()), ..Default::default() };
    Ok(message_to_vec(&message))
}

fn check_text(body: &str) -> Result<(), MessageError> {
    let chars = body.chars().count();
    if chars > MAX_TEXT_CHARS {
        return Err(MessageError::TextTooLong { chars });
    }
    Ok(())
}

/// Wraps an encoded message as the copy for another device of its sender.
pub fn encode_device_sent(sent_to: &str, message: &[u8]) -> Result<Vec<u8>, MessageError> {
    let message = message_decode(message).map_err(|_| MessageError::NotAMessage)?;
    let copy = DeviceSentMessage {
        destination_jid: Some(sent_to.to_owned()),
        message: MessageField::some(message),
        ..Default::default()
    };
    let wrapper = Message { device_sent_message: MessageField::some(copy), ..Default::default() };
    Ok(message_to_vec(&wrapper))
}

/// Reads a message, without padding.
pub fn decode(bytes: &[u8]) -> Result<Incoming, MessageError> {
    let (mut sent_to, mut ephemeral) = (None, false);
    let mut message = bytes;
    for _ in 0..=MAX_WRAPPERS {
        let Some((kind, value)) = meaning(message)? else {
            let content = MessageContent::Silent { kind: "empty" };
            return Ok(Incoming { content, sent_to, ephemeral });
        };
        let content = match kind {
            Kind::Conversation => MessageContent::Text(Text { body: text(value)?, quote: None }),
            Kind::ExtendedText => {
                let body = bytes_of(value, tags::extended_text_message::TEXT)?;
                let context = bytes_of(value, tags::extended_text_message::CONTEXT_INFO)?;
                MessageContent::Text(Text { body: text(body)?, quote: quote::read(context) })
            }
            Kind::Reaction => reaction::read(value)?
                .map_or(MessageContent::Unsupported { kind: "reaction" }, MessageContent::Reaction),
            Kind::DeviceSent => {
                let to = bytes_of(value, tags::device_sent_message::DESTINATION_JID)?;
                sent_to = Some(Personal(text(to)?));
                message = bytes_of(value, tags::device_sent_message::MESSAGE)?;
                continue;
            }
            Kind::Wrapper { ephemeral: forget } => {
                ephemeral |= forget;
                message = bytes_of(value, tags::future_proof_message::MESSAGE)?;
                continue;
            }
            Kind::Protocol => change::read(value)?,
            Kind::Silent(kind) => MessageContent::Silent { kind },
            Kind::Unsupported(kind) => MessageContent::Unsupported { kind },
        };
        return Ok(Incoming { content, sent_to, ephemeral });
    }
    Err(MessageError::TooDeep)
}

/// What a message is, with the bytes of the field that says so; `None` if nothing is set. Keys and
/// context travel beside it: they count only where nothing else is set.
fn meaning(message: &[u8]) -> Result<Option<(Kind, &[u8])>, MessageError> {
    let mut found: Option<(Kind, &[u8])> = None;
    for field in fields(message) {
        let (number, value) = field?;
        let kind = Kind::of(number);
        let only_beside = |kind: &Kind| matches!(kind, Kind::Silent(_));
        if found.as_ref().is_none_or(|(earlier, _)| only_beside(earlier) && !only_beside(&kind)) {
            found = Some((kind, value.bytes()));
        }
    }
    Ok(found)
}

/// The bytes of field `number`, empty if it is not set; the last one counts, as in any protobuf.
fn bytes_of(message: &[u8], number: u32) -> Result<&[u8], MessageError> {
    fields(message).try_fold(&[][..], |earlier, field| {
        let (found, value) = field?;
        Ok(if found == number { value.bytes() } else { earlier })
    })
}

fn text(bytes: &[u8]) -> Result<String, MessageError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| MessageError::NotAMessage)
}

/// The value of a field, as far as we tell them apart.
#[derive(Clone, Copy)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u64),
    Other,
}

impl<'a> Value<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) | Self::Other => &[],
        }
    }
}

/// The fields of an encoded protobuf, in order. A whole `Message` is never decoded: what we do not
/// understand must not be able to spoil what we do.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<(u32, Value<'_>), MessageError>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or(MessageError::NotAMessage))
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let tag = Tag::decode(rest).ok()?;
    let value = match tag.wire_type() {
        WireType::Varint => Value::Number(decode_varint(rest).ok()?),
        WireType::LengthDelimited => {
            let length = decode_varint(rest).ok()?.try_into().ok()?;
            let (value, later) = rest.split_at_checked(length)?;
            *rest = later;
            Value::Bytes(value)
        }
        _ => {
            skip_field(tag, rest).ok()?;
            Value::Other
        }
    };
    Some((tag.field_number(), value))
}

impl fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Reaction(reaction) => reaction.fmt(f),
            Self::Edit(edit) => edit.fmt(f),
            Self::Deletion(target) => write!(f, "Deletion({target:?})"),
            Self::Silent { kind } => write!(f, "Silent({kind})"),
            Self::Unsupported { kind } => write!(f, "Unsupported({kind})"),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.body.len())?;
        self.quote.as_ref().map_or(Ok(()), |quote| write!(f, " to {quote:?}"))
    }
}
