//! Tokens: those that a partner signs for its users, and those with which the network signs its pushes. It must not know
//! what a token is shown for.
//!
//! The claims of a partner's token are not public (network facts 1.3, 6.1): this file is the one place that says which
//! ones the emulator wants.

use std::{collections::HashSet, sync::Mutex, sync::PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    jwk::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    clock,
    limits::{
        KEY_SET_BYTES_MAX, PARTNER_HTTP_TIME_MAX, TOKEN_BYTES_MAX, USER_VISIBLE_ID_CHARS_MAX,
    },
};

/// Where a partner serves its key set (network facts 1.3).
const KEY_SET_PATH: &str = "/.well-known/oauth/openid/jwks";
/// Lifetime of a push token in seconds (network facts 1.6).
const PUSH_TOKEN_LIFETIME_S: u64 = 3_600;
/// Clock difference that is forgiven, in seconds.
const LEEWAY_S: u64 = 30;
const RSA_BITS: aws_lc_rs::rsa::KeySize = aws_lc_rs::rsa::KeySize::Rsa2048;

/// What a partner's token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// Base URL of the partner's server: where its key set is, and the token's `iss`.
    pub partner_base_url: String,
    /// The token's `aud`.
    pub audience: String,
}

/// The claims that are read; `sub` is the user-visible identifier.
#[derive(Debug, Serialize, Deserialize)]
struct PartnerClaims {
    iss: String,
    aud: serde_json::Value,
    sub: String,
    iat: u64,
    exp: u64,
}

#[derive(Debug, Serialize)]
struct PushClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// Why a token is not accepted.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the partner's key set could not be fetched")]
    KeySet(#[source] reqwest::Error),
    #[error("the partner's key set is malformed or too large")]
    KeySetMalformed,
    #[error("the partner's key set has no key by this id")]
    UnknownKey,
    #[error("the token is not valid")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the token was issued in the future")]
    IssuedInFuture,
    #[error("the token's subject is empty or too long")]
    Subject,
}

/// Verifies partners' tokens against the key set that it fetches from the partner.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    rules: TokenRules,
    http: reqwest::Client,
    /// The last key set; it is fetched again for a key that it does not have.
    keys: Mutex<Option<JwkSet>>,
}

impl TokenVerifier {
    pub(crate) fn new(rules: TokenRules, http: reqwest::Client) -> Self {
        Self { rules, http, keys: Mutex::new(None) }
    }

    pub(crate) fn rules(&self) -> &TokenRules {
        &self.rules
    }

    /// Verifies a token and gives its subject: the user-visible identifier.
    pub(crate) async fn verify(&self, token: &str) -> Result<String, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token)?;
        let kid = header.kid.ok_or(TokenError::UnknownKey)?;
        let jwk = self.key(&kid).await?;
        let algorithm = header.alg;
        let claims = verify_with(&self.rules, &jwk, algorithm, token)?;
        if claims.iat > clock::now_s() + LEEWAY_S {
            return Err(TokenError::IssuedInFuture);
        }
        let length = claims.sub.chars().count();
        if length == 0 || length > USER_VISIBLE_ID_CHARS_MAX {
            return Err(TokenError::Subject);
        }
        Ok(claims.sub)
    }

    async fn key(&self, kid: &str) -> Result<Jwk, TokenError> {
        let held = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(jwk) = held.as_ref().and_then(|keys| keys.find(kid)) {
            return Ok(jwk.clone());
        }
        let keys = self.fetch().await?;
        let found = keys.find(kid).cloned().ok_or(TokenError::UnknownKey);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        found
    }

    async fn fetch(&self) -> Result<JwkSet, TokenError> {
        let url = format!("{}{KEY_SET_PATH}", self.rules.partner_base_url.trim_end_matches('/'));
        let request = self.http.get(url).timeout(PARTNER_HTTP_TIME_MAX);
        let mut response = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(TokenError::KeySet)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(TokenError::KeySet)? {
            body.extend_from_slice(&chunk);
            if body.len() > KEY_SET_BYTES_MAX {
                return Err(TokenError::KeySetMalformed);
            }
        }
        serde_json::from_slice(&body).map_err(|_| TokenError::KeySetMalformed)
    }
}

