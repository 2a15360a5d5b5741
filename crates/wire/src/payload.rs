//! What a client says in the last message of its handshake: who it is and how it proves that
//! (network facts 2.1).
//!
//! A partner's client says `product = INTEROP` and carries its account and token; an ordinary client
//! says a phone number and device, or asks to be paired.

use std::fmt;

use waproto::{
    buffa::{Message, MessageField},
    codec::client_payload_to_vec,
    whatsapp::{
        ClientPayload,
        client_payload::{
            DevicePairingRegistrationData, InteropData, Product, UserAgent, user_agent,
        },
    },
};

use crate::stanza::Personal;

#[cfg(test)]
mod tests;

/// The most bytes of a token (network facts 1.4).
pub const MAX_TOKEN: usize = 4096;

/// Whom a client logs in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A partner's person.
    Interop(InteropLogin),
    /// A device of an ordinary person, paired before.
    Device(DeviceLogin),
    /// A new device that asks to be paired with a person.
    Pairing(Pairing),
}

/// How a partner's client logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct InteropLogin {
    /// The account given at enlistment: the digits after the `-` of its JID.
    pub account: u64,
    /// The provider's proof of who this is, a JWT.
    pub token: Vec<u8>,
    /// Whether this person sends read receipts and wants them.
    pub read_receipts: bool,
    /// The name that this person shows.
    pub push_name: Option<Personal>,
    /// The version that the client says it has, which is also where the version of the interop
    /// protocol goes until it is known where it really goes (network facts section 6).
    pub version: Version,
}

/// How an ordinary device logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceLogin {
    /// The phone number as a number.
    pub username: u64,
    /// The device's number.
    pub device: u16,
    /// Whether stanzas are to be held back until the client says that it is active.
    pub passive: bool,
}

/// What a new device publishes to be paired, as in an enlistment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Its registration id.
    pub registration_id: u32,
    /// Its identity key.
    pub identity: [u8; 32],
    /// The id of its signed prekey.
    pub signed_prekey_id: u32,
    /// Its signed prekey.
    pub signed_prekey: [u8; 32],
    /// The identity key's signature of that.
    pub signature: [u8; 64],
    /// What it says of itself, kept unread.
    pub device_props: Vec<u8>,
}

/// A version of up to three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The first number.
    pub primary: u32,
    /// The second number.
    pub secondary: u32,
    /// The third number.
    pub tertiary: u32,
}

/// Why bytes are no client payload. It never repeats what they held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not the protobuf that it should be.
    #[error("not a client payload")]
    NotAPayload,
    /// A part that this kind of login needs is missing or of the wrong size.
    #[error("a login without {what}")]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
    /// A token of more than [`MAX_TOKEN`] bytes.
    #[error("a token of {length} bytes, the limit is {MAX_TOKEN}")]
    TokenTooLong {
        /// How many.
        length: usize,
    },
}

impl InteropLogin {
    /// The payload that says this.
    pub fn encode(&self) -> Result<Vec<u8>, PayloadError> {
        let length = self.token.len();
        if length > MAX_TOKEN {
            return Err(PayloadError::TokenTooLong { length });
        }
        let version = user_agent::AppVersion {
            primary: Some(self.version.primary),
            secondary: Some(self.version.secondary),
            tertiary: Some(self.version.tertiary),
            ..Default::default()
        };
        let user_agent =
            UserAgent { app_version: MessageField::some(version), ..Default::default() };
        let interop_data = InteropData {
            account_id: Some(self.account),
            token: Some(self.token.clone()),
            enable_read_receipts: Some(self.read_receipts),
        };
        Ok(client_payload_to_vec(&ClientPayload {
            product: Some(Product::INTEROP),
            push_name: self.push_name.as_ref().map(|name| name.0.clone()),
            user_agent: MessageField::some(user_agent),
            interop_data: MessageField::some(interop_data),
            ..Default::default()
        }))
    }
}

impl Login {
    /// Reads a client payload.
    pub fn parse(bytes: &[u8]) -> Result<Self, PayloadError> {
        let payload =
            ClientPayload::decode_from_slice(bytes).map_err(|_| PayloadError::NotAPayload)?;
        if payload.product == Some(Product::INTEROP) {
            return InteropLogin::read(payload).map(Self::Interop);
        }
        match payload.device_pairing_data.into_option() {
            Some(pairing) => Pairing::read(pairing).map(Self::Pairing),
            None => Ok(Self::Device(DeviceLogin {
                username: payload.username.ok_or(PayloadError::Missing { what: "a username" })?,
                device: payload
                    .device
                    .unwrap_or_default()
                    .try_into()
                    .map_err(|_| PayloadError::Missing { what: "a device of 16 bits" })?,
                passive: payload.passive.unwrap_or_default(),
            })),
        }
    }
}

impl InteropLogin {
    fn read(payload: ClientPayload) -> Result<Self, PayloadError> {
        let missing = |what| PayloadError::Missing { what };
        let data = payload.interop_data.into_option().ok_or(missing("interop data"))?;
        let token = data.token.ok_or(missing("a token"))?;
        if token.len() > MAX_TOKEN {
            return Err(PayloadError::TokenTooLong { length: token.len() });
        }
        let version =
            payload.user_agent.into_option().and_then(|agent| agent.app_version.into_option()).map(
                |version| Version {
                    primary: version.primary.unwrap_or_default(),
                    secondary: version.secondary.unwrap_or_default(),
                    tertiary: version.tertiary.unwrap_or_default(),
                },
            );
        Ok(Self {
            account: data.account_id.ok_or(missing("an account"))?,
            token,
            read_receipts: data.enable_read_receipts.unwrap_or_default(),
            push_name: payload.push_name.map(Personal),
            version: version.unwrap_or_default(),
        })
    }
}

impl Pairing {
    fn read(data: DevicePairingRegistrationData) -> Result<Self, PayloadError> {
        let missing = |what| move || PayloadError::Missing { what };
        let id = number_of(data.e_skey_id.as_deref()).filter(|id| *id <= 0x00ff_ffff);
        Ok(Self {
            registration_id: number_of(data.e_regid.as_deref())
                .ok_or_else(missing("a registration id of up to 4 bytes"))?,
            identity: array_of(data.e_ident).ok_or_else(missing("an identity key of 32 bytes"))?,
            signed_prekey_id: id.ok_or_else(missing("a signed prekey's id of up to 3 bytes"))?,
            signed_prekey: array_of(data.e_skey_val)
                .ok_or_else(missing("a signed prekey of 32 bytes"))?,
            signature: array_of(data.e_skey_sig).ok_or_else(missing("a signature of 64 bytes"))?,
            device_props: data.device_props.unwrap_or_default(),
        })
    }
}

fn array_of<const N: usize>(bytes: Option<Vec<u8>>) -> Option<[u8; N]> {
    bytes?.try_into().ok()
}

/// A big-endian number of one to four bytes.
fn number_of(bytes: Option<&[u8]>) -> Option<u32> {
    let bytes = bytes.filter(|bytes| (1..=4).contains(&bytes.len()))?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

impl fmt::Debug for InteropLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account: _, token: _, read_receipts, push_name: _, version } = self;
        f.debug_struct("InteropLogin")
            .field("read_receipts", read_receipts)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username: _, device, passive } = self;
        f.debug_struct("DeviceLogin")
            .field("device", device)
            .field("passive", passive)
            .finish_non_exhaustive()
    }
}
