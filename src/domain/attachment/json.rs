//! The `EncryptedFile` object of an event.

use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ruma::OwnedMxcUri;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{AttachmentError, AttachmentKeys, EncryptedFile, IV_BYTES, KEY_BYTES};

const VERSION: &str = "v2";
const KEY_TYPE: &str = "oct";
const ALGORITHM: &str = "A256CTR";

impl EncryptedFile {
    /// Reads the `file` of an event. Whatever does not change how the file is decrypted (`ext`,
    /// `key_ops`, further hashes) is not looked at.
    pub fn parse(file: &Value) -> Result<Self, AttachmentError> {
        let url = OwnedMxcUri::from(text(file, "url")?);
        url.validate().map_err(|_| AttachmentError::Malformed("url"))?;
        expect(file, "v", VERSION)?;
        let jwk = file.get("key").ok_or(AttachmentError::Missing("key"))?;
        expect(jwk, "kty", KEY_TYPE)?;
        expect(jwk, "alg", ALGORITHM)?;
        let hashes = file.get("hashes").ok_or(AttachmentError::Missing("hashes"))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        decode(&URL_SAFE, text(jwk, "k")?, "k", &mut *key)?;
        let (mut iv, mut sha256) = ([0; IV_BYTES], [0; 32]);
        decode(&STANDARD, text(file, "iv")?, "iv", &mut iv)?;
        decode(&STANDARD, text(hashes, "sha256")?, "sha256", &mut sha256)?;
        Ok(Self { url, keys: AttachmentKeys { key, iv }, sha256 })
    }

    /// The `file` of an event. It holds the key: it belongs into encrypted events alone.
    pub fn to_json(&self) -> Value {
        json!({
            "v": VERSION,
            "url": self.url,
            "key": {
                "kty": KEY_TYPE,
                "alg": ALGORITHM,
                "ext": true,
                "k": engine(&URL_SAFE).encode(*self.keys.key),
                "key_ops": ["encrypt", "decrypt"],
            },
            "iv": engine(&STANDARD).encode(self.keys.iv),
            "hashes": { "sha256": engine(&STANDARD).encode(self.sha256) },
        })
    }
}

fn text<'a>(object: &'a Value, name: &'static str) -> Result<&'a str, AttachmentError> {
    let value = object.get(name).ok_or(AttachmentError::Missing(name))?;
    value.as_str().ok_or(AttachmentError::Malformed(name))
}

fn expect(object: &Value, name: &'static str, known: &str) -> Result<(), AttachmentError> {
    if text(object, name)? == known { Ok(()) } else { Err(AttachmentError::Unknown(name)) }
}

/// Unpadded, as the specification says; padding, which some clients write, is taken too.
fn engine(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

/// Fills `into`, which has just the length that there must be.
fn decode(
    alphabet: &Alphabet,
    text: &str,
    name: &'static str,
    into: &mut [u8],
) -> Result<(), AttachmentError> {
    // Checked before, so that nothing long is decoded.
    let fits = text.trim_end_matches('=').len() == (into.len() * 4).div_ceil(3);
    let bytes = fits.then(|| engine(alphabet).decode(text).map(Zeroizing::new).ok()).flatten();
    let bytes = bytes.filter(|bytes| bytes.len() == into.len());
    into.copy_from_slice(&bytes.ok_or(AttachmentError::Malformed(name))?);
    Ok(())
}