fn verify_with(
    rules: &TokenRules,
    jwk: &Jwk,
    algorithm: Algorithm,
    token: &str,
) -> Result<PartnerClaims, TokenError> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_S;
    validation.required_spec_claims =
        ["iss", "aud", "sub", "exp"].into_iter().map(str::to_owned).collect::<HashSet<_>>();
    validation.set_audience(&[&rules.audience]);
    let base = rules.partner_base_url.trim_end_matches('/');
    validation.set_issuer(&[base.to_owned(), format!("{base}/")]);
    // The key says which family of algorithms it is for; a token that names another one fails here.
    let key = DecodingKey::from_jwk(jwk)?;
    Ok(decode::<PartnerClaims>(token, &key, &validation)?.claims)
}

/// Signs the bearer tokens of pushes (network facts 1.6) with the network's own key.
pub(crate) struct PushSigner {
    key: EncodingKey,
    kid: String,
    key_set: JwkSet,
}

impl std::fmt::Debug for PushSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushSigner").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The signing key could not be made.
#[derive(Debug, Error)]
#[error("no signing key could be made")]
pub struct SignerError;

impl PushSigner {
    /// Makes a fresh key.
    pub(crate) fn generate(kid: String) -> Result<Self, SignerError> {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
        let pair = aws_lc_rs::rsa::KeyPair::generate(RSA_BITS).map_err(|_| SignerError)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SignerError)?;
        let body = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| SignerError)?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|_| SignerError)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        Ok(Self { key, kid, key_set: JwkSet { keys: vec![jwk] } })
    }

    /// The public half, for `/.well-known/jwks`.
    pub(crate) fn key_set(&self) -> &JwkSet {
        &self.key_set
    }

    /// A bearer token for a push to `audience`.
    pub(crate) fn bearer(&self, audience: &str) -> Result<String, SignerError> {
        let iat = clock::now_s();
        let exp = iat + PUSH_TOKEN_LIFETIME_S;
        let claims = PushClaims { iss: "WHATSAPP", aud: audience, iat, exp };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &self.key).map_err(|_| SignerError)
    }
}

#[cfg(test)]
mod tests {
    use assert_matches::assert_matches;
    use jsonwebtoken::errors::ErrorKind;

    use super::*;

    fn rules() -> TokenRules {
        TokenRules { partner_base_url: "https://partner.test".into(), audience: "WHATSAPP".into() }
    }

    /// A token of a partner whose key set is `signer`'s, with one claim changed.
    fn token(signer: &PushSigner, claim: &str, value: serde_json::Value) -> String {
        let now = clock::now_s();
        let mut claims = serde_json::json!({
            "iss": "https://partner.test", "aud": "WHATSAPP", "sub": "@alice:hs.test",
            "iat": now, "exp": now + 600,
        });
        claims[claim] = value;
        let header = Header { kid: Some(signer.kid.clone()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &signer.key).unwrap()
    }

    fn check(token: &str, signer: &PushSigner) -> Result<String, TokenError> {
        let jwk = signer.key_set.keys[0].clone();
        verify_with(&rules(), &jwk, Algorithm::RS256, token).map(|claims| claims.sub)
    }

    #[test]
    fn a_token_must_be_signed_by_the_partner_and_say_what_the_rules_want() {
        let signer = PushSigner::generate("one".into()).unwrap();
        let other = PushSigner::generate("one".into()).unwrap();
        let good = token(&signer, "x", 1.into());
        assert_eq!(check(&good, &signer).unwrap(), "@alice:hs.test");
        assert_matches!(check(&good, &other), Err(TokenError::Invalid(_)));
        let refused = [
            ("iss", serde_json::json!("https://other.test"), ErrorKind::InvalidIssuer),
            ("aud", serde_json::json!("OTHER"), ErrorKind::InvalidAudience),
            ("exp", serde_json::json!(clock::now_s() - 60), ErrorKind::ExpiredSignature),
        ];
        for (claim, value, kind) in refused {
            let result = check(&token(&signer, claim, value), &signer);
            assert_matches!(result, Err(TokenError::Invalid(error)) if *error.kind() == kind);
        }
    }

    #[test]
    fn a_push_token_is_verified_with_the_published_key_set() {
        let signer = PushSigner::generate("push".into()).unwrap();
        let bearer = signer.bearer("https://partner.test").unwrap();
        let published = serde_json::to_string(signer.key_set()).unwrap();
        let keys: JwkSet = serde_json::from_str(&published).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://partner.test"]);
        validation.set_issuer(&["WHATSAPP"]);
        let key = DecodingKey::from_jwk(keys.find("push").unwrap()).unwrap();
        decode::<serde_json::Value>(&bearer, &key, &validation).unwrap();
    }
}
