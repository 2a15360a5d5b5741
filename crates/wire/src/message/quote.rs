//! Replies: a text that says which message it answers (network facts 2.5, 3.9). A quoted message is
//! read as far as its text; whatever else it holds is not looked at.

use std::fmt;

use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    tags,
    whatsapp::{ContextInfo, Message, message::ExtendedTextMessage},
};

use super::{Kind, MessageError, bytes_of, check_text, meaning, media, text};
use crate::stanza::Personal;

/// The message that a reply answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Quote {
    /// The id of its stanza.
    pub id: String,
    /// Who sent it, as the network addresses them.
    pub sender: Option<Personal>,
    /// Its text, as the sender of the reply had it; `None` if it was no text.
    pub text: Option<String>,
}

/// Writes a text that answers a message, without padding.
pub fn encode_reply(body: &str, quote: &Quote) -> Result<Vec<u8>, MessageError> {
    check_text(body)?;
    let text = ExtendedTextMessage {
        text: Some(body.to_owned()),
        context_info: MessageField::some(context(quote)?),
        ..Default::default()
    };
    let message = Message { extended_text_message: MessageField::some(text), ..Default::default() };
    Ok(message_to_vec(&message))
}

/// What says that a message answers another.
pub(super) fn context(quote: &Quote) -> Result<ContextInfo, MessageError> {
    let quoted = quote.text.clone().unwrap_or_default();
    check_text(&quoted)?;
    if quote.id.is_empty() {
        return Err(MessageError::NoTarget);
    }
    Ok(ContextInfo {
        stanza_id: Some(quote.id.clone()),
        participant: quote.sender.as_ref().map(|sender| sender.0.clone()),
        quoted_message: MessageField::some(Message {
            conversation: Some(quoted),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// What a context says of the message that is answered; `None` if it names none. A context that
/// cannot be read takes nothing from the text that it came with.
pub(super) fn read(context: &[u8]) -> Option<Quote> {
    let field = |number| bytes_of(context, number).ok();
    let id = text(field(tags::context_info::STANZA_ID)?).ok().filter(|id| !id.is_empty())?;
    let sender = field(tags::context_info::PARTICIPANT).and_then(|sender| text(sender).ok());
    let sender = sender.filter(|sender| !sender.is_empty()).map(Personal);
    let quoted = field(tags::context_info::QUOTED_MESSAGE).unwrap_or_default();
    Some(Quote { id, sender, text: text_of(quoted).filter(|quoted| !quoted.is_empty()) })
}

fn text_of(message: &[u8]) -> Option<String> {
    let (field, value) = meaning(message).ok()??;
    let body = match Kind::of(field) {
        Kind::Conversation => value,
        Kind::ExtendedText => bytes_of(value, tags::message::extended_text_message::TEXT).ok()?,
        Kind::Media => return media::caption(field, value),
        _ => return None,
    };
    text(body).ok()
}

impl fmt::Debug for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.as_ref().map(String::len);
        f.debug_struct("Quote")
            .field("id", &self.id)
            .field("text_bytes", &bytes)
            .finish_non_exhaustive()
    }
}
