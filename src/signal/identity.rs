//! Our long-term identity, and the identity of a remote party.

use std::fmt;

use rand::{CryptoRng, RngExt as _};
use wacore_libsignal::protocol::{IdentityKey, IdentityKeyPair, KeyPair, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::error::KeyError;

/// Registration ids are 14 bits, as the network's own clients choose them.
pub const MAX_REGISTRATION_ID: u32 = 0x3fff;

/// First byte of the stored form of an identity.
const STORED_VERSION: u8 = 1;

/// The long-term key pair of a login and the registration id that goes with it.
#[derive(Clone)]
pub struct OurIdentity {
    registration_id: u32,
    public: [u8; 32],
    private: Zeroizing<[u8; 32]>,
}

impl OurIdentity {
    /// A new identity with a registration id of 1 to [`MAX_REGISTRATION_ID`].
    pub fn generate<R: CryptoRng + ?Sized>(mut rng: &mut R) -> Self {
        let pair = KeyPair::generate(&mut rng);
        let registration_id = rng.random_range(1..=MAX_REGISTRATION_ID);
        Self {
            registration_id,
            public: raw(&pair.public_key),
            private: Zeroizing::new(*pair.private_key.serialize()),
        }
    }

    /// The stored form. It holds the private key: seal it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(37));
        bytes.push(STORED_VERSION);
        bytes.extend_from_slice(&self.registration_id.to_be_bytes());
        bytes.extend_from_slice(self.private.as_slice());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (&version, rest) = bytes.split_first().ok_or(KeyError::Malformed)?;
        let (registration_id, private) =
            rest.split_first_chunk::<4>().ok_or(KeyError::Malformed)?;
        let private: [u8; 32] = private.try_into().map_err(|_| KeyError::Malformed)?;
        if version != STORED_VERSION {
            return Err(KeyError::Malformed);
        }
        let private = Zeroizing::new(private);
        let public = public_of(&private)?;
        Ok(Self { registration_id: u32::from_be_bytes(*registration_id), public, private })
    }

    /// The public key without the type byte, as the network carries it.
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// The id that tells one installation of this identity from the next.
    pub fn registration_id(&self) -> u32 {
        self.registration_id
    }

    pub(super) fn library_pair(&self) -> Result<IdentityKeyPair, KeyError> {
        Ok(IdentityKeyPair::new(
            IdentityKey::new(library_public(&self.public)?),
            library_private(&self.private)?,
        ))
    }
}

impl fmt::Debug for OurIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registration_id, public: _, private: _ } = self;
        f.debug_struct("OurIdentity")
            .field("registration_id", registration_id)
            .finish_non_exhaustive()
    }
}

/// The public identity key of a remote party, without the type byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteIdentityKey([u8; 32]);

impl RemoteIdentityKey {
    /// Takes the 32 bytes that the network carries.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, without the type byte.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn of_library(key: &IdentityKey) -> Self {
        Self(raw(key.public_key()))
    }
}

impl From<[u8; 32]> for RemoteIdentityKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RemoteIdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteIdentityKey(..)")
    }
}

/// Signs `message` with our identity (XEdDSA).
pub fn sign<R: CryptoRng + ?Sized>(
    us: &OurIdentity,
    message: &[u8],
    mut rng: &mut R,
) -> Result<[u8; 64], KeyError> {
    library_private(&us.private)?
        .calculate_signature(message, &mut rng)
        .map_err(|_| KeyError::Refused)
}

/// Whether `signature` is `signer`'s over `message` (XEdDSA).
pub fn verify(signer: &RemoteIdentityKey, message: &[u8], signature: &[u8; 64]) -> bool {
    library_public(&signer.0).is_ok_and(|key| key.verify_signature(message, signature))
}

/// The 32 bytes of a library key.
pub(super) fn raw(key: &PublicKey) -> [u8; 32] {
    let [_type_byte, bytes @ ..] = key.serialize();
    bytes
}

pub(super) fn library_public(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
    PublicKey::from_djb_public_key_bytes(bytes).map_err(|_| KeyError::Refused)
}

pub(super) fn library_private(bytes: &[u8; 32]) -> Result<PrivateKey, KeyError> {
    PrivateKey::deserialize(bytes).map_err(|_| KeyError::Refused)
}

pub(super) fn public_of(private: &[u8; 32]) -> Result<[u8; 32], KeyError> {
    library_private(private)?.public_key().map(|key| raw(&key)).map_err(|_| KeyError::Refused)
}
