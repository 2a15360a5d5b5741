//! Whether a push really comes from the network: its bearer token, checked against the network's key
//! set (network facts 1.6).

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet},
};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{http, profile::PushProof};
use crate::{domain::bridged::Timestamp, port::Failure};

/// Bytes of a push token that are looked at.
pub(super) const BEARER_BYTES_MAX: usize = 8 * 1024;

/// Between two fetches of the key set that tokens of unknown keys may cause, in milliseconds: anyone
/// can make up a key name.
const REFETCH_MS_MIN: i64 = 60_000;

/// How long a key set is believed before it is fetched again, in milliseconds: a key that the network
/// has withdrawn must not be good for ever.
const KEYS_FOR_MS: i64 = 24 * 3_600 * 1_000;

/// How far the network's clock and ours may be apart, in seconds.
pub(super) const CLOCK_SKEW_S: i64 = 60;

/// Keys of a set that are kept.
const KEYS_MAX: usize = 64;

pub(super) struct PushVerifier {
    client: reqwest::Client,
    proof: PushProof,
    /// One fetch at a time: who comes meanwhile waits for its result.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Vec<(String, DecodingKey)>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
}

impl PushVerifier {
    pub(super) fn new(client: reqwest::Client, proof: PushProof) -> Self {
        Self { client, proof, known: Mutex::default() }
    }

    pub(super) async fn verify(&self, bearer: &str, now: Timestamp) -> Result<(), Failure> {
        if bearer.len() > BEARER_BYTES_MAX {
            return Err(Failure::never(format!("a push token of {} bytes", bearer.len())));
        }
        let header = decode_header(bearer)
            .map_err(|_| Failure::never("the push token has no readable header"))?;
        let kid = header.kid.ok_or_else(|| Failure::never("the push token names no key"))?;
        let key = self.key(&kid, now).await?;
        self.check(bearer, &key, now)
    }

    fn check(&self, bearer: &str, key: &DecodingKey, now: Timestamp) -> Result<(), Failure> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.proof.issuer]);
        validation.set_audience(&[&self.proof.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // The library reads the system's clock; ours is a parameter.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Claims>(bearer, key, &validation)
            .map_err(|error| Failure::never("the push token does not verify").because(error))?
            .claims;
        let now_s = now.div_euclid(1_000);
        if claims.exp.saturating_add(CLOCK_SKEW_S) < now_s {
            return Err(Failure::never("the push token has expired"));
        }
        if claims.iat.saturating_sub(CLOCK_SKEW_S) > now_s {
            return Err(Failure::never("the push token is from the future"));
        }
        Ok(())
    }

    async fn key(&self, kid: &str, now: Timestamp) -> Result<DecodingKey, Failure> {
        let mut known = self.known.lock().await;
        let key = known.get(kid);
        if let Some(key) = key
            && happened_within(known.fetched_at, KEYS_FOR_MS, now)
        {
            return Ok(key);
        }
        if !happened_within(known.tried_at, REFETCH_MS_MIN, now) {
            known.tried_at = Some(now);
            known.keys = self.fetch().await?;
            known.fetched_at = Some(now);
        }
        known.get(kid).ok_or_else(|| Failure::never("the push token names an unknown key"))
    }

    async fn fetch(&self) -> Result<Vec<(String, DecodingKey)>, Failure> {
        let request = self.client.get(self.proof.keys_url.clone());
        let set: JwkSet = http::exchange(request, "the network's key set").await?;
        Ok(set.keys.iter().filter_map(usable).take(KEYS_MAX).collect())
    }
}

/// A key with a name that verifies RS256; a set may hold others.
fn usable(key: &Jwk) -> Option<(String, DecodingKey)> {
    let kid = key.common.key_id.clone()?;
    let named = key.common.key_algorithm.is_none_or(|name| name.to_string() == "RS256");
    let public = DecodingKey::from_jwk(key).ok()?;
    (named && public.family() == jsonwebtoken::AlgorithmFamily::Rsa).then_some((kid, public))
}

/// A time that lies ahead did not happen: a clock that was set back must not forbid a fetch.
fn happened_within(at: Option<Timestamp>, span_ms: i64, now: Timestamp) -> bool {
    at.is_some_and(|at| (0..span_ms).contains(&now.saturating_sub(at)))
}

impl Known {
    fn get(&self, kid: &str) -> Option<DecodingKey> {
        self.keys.iter().find(|(name, _)| name == kid).map(|(_, key)| key.clone())
    }
}

impl fmt::Debug for PushVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushVerifier").field("proof", &self.proof).finish_non_exhaustive()
    }
}
