//! `master_key`, the one secret at the top level.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use toml::Value;
use zeroize::Zeroizing;

use super::{
    section::section,
    setting::{Setting, text},
};

section! {
    /// Keep this file as safe as the messages.
    Keys at "" {
        /// Secret. 32 bytes in base64. It seals keys in the database and makes the names of ghosts.
        /// With another one, or without it, the database cannot be read any more: keep a copy apart
        /// from the database's.
        master_key: MasterKey = Secret,
    }
}

/// The key from which every key at rest is derived.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The key itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl Setting for MasterKey {
    fn parse(value: &Value) -> Result<Self, String> {
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decode = |alphabet, text: &str| {
            let bytes = GeneralPurpose::new(alphabet, config).decode(text).ok();
            bytes.map(Zeroizing::new).and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        };
        let text = text(value)?;
        decode(&alphabet::STANDARD, text)
            .or_else(|| decode(&alphabet::URL_SAFE, text))
            .map(|key| Self(Zeroizing::new(key)))
            .ok_or_else(|| {
                "must be 32 bytes in base64, for example from `openssl rand -base64 32`".to_owned()
            })
    }
}
