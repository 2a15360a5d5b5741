//! The identity token: by it we vouch that a person is who they say (network facts 1.3).
//!
//! A JWT signed with RS256. The header is written here, because the network's sample has `kid` in
//! front; the signature is the library's. Nothing here knows HTTP or the chat channel.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use causeway_wire::payload::MAX_TOKEN;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::profile::TokenClaims;
use crate::{domain::bridged::Timestamp, port::Failure};

/// The key that signs our identity tokens: RSA, 2048 bits. Losing it only means that the network
/// must fetch the key set again.
pub struct TokenKey {
    pair: KeyPair,
    parts: PublicParts,
    /// Names the key in tokens and in the key set: a hash of the public key.
    kid: String,
}

/// A signed token. It opens the person's account on the network, so nothing shows it.
#[derive(Clone)]
pub(super) struct IdentityToken(Zeroizing<String>);

struct PublicParts {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

#[derive(Serialize)]
struct Header<'a> {
    kid: &'a str,
    alg: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
}

/// The keys that tokens may be signed with: one that signs now, and those that the network may still
/// know, or shall know before they sign.
#[derive(Debug)]
pub struct TokenKeys {
    signing: TokenKey,
    others: Vec<TokenKey>,
}

impl TokenKeys {
    /// All of them are published; `signing` alone signs.
    pub fn new(signing: TokenKey, others: Vec<TokenKey>) -> Self {
        Self { signing, others }
    }

    pub(super) fn signing(&self) -> &TokenKey {
        &self.signing
    }

    /// The key set as the network fetches it (network facts 1.3).
    pub fn key_set(&self) -> Value {
        let keys = std::iter::once(&self.signing).chain(&self.others);
        json!({"keys": keys.map(TokenKey::public).collect::<Vec<_>>()})
    }
}

impl From<TokenKey> for TokenKeys {
    fn from(key: TokenKey) -> Self {
        Self::new(key, Vec::new())
    }
}

impl TokenKey {
    /// A new key. The randomness is the cryptographic library's own: it takes none from outside.
    pub fn generate() -> Result<Self, Failure> {
        let pair = KeyPair::generate(KeySize::Rsa2048)
            .map_err(|error| Failure::later("a token key could not be made").because(error))?;
        Self::of(pair)
    }

    /// Reads what [`TokenKey::to_pkcs8_der`] wrote.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Failure> {
        let pair = KeyPair::from_pkcs8(der)
            .map_err(|error| Failure::never("the stored token key is damaged").because(error))?;
        Self::of(pair)
    }

    /// The stored form. It holds the private key: seal it.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let der: Pkcs8V1Der<'_> = self
            .pair
            .as_der()
            .map_err(|error| Failure::never("the token key has no stored form").because(error))?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The public half, as a JSON Web Key.
    pub(super) fn public(&self) -> Value {
        json!({
            "kid": self.kid,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(&self.parts.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.parts.exponent),
        })
    }

    /// A token for `person`, their user-visible id on the network, valid from `now` on.
    pub(super) fn sign(
        &self,
        person: &str,
        claims: &TokenClaims,
        now: Timestamp,
    ) -> Result<IdentityToken, Failure> {
        let iat = now.div_euclid(1_000);
        let lifetime = i64::try_from(claims.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: &claims.issuer,
            aud: &claims.audience,
            sub: person,
            iat,
            exp: iat.saturating_add(lifetime),
        };
        let header = Header { kid: &self.kid, alg: "RS256", typ: "JWT" };
        let signed = format!("{}.{}", segment(&header)?, segment(&claims)?);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|error| Failure::later("a token could not be signed").because(error))?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        if token.len() > MAX_TOKEN {
            return Err(Failure::never(format!(
                "an identity token of {} bytes, the limit is {MAX_TOKEN}",
                token.len()
            )));
        }
        Ok(IdentityToken(Zeroizing::new(token)))
    }

    fn of(pair: KeyPair) -> Result<Self, Failure> {
        let parts = PublicParts::read(pair.public_key().as_ref())
            .ok_or_else(|| Failure::never("the token key has no readable public half"))?;
        let digest = Sha256::digest(&parts.modulus);
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(&digest[..20]), pair, parts })
    }
}

