//! `POST /3p/interop_reg`: enlists a partner's user (network facts 1.4). The answer is always 200; what was wrong stands in
//! `reason`, of which only `bad_integrator` is published. It must not know connections.

use std::sync::Arc;

use axum::{Form, Json, extract::State, extract::rejection::FormRejection};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    causes::Causes,
    entropy,
    network::Network,
    token::TokenError,
    world::{
        AccountId, Bundle, SignedPrekey,
        bundle::BundleError,
        state::{Enlistment, Limit},
    },
};

/// Curve25519, as everywhere on this network.
const KEY_TYPE: [u8; 1] = [5];
/// Account numbers have 14 digits in the published sample.
const ACCOUNT_FIRST: u64 = 10_000_000_000_000;

/// The form as published. Values are base64url without padding, the token is plain.
#[derive(Deserialize)]
pub(super) struct EnlistmentForm {
    authkey: String,
    e_keytype: String,
    e_regid: String,
    e_ident: String,
    e_skey_id: String,
    e_skey_val: String,
    e_skey_sig: String,
    token: String,
}

/// The answer as published.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Ok { login: String, status: &'static str },
    Fail { reason: &'static str, status: &'static str },
}

#[derive(Debug, Error)]
enum EnlistError {
    #[error("argument {0} is not base64url of the right size")]
    Argument(&'static str),
    #[error(transparent)]
    Keys(#[from] BundleError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Limit(#[from] Limit),
}

impl EnlistError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Argument(_) => "bad_param",
            Self::Keys(_) => "bad_signature",
            Self::Token(TokenError::KeySet(_) | TokenError::KeySetMalformed) => "bad_integrator",
            Self::Token(_) => "bad_token",
            Self::Limit(_) => "too_many",
        }
    }
}

/// Enlists.
pub(super) async fn enlist(
    State(network): State<Arc<Network>>,
    form: Result<Form<EnlistmentForm>, FormRejection>,
) -> Json<Answer> {
    let Ok(Form(form)) = form else {
        return Json(Answer::Fail { reason: "bad_param", status: "fail" });
    };
    match enlist_form(&network, &form).await {
        Ok(login) => Json(Answer::Ok { login, status: "ok" }),
        Err(error) => {
            tracing::info!(error = %Causes(&error), "an enlistment was refused");
            Json(Answer::Fail { reason: error.reason(), status: "fail" })
        }
    }
}

async fn enlist_form(network: &Network, form: &EnlistmentForm) -> Result<String, EnlistError> {
    let (noise_key, bundle) = form.keys()?;
    bundle.verify()?;
    let user_visible_id = network.tokens.verify(&form.token).await?;
    let fresh_account = ACCOUNT_FIRST + u64::from(u32::from_be_bytes(entropy::bytes()));
    let enlistment = Enlistment { user_visible_id, noise_key, bundle, fresh_account };
    let (enlisted, integrator) =
        network.with(|world| (world.enlist(enlistment), world.integrator_number()));
    let enlisted = enlisted?;
    if enlisted.identity_changed {
        network.announce_identity(AccountId::Partner(enlisted.account));
    }
    Ok(format!("{integrator}-{}@interop", enlisted.account))
}

impl EnlistmentForm {
    fn keys(&self) -> Result<([u8; 32], Bundle), EnlistError> {
        if decode::<1>("e_keytype", &self.e_keytype)? != KEY_TYPE {
            return Err(EnlistError::Argument("e_keytype"));
        }
        let [high, middle, low] = decode("e_skey_id", &self.e_skey_id)?;
        let bundle = Bundle {
            registration_id: u32::from_be_bytes(decode("e_regid", &self.e_regid)?),
            identity: decode("e_ident", &self.e_ident)?,
            signed_prekey: SignedPrekey {
                id: u32::from_be_bytes([0, high, middle, low]),
                value: decode("e_skey_val", &self.e_skey_val)?,
                signature: decode("e_skey_sig", &self.e_skey_sig)?,
            },
            one_time: std::collections::VecDeque::new(),
        };
        Ok((decode("authkey", &self.authkey)?, bundle))
    }
}

fn decode<const N: usize>(name: &'static str, text: &str) -> Result<[u8; N], EnlistError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| EnlistError::Argument(name))?;
    bytes.try_into().map_err(|_| EnlistError::Argument(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_those_of_the_published_form() {
        assert_eq!(decode::<1>("e_keytype", "BQ").unwrap(), KEY_TYPE);
        for (size, text) in [(0, ""), (1, "BQ"), (2, "BQU"), (4, "BQUFBQ")] {
            assert!(decode::<3>("e_skey_id", text).is_err(), "{size} bytes");
        }
        assert!(decode::<1>("e_keytype", "BQ==").is_err(), "padding is not part of the form");
    }
}
