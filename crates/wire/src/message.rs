//! What people say to each other: the plaintext of a ciphertext.
//!
//! A padded protobuf `Message` of which one field is set (network facts 2.5, 3.7). Fields that are not
//! understood here are named, so that a person can be told what they miss; their content stays
//! unread.

mod call;
mod change;
mod contact;
mod described;
mod fields;
mod kind;
mod location;
mod media;
mod padding;
mod poll;
mod quote;
mod reaction;
#[cfg(test)]
mod tests;

use std::fmt;

pub use call::Call;
pub use change::{Edit, encode_deletion, encode_edit};
pub use contact::{ContactCard, Contacts};
pub use described::Described;
pub use fields::MAX_LISTED;
pub use location::Location;
pub use media::{
    MAX_FILE_NAME_CHARS, MAX_LOUDNESS, MAX_THUMBNAIL_BYTES, MAX_WAVEFORM_BYTES, Media,
    MediaContent, MediaFile, encode_media,
};
pub use padding::{MAX_PADDING, pad, unpad};
pub use poll::Poll;
pub use quote::{Quote, encode_reply};
pub use reaction::{MAX_REACTION_CHARS, Reaction, Target, encode_reaction};
use waproto::{
    buffa::MessageField,
    codec::{message_decode, message_to_vec},
    tags::message as tags,
    whatsapp::{Message, message::DeviceSentMessage},
};

use self::{
    fields::{Value, bytes_of, fields, text},
    kind::{Kind, Wrapper},
};
use super::stanza::Personal;

/// The most characters of a text (network facts 2.5).
pub const MAX_TEXT_CHARS: usize = 65_536;

/// The most wrappers around a message: seen are a copy for one's own device around a disappearing or
/// view-once message.
pub const MAX_WRAPPERS: usize = 4;

/// What a message holds. `Debug` hides texts.
#[derive(Clone, PartialEq)]
pub enum MessageContent {
    /// A text.
    Text(Text),
    /// An emoji for a message, or none any more.
    Reaction(Reaction),
    /// A text that replaces an earlier one.
    Edit(Edit),
    /// An earlier message is taken back.
    Deletion(Target),
    /// A file and what is said with it.
    Media(Box<Media>),
    /// A place.
    Location(Box<Location>),
    /// Contact cards.
    Contacts(Contacts),
    /// A question with answers to choose from.
    Poll(Poll),
    /// That somebody called.
    Call(Call),
    /// Words of a message that is not carried as what it is.
    Described(Described),
    /// Nothing to show: keys, protocol steps.
    Silent {
        /// The name of the field that is set.
        kind: &'static str,
    },
    /// Something that cannot be read here.
    Unsupported {
        /// What a person would call it, or `unknown`.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// What it holds.
    pub content: MessageContent,
    /// For a copy of what another device of the same person sent: to whom that went.
    pub sent_to: Option<Personal>,
    /// Whether it came wrapped as disappearing, which we cannot honor.
    pub ephemeral: bool,
    /// Whether it is to be seen once, which we cannot honor.
    pub view_once: bool,
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
    /// A file that partners may not send, or not in this way (network facts 2.5).
    #[error("{0} is not sent")]
    NotSent(&'static str),
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
    let mut incoming = Incoming {
        content: MessageContent::Silent { kind: "empty" },
        sent_to: None,
        ephemeral: false,
        view_once: false,
    };
    let mut message = bytes;
    for _ in 0..=MAX_WRAPPERS {
        let Some((field, value)) = meaning(message)? else { return Ok(incoming) };
        match Kind::of(field) {
            Kind::DeviceSent => {
                let to = bytes_of(value, tags::device_sent_message::DESTINATION_JID)?;
                incoming.sent_to = Some(Personal(text(to)?));
                message = bytes_of(value, tags::device_sent_message::MESSAGE)?;
            }
            Kind::Wrapper(wrapper) => {
                incoming.ephemeral |= wrapper == Wrapper::Disappearing;
                incoming.view_once |= wrapper == Wrapper::ViewOnce;
                message = bytes_of(value, tags::future_proof_message::MESSAGE)?;
            }
            Kind::Media => {
                let (content, once) = media::read(field, value)?;
                incoming.view_once |= once;
                return Ok(Incoming { content, ..incoming });
            }
            kind => return Ok(Incoming { content: content(kind, value)?, ..incoming }),
        }
    }
    Err(MessageError::TooDeep)
}

/// What a field holds that is neither a wrapper nor a file.
fn content(kind: Kind, value: &[u8]) -> Result<MessageContent, MessageError> {
    Ok(match kind {
        Kind::Conversation => MessageContent::Text(Text { body: text(value)?, quote: None }),
        Kind::ExtendedText => {
            let body = bytes_of(value, tags::extended_text_message::TEXT)?;
            let context = bytes_of(value, tags::extended_text_message::CONTEXT_INFO)?;
            MessageContent::Text(Text { body: text(body)?, quote: quote::read(context) })
        }
        Kind::Reaction => reaction::read(value)?
            .map_or(MessageContent::Unsupported { kind: "reaction" }, MessageContent::Reaction),
        Kind::Location => location::read(value)?,
        Kind::LiveLocation => location::read_live(value)?,
        Kind::Contact => contact::read(value)?,
        Kind::Contacts => contact::read_several(value)?,
        Kind::Poll => poll::read(value)?,
        Kind::Call => call::read(),
        Kind::CallLog => call::read_log(value)?,
        Kind::Described(kind, words) => described::read(kind, words, value)?,
        Kind::Protocol => change::read(value)?,
        Kind::Silent(kind) => MessageContent::Silent { kind },
        Kind::Unsupported(kind) => MessageContent::Unsupported { kind },
        Kind::Media | Kind::DeviceSent | Kind::Wrapper(_) => {
            MessageContent::Unsupported { kind: "unknown" }
        }
    })
}

/// The field that says what a message is, with its bytes; `None` if nothing is set. Keys and context
/// travel beside it: they count only where nothing else is set.
fn meaning(message: &[u8]) -> Result<Option<(u32, &[u8])>, MessageError> {
    let only_beside = |field| matches!(Kind::of(field), Kind::Silent(_));
    let mut found: Option<(u32, &[u8])> = None;
    for field in fields(message) {
        let (number, value) = field?;
        if found.is_none_or(|(earlier, _)| only_beside(earlier) && !only_beside(number)) {
            found = Some((number, value.bytes()));
        }
    }
    Ok(found)
}

impl fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Reaction(reaction) => reaction.fmt(f),
            Self::Edit(edit) => edit.fmt(f),
            Self::Deletion(target) => write!(f, "Deletion({target:?})"),
            Self::Media(media) => media.fmt(f),
            Self::Location(location) => location.fmt(f),
            Self::Contacts(contacts) => contacts.fmt(f),
            Self::Poll(poll) => poll.fmt(f),
            Self::Call(call) => call.fmt(f),
            Self::Described(described) => described.fmt(f),
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