impl IdentityToken {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, parts: _, kid } = self;
        f.debug_struct("TokenKey").field("kid", kid).finish_non_exhaustive()
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityToken(…)")
    }
}

impl PublicParts {
    /// Reads an `RSAPublicKey`: a DER sequence of two integers (RFC 8017, A.1.1).
    fn read(der: &[u8]) -> Option<Self> {
        let (sequence, _) = element(der, 0x30)?;
        let (modulus, rest) = element(sequence, 0x02)?;
        let (exponent, _) = element(rest, 0x02)?;
        Some(Self { modulus: unsigned(modulus), exponent: unsigned(exponent) })
    }
}

/// The content of the DER element with this tag at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let read = |length: usize, byte: &u8| length.checked_mul(256)?.checked_add((*byte).into());
        (length.iter().try_fold(0, read)?, rest)
    };
    rest.split_at_checked(length)
}

/// A positive DER integer without the zero byte that keeps its sign.
fn unsigned(integer: &[u8]) -> Vec<u8> {
    integer.strip_prefix(&[0]).unwrap_or(integer).to_vec()
}

fn segment(part: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_vec(part)
        .map_err(|error| Failure::never("a token could not be written").because(error))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};

    use super::*;

    const NOW: Timestamp = 1_700_000_000_999;

    fn claims() -> TokenClaims {
        TokenClaims {
            issuer: "https://bridge.example".to_owned(),
            audience: "https://network.example".to_owned(),
            lifetime: Duration::from_mins(10),
        }
    }

    #[test]
    fn a_token_names_the_key_first_and_is_verified_by_the_key_set() {
        let key = TokenKey::generate().unwrap();
        let token = key.sign("@alice:example.org", &claims(), NOW).unwrap();
        let (header, _) = token.as_str().split_once('.').unwrap();
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        assert!(header.starts_with(r#"{"kid":""#), "{header}");

        let keys = TokenKeys::new(key, vec![TokenKey::generate().unwrap()]);
        let set: JwkSet = serde_json::from_value(keys.key_set()).unwrap();
        assert_eq!(set.keys.len(), 2);
        let public = DecodingKey::from_jwk(set.find(&keys.signing().kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://network.example"]);
        validation.validate_exp = false;
        let told = decode::<Value>(token.as_str(), &public, &validation).unwrap().claims;
        assert_eq!(
            told,
            json!({
                "iss": "https://bridge.example",
                "aud": "https://network.example",
                "sub": "@alice:example.org",
                "iat": 1_700_000_000,
                "exp": 1_700_000_600,
            })
        );
        assert_eq!(keys.signing().public()["e"], "AQAB");
    }

    #[test]
    fn a_key_survives_its_stored_form_and_keeps_its_name() {
        let key = TokenKey::generate().unwrap();
        let again = TokenKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(key.public(), again.public());
        assert!(TokenKey::from_pkcs8_der(b"nonsense").is_err());
    }

    #[test]
    fn a_token_has_the_longest_length_that_enlistment_takes_and_not_one_more() {
        let key = TokenKey::generate().unwrap();
        let length = |person: usize| {
            key.sign(&"a".repeat(person), &claims(), NOW).map(|token| token.as_str().len())
        };
        let longest = (1..4_096).rev().find(|person| length(*person).is_ok()).unwrap();
        assert!(length(longest).unwrap() > MAX_TOKEN - 2);
        assert!(length(longest + 1).is_err());
    }

    #[test]
    fn nothing_secret_shows() {
        let key = TokenKey::generate().unwrap();
        let token = key.sign("@alice:example.org", &claims(), NOW).unwrap();
        assert_eq!(format!("{token:?}"), "IdentityToken(…)");
        assert_eq!(format!("{key:?}"), format!("TokenKey {{ kid: {:?}, .. }}", key.kid));
    }
}
