//! Enlistment: the network learns a person's public keys and assigns their id (network facts 1.4).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use causeway_wire::jid::{Jid, Server};
use serde::Deserialize;

use super::{http, token::IdentityToken};
use crate::{
    domain::ids::RemoteUser,
    port::{Failure, network::LoginKeys},
};

/// `e_keytype` of a curve25519 key.
const KEY_TYPE: [u8; 1] = [5];

/// Reasons of a refusal that can pass. Only `bad_integrator` is published, so the rest of the
/// vocabulary is unknown: what is not listed here is taken to stand (network facts 1.4).
const PASSING_REASONS: [&str; 6] = [
    "internal_error",
    "server_error",
    "temporarily_unavailable",
    "timeout",
    "too_many",
    "rate_limited",
];

/// Characters of a refusal's reason that are repeated to people.
const REASON_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
struct Answer {
    status: String,
    login: Option<String>,
    reason: Option<String>,
}

/// The form, in the published order; the token travels as it is.
fn form(
    noise_public: [u8; 32],
    keys: &LoginKeys,
    token: &IdentityToken,
) -> [(&'static str, String); 8] {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = &keys.signed_prekey;
    [
        ("authkey", encode(&noise_public)),
        ("e_keytype", encode(&KEY_TYPE)),
        ("e_regid", encode(&keys.identity.registration_id().to_be_bytes())),
        ("e_ident", encode(&keys.identity.public_key())),
        ("e_skey_id", encode(&signed.id().to_be_bytes()[1..])),
        ("e_skey_val", encode(&signed.public())),
        ("e_skey_sig", encode(&signed.signature())),
        ("token", token.as_str().to_owned()),
    ]
}

pub(super) async fn enlist(
    client: &reqwest::Client,
    url: &url::Url,
    noise_public: [u8; 32],
    keys: &LoginKeys,
    token: &IdentityToken,
) -> Result<RemoteUser, Failure> {
    let request = client.post(url.clone()).form(&form(noise_public, keys, token));
    read(http::exchange(request, "enlistment").await?)
}

fn read(answer: Answer) -> Result<RemoteUser, Failure> {
    if answer.status == "ok" {
        let login = answer.login.and_then(|login| login.parse::<Jid>().ok());
        return match login {
            Some(jid) if matches!(jid.server(), Server::Interop(_)) => {
                Ok(RemoteUser(jid.to_string()))
            }
            _ => Err(Failure::never("enlistment: the network assigned no id of an interop user")),
        };
    }
    let reason = answer.reason.unwrap_or_else(|| "no reason given".to_owned());
    // A reason is a word of the network's; anything else might repeat what we sent.
    let word = reason.len() <= REASON_CHARS_MAX
        && reason.bytes().all(|byte| byte.is_ascii_lowercase() || b" _-".contains(&byte));
    let text = format!("enlistment refused: {}", if word { &reason } else { "an unknown reason" });
    Err(if PASSING_REASONS.contains(&reason.as_str()) {
        Failure::later(text)
    } else {
        Failure::never(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Retry;

    fn answer(json: &str) -> Result<RemoteUser, Failure> {
        read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_published_answers_are_understood() {
        let login = answer(r#"{"login":"1-10853634039893@interop","status":"ok"}"#).unwrap();
        assert_eq!(login.0, "1-10853634039893@interop");
        let refused = answer(r#"{"reason":"bad_integrator","status":"fail"}"#).unwrap_err();
        assert_eq!(refused.retry, Retry::Never);
        assert_eq!(refused.to_string(), "enlistment refused: bad_integrator");
    }

    #[test]
    fn only_reasons_that_can_pass_are_tried_again() {
        let failure = |json| answer(json).unwrap_err().retry;
        assert_eq!(failure(r#"{"reason":"internal_error","status":"fail"}"#), Retry::Later);
        assert_eq!(failure(r#"{"reason":"something_new","status":"fail"}"#), Retry::Never);
        assert_eq!(failure(r#"{"status":"fail"}"#), Retry::Never);
    }

    #[test]
    fn an_id_that_is_no_interop_id_is_refused_and_nothing_of_it_is_repeated() {
        for json in [
            r#"{"login":"33612345678@s.whatsapp.net","status":"ok"}"#,
            r#"{"login":"nobody","status":"ok"}"#,
            r#"{"status":"ok"}"#,
            r#"{"reason":"no such user 33612345678","status":"fail"}"#,
        ] {
            let text = answer(json).unwrap_err().to_string();
            assert!(!text.contains("336"), "{text}");
        }
    }
}
