//! Who a client says it is in the last message of the handshake, and whether that is true. It must not know stanzas other
//! than the refusal.

use causeway_wire::{
    payload::{self, DeviceLogin, InteropLogin, Pairing, PayloadError},
    stanza::FailureStanza,
};
use thiserror::Error;

use crate::{
    network::Network,
    token::TokenError,
    world::{AccountId, Bundle, DeviceKey, Shown, SignedPrekey, bundle::BundleError},
};

/// What a client wants.
#[derive(Debug)]
pub(crate) enum Login {
    /// To be a device that it is.
    Device {
        key: DeviceKey,
        /// Whether it wants to ask before anything is delivered.
        passive: bool,
    },
    /// To become a linked device of somebody.
    Registration(Box<Bundle>),
}

/// Why a login is refused.
#[derive(Debug, Error)]
pub(crate) enum LoginError {
    #[error("the payload is not readable")]
    Payload(#[from] PayloadError),
    #[error("the token is no text")]
    TokenNotText,
    #[error("the account is not known")]
    UnknownAccount,
    #[error("the Noise key is not the one that was pinned")]
    WrongNoiseKey,
    #[error("the token is not accepted")]
    Token(#[from] TokenError),
    #[error("the token is for somebody else")]
    OtherSubject,
    #[error("the published keys are not acceptable")]
    Keys(#[from] BundleError),
}

impl LoginError {
    /// The refusal: 401 for who has to enlist or link anew, 413 for a bad token, 400 for what is unreadable (network
    /// facts 3.5; which code the real network uses for partners is not public).
    pub(crate) fn failure(&self) -> FailureStanza {
        let reason = match self {
            Self::UnknownAccount | Self::WrongNoiseKey => 401,
            Self::Token(TokenError::KeySet(_) | TokenError::KeySetMalformed) => 503,
            Self::Token(_) | Self::TokenNotText | Self::OtherSubject => 413,
            Self::Payload(_) | Self::Keys(_) => 400,
        };
        FailureStanza { reason }
    }
}

/// Checks a client's payload.
pub(crate) async fn check(
    network: &Network,
    static_key: &[u8; 32],
    payload: &[u8],
) -> Result<Login, LoginError> {
    match payload::Login::parse(payload)? {
        payload::Login::Interop(login) => {
            let key = check_partner(network, static_key, login).await?;
            Ok(Login::Device { key, passive: false })
        }
        payload::Login::Device(login) => check_device(network, static_key, &login),
        payload::Login::Pairing(pairing) => {
            let bundle = bundle_of(&pairing);
            bundle.verify()?;
            Ok(Login::Registration(Box::new(bundle)))
        }
    }
}

fn check_device(
    network: &Network,
    static_key: &[u8; 32],
    login: &DeviceLogin,
) -> Result<Login, LoginError> {
    let key = DeviceKey { account: AccountId::Person(login.username), device: login.device };
    network.with(|world| {
        let companion = world.device(key).and_then(|device| device.companion.as_ref());
        match companion {
            None => Err(LoginError::UnknownAccount),
            Some(companion) if companion.noise_key != *static_key => Err(LoginError::WrongNoiseKey),
            Some(_) => Ok(Login::Device { key, passive: login.passive }),
        }
    })
}

async fn check_partner(
    network: &Network,
    static_key: &[u8; 32],
    login: InteropLogin,
) -> Result<DeviceKey, LoginError> {
    let token = String::from_utf8(login.token).map_err(|_| LoginError::TokenNotText)?;
    let (user_visible_id, noise_key) = network
        .with(|world| {
            let partner = world.partner(login.account);
            partner.map(|held| (held.user_visible_id.clone(), held.noise_key))
        })
        .ok_or(LoginError::UnknownAccount)?;
    if noise_key != *static_key {
        return Err(LoginError::WrongNoiseKey);
    }
    if network.tokens.verify(&token).await? != user_visible_id {
        return Err(LoginError::OtherSubject);
    }
    let shown = Shown {
        push_name: login.push_name.map(|name| name.0),
        read_receipts: Some(login.read_receipts),
    };
    network.with(|world| world.logged_in(login.account, shown));
    Ok(DeviceKey::primary(AccountId::Partner(login.account)))
}

fn bundle_of(pairing: &Pairing) -> Bundle {
    Bundle {
        registration_id: pairing.registration_id,
        identity: pairing.identity,
        signed_prekey: SignedPrekey {
            id: pairing.signed_prekey_id,
            value: pairing.signed_prekey,
            signature: pairing.signature,
        },
        one_time: std::collections::VecDeque::new(),
    }
}
