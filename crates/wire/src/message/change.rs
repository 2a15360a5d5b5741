//! Changes of earlier messages: edits and deletions (network facts 3.9). The interop framework
//! names neither; ordinary clients send both, and the network may pass them on.

use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    tags::message::protocol_message as tags,
    whatsapp::{
        Message, MessageKey,
        message::{ProtocolMessage, protocol_message::Type},
    },
};

use super::{
    Described, Kind, MessageContent, MessageError, Target, Text, Value, bytes_of, check_text,
    fields, meaning, media, reaction, text,
};

/// A text that replaces an earlier one of the same sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The message that it replaces.
    pub target: Target,
    /// What the message says now. Which message it answers is as before.
    pub text: Text,
    /// The words stand with a file, which stays as it is. Without any, they are gone.
    pub is_caption: bool,
}

/// Writes an edit, without padding. `edited_at_ms` is in milliseconds of Unix time.
pub fn encode_edit(
    target: &Target,
    body: &str,
    edited_at_ms: i64,
) -> Result<Vec<u8>, MessageError> {
    check_text(body)?;
    let edited = Message { conversation: Some(body.to_owned()), ..Default::default() };
    Ok(encode(ProtocolMessage {
        key: key(target)?,
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: MessageField::some(edited),
        timestamp_ms: Some(edited_at_ms),
        ..Default::default()
    }))
}

/// Writes a deletion, without padding.
pub fn encode_deletion(target: &Target) -> Result<Vec<u8>, MessageError> {
    let (key, revoke) = (key(target)?, Some(Type::REVOKE));
    Ok(encode(ProtocolMessage { key, r#type: revoke, ..Default::default() }))
}

fn key(target: &Target) -> Result<MessageField<MessageKey>, MessageError> {
    if target.id.is_empty() {
        return Err(MessageError::NoTarget);
    }
    Ok(MessageField::some(target.to_key()))
}

fn encode(step: ProtocolMessage) -> Vec<u8> {
    let message = Message { protocol_message: MessageField::some(step), ..Default::default() };
    message_to_vec(&message)
}

/// What a step of the protocol means to a person: changes of earlier messages do, the rest does not.
pub(super) fn read(step: &[u8]) -> Result<MessageContent, MessageError> {
    const REVOKE: u64 = 0;
    const EDIT: u64 = 14;
    let kind = fields(step).try_fold(None, |earlier, field| {
        Ok(match field? {
            (tags::TYPE, Value::Number(kind)) => Some(kind),
            _ => earlier,
        })
    })?;
    Ok(match kind {
        Some(REVOKE) => target(step)?
            .map_or(MessageContent::Unsupported { kind: "deletion" }, MessageContent::Deletion),
        Some(EDIT) => match (target(step)?, edited(step)?) {
            (Some(target), Edited::Text(text)) => {
                MessageContent::Edit(Edit { target, text, is_caption: false })
            }
            (Some(target), Edited::Caption(caption)) => {
                let text = Text { body: caption.unwrap_or_default(), quote: None };
                MessageContent::Edit(Edit { target, text, is_caption: true })
            }
            (None, Edited::Caption(caption)) => {
                Described::content("edit", caption.into_iter().collect())
            }
            (_, Edited::Text(_) | Edited::Other) => MessageContent::Unsupported { kind: "edit" },
        },
        Some(_) | None => MessageContent::Silent { kind: "protocol" },
    })
}

fn target(step: &[u8]) -> Result<Option<Target>, MessageError> {
    reaction::target(bytes_of(step, tags::KEY)?)
}

/// What a message says once it is edited.
enum Edited {
    Text(Text),
    /// Other words with a file, or none any more: the file itself cannot be edited.
    Caption(Option<String>),
    Other,
}

fn edited(step: &[u8]) -> Result<Edited, MessageError> {
    let edited = bytes_of(step, tags::EDITED_MESSAGE)?;
    let Some((field, value)) = meaning(edited)? else { return Ok(Edited::Other) };
    let body = match Kind::of(field) {
        Kind::Conversation => value,
        Kind::ExtendedText => bytes_of(value, waproto::tags::message::extended_text_message::TEXT)?,
        Kind::Media => return Ok(Edited::Caption(media::caption(field, value))),
        _ => return Ok(Edited::Other),
    };
    Ok(Edited::Text(Text { body: text(body)?, quote: None }))
}
