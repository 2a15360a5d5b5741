//! Texts of simulated people as an envelope carries them. It must not know keys.

use causeway_wire::message::{self, MessageContent, MessageError, Text};

use crate::entropy;

/// A text, ready to be encrypted.
pub(crate) fn padded_text(text: &str) -> Result<Vec<u8>, MessageError> {
    Ok(message::pad(message::encode_text(text)?, &mut entropy::rng()))
}

/// The text that somebody else wrote in a decrypted message; `None` if it holds something else, or is a copy of what
/// another device of one's own sent.
pub(crate) fn text_of(padded: &[u8]) -> Option<String> {
    let incoming = message::decode(message::unpad(padded).ok()?).ok()?;
    match incoming.content {
        MessageContent::Text(Text { body }) if incoming.sent_to.is_none() => Some(body),
        MessageContent::Text(_)
        | MessageContent::Silent { .. }
        | MessageContent::Unsupported { .. } => None,
    }
}
