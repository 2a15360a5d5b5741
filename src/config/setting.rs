//! The types that a value of the file can have, and what is said when it is none. No text here
//! quotes a value.

use std::{fmt, net::SocketAddr, time::Duration};

use ruma::OwnedServerName;
use toml::Value;
use url::Url;
use zeroize::Zeroizing;

/// The longest time that a setting may name.
const DURATION_S_MAX: u64 = 30 * 24 * 3_600;
/// The shortest token that is taken: shorter ones are guessed or typed by hand.
const SECRET_CHARS_MIN: usize = 16;

/// Resolves a value of the file. The error is a sentence that says what the value must be.
pub(super) trait Setting: Sized {
    fn parse(value: &Value) -> Result<Self, String>;

    /// What an optional field is when it is not in the file.
    fn absent() -> Option<Self> {
        None
    }
}

/// A secret text. Neither its `Debug` nor an error shows it, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Setting for Secret {
    fn parse(value: &Value) -> Result<Self, String> {
        let secret = text(value)?;
        if secret.chars().count() < SECRET_CHARS_MIN
            || !secret.bytes().all(|it| it.is_ascii_graphic())
        {
            return Err(format!(
                "must be at least {SECRET_CHARS_MIN} letters, digits or signs, without spaces"
            ));
        }
        Ok(Self(Zeroizing::new(secret.to_owned())))
    }
}

/// An `http` or `https` address. Shown and joined without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(Url);

impl HttpUrl {
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Setting for HttpUrl {
    fn parse(value: &Value) -> Result<Self, String> {
        let url = Url::parse(text(value)?).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        url.map(Self).ok_or_else(|| {
            "must be an address like \"https://host.name\", without user, query or fragment"
                .to_owned()
        })
    }
}

impl Setting for OwnedServerName {
    fn parse(value: &Value) -> Result<Self, String> {
        let must = "must be a Matrix server name like \"example.org\", without \"https://\"";
        Self::try_from(text(value)?).map_err(|_| must.to_owned())
    }
}

impl Setting for SocketAddr {
    fn parse(value: &Value) -> Result<Self, String> {
        let must = "must be an IP address and a port like \"127.0.0.1:29330\"";
        text(value)?.parse().map_err(|_| must.to_owned())
    }
}

impl Setting for String {
    fn parse(value: &Value) -> Result<Self, String> {
        Some(text(value)?)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| "must not be empty".to_owned())
    }
}

impl Setting for bool {
    fn parse(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "must be true or false".to_owned())
    }
}

/// A number of something of which none makes no sense.
impl Setting for u64 {
    fn parse(value: &Value) -> Result<Self, String> {
        let number = value.as_integer().and_then(|it| Self::try_from(it).ok());
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| "must be a whole number, at least 1".to_owned())
    }
}

/// Whole seconds; the field's name says so.
impl Setting for Duration {
    fn parse(value: &Value) -> Result<Self, String> {
        let seconds = value.as_integer().and_then(|it| u64::try_from(it).ok());
        seconds
            .filter(|it| (1..=DURATION_S_MAX).contains(it))
            .map(Self::from_secs)
            .ok_or_else(|| format!("must be a whole number of seconds from 1 to {DURATION_S_MAX}"))
    }
}

/// Bytes written as hexadecimal digits.
impl<const N: usize> Setting for [u8; N] {
    fn parse(value: &Value) -> Result<Self, String> {
        let must = || format!("must be {} hexadecimal digits", 2 * N);
        let digits = text(value)?.as_bytes();
        if digits.len() != 2 * N {
            return Err(must());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0]).ok_or_else(must)? << 4 | digit(pair[1]).ok_or_else(must)?;
        }
        Ok(bytes)
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(value: &Value) -> Result<Self, String> {
        T::parse(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A value that must be text.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be text in quotation marks".to_owned())
}

/// What a closed choice says.
pub(super) fn one_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("must be one of {}", words.join(", "))
}
