//! What simulated people say, as an envelope carries it. It must not know keys of sessions, nor where files are.

mod media;

use std::sync::Arc;

use causeway_wire::message::{self, MessageContent, MessageError, Reaction, Text};

pub(crate) use self::media::{About, Attachment, Kind, RemoteFile, Wrap, encode};
use crate::entropy;

/// What somebody else wrote.
#[derive(Debug)]
pub(crate) enum Read {
    /// A text, and the id of the message that it answers.
    Text {
        body: String,
        quotes: Option<String>,
    },
    /// An emoji for the message `target`, or none any more.
    Reaction {
        target: String,
        emoji: Option<String>,
    },
    Attachment(Arc<Attachment>),
}

/// A text, ready to be encrypted.
pub(crate) fn padded_text(text: &str) -> Result<Vec<u8>, MessageError> {
    Ok(padded(message::encode_text(text)?))
}

/// Any encoded message, ready to be encrypted.
pub(crate) fn padded(message: Vec<u8>) -> Vec<u8> {
    message::pad(message, &mut entropy::rng())
}

/// What a decrypted message holds; `None` if it is nothing that is listed, or is a copy of what another device of one's
/// own sent.
pub(crate) fn read(padded: &[u8]) -> Option<Read> {
    let plain = message::unpad(padded).ok()?;
    if let Some(attachment) = media::decode(plain) {
        return Some(Read::Attachment(attachment.into()));
    }
    let incoming = message::decode(plain).ok()?;
    if incoming.sent_to.is_some() {
        return None;
    }
    match incoming.content {
        MessageContent::Text(Text { body, quote }) => {
            Some(Read::Text { body, quotes: quote.map(|quote| quote.id) })
        }
        MessageContent::Reaction(Reaction { target, emoji }) => {
            Some(Read::Reaction { target: target.id, emoji })
        }
        _ => None,
    }
}
