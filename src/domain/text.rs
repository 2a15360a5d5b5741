//! Text in and out of the network's messages: translation, protobuf and padding together.

use causeway_wire::message::{self, MessageContent};
use rand::CryptoRng;
use serde_json::{Value, json};

use super::markup::{self, MatrixText};

/// What a decrypted message of the network becomes.
#[derive(Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The contents of one or more `m.room.message` events, in order: a long text does not fit
    /// into one.
    Text(Vec<Value>),
    /// Nothing to show: keys, protocol steps.
    Nothing,
    /// A kind that we do not show yet, by its name for people.
    NotShown { kind: String },
    /// Decrypted, but no message.
    Malformed,
}

/// The padded plaintext of a text, ready to be encrypted.
///
/// The translation has refused whatever is too long, so this cannot fail.
pub fn network_plaintext(text: &str, rng: &mut impl CryptoRng) -> Vec<u8> {
    let encoded = message::encode_text(text).expect("the translation has the stricter limit");
    message::pad(encoded, rng)
}

/// Reads a decrypted, still padded message.
pub fn incoming(padded: &[u8]) -> Incoming {
    let Ok(message) = message::unpad(padded).and_then(message::decode) else {
        return Incoming::Malformed;
    };
    match message.content {
        MessageContent::Text(text) if text.body.is_empty() => Incoming::Nothing,
        MessageContent::Text(text) => {
            let parts = markup::to_matrix_parts(&text.body);
            Incoming::Text(parts.iter().map(content).collect())
        }
        MessageContent::Silent { .. } => Incoming::Nothing,
        MessageContent::Unsupported { kind } => Incoming::NotShown { kind: kind.to_owned() },
    }
}

fn content(text: &MatrixText) -> Value {
    let mut content = json!({"msgtype": "m.text", "body": text.body});
    if let Some(formatted) = &text.formatted_body {
        content["format"] = json!("org.matrix.custom.html");
        content["formatted_body"] = json!(formatted);
    }
    content
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Nothing => "Nothing",
            Self::NotShown { .. } => "NotShown",
            Self::Malformed => "Malformed",
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was_sent() {
        let padded = network_plaintext("hello *world* مرحبا 🎉", &mut StdRng::seed_from_u64(1));
        let Incoming::Text(contents) = incoming(&padded) else { unreachable!("no text") };
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
