//! The keys that we publish so that others can open sessions to us, and the bundle of theirs.

use std::fmt;

use rand::CryptoRng;
use wacore_libsignal::protocol::{
    DeviceId, GenericSignedPreKey as _, IdentityKey, KeyPair, PreKeyBundle, PreKeyRecord,
    SignedPreKeyRecord, Timestamp,
};
use zeroize::Zeroizing;

use super::{
    error::{EstablishError, KeyError},
    identity::{OurIdentity, library_private, library_public, public_of, raw, sign},
};

/// Prekey ids travel in three bytes (network facts 3.6).
pub const MAX_PREKEY_ID: u32 = 0x00ff_ffff;

/// First byte of the stored form of both kinds.
const STORED_VERSION: u8 = 1;

/// The medium-term prekey of a login, signed by its identity.
#[derive(Clone)]
pub struct SignedPreKey {
    id: u32,
    timestamp_ms: u64,
    public: [u8; 32],
    private: Zeroizing<[u8; 32]>,
    signature: [u8; 64],
}

impl SignedPreKey {
    /// A new key, signed by `us`. `timestamp_ms` is the time of making it, in milliseconds since
    /// 1970; it only serves to know when to make the next.
    pub fn generate<R: CryptoRng + ?Sized>(
        id: u32,
        us: &OurIdentity,
        timestamp_ms: u64,
        mut rng: &mut R,
    ) -> Result<Self, KeyError> {
        check_id(id)?;
        let pair = KeyPair::generate(&mut rng);
        // What is signed is the key with its type byte, although the network carries it without.
        let signature = sign(us, &pair.public_key.serialize(), rng)?;
        Ok(Self {
            id,
            timestamp_ms,
            public: raw(&pair.public_key),
            private: Zeroizing::new(*pair.private_key.serialize()),
            signature,
        })
    }

    /// Its id, at most [`MAX_PREKEY_ID`].
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When it was made, in milliseconds since 1970.
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// The public key without the type byte.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The identity's signature over the public key with its type byte.
    pub fn signature(&self) -> [u8; 64] {
        self.signature
    }

    /// The stored form. It holds the private key: seal it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(109));
        bytes.push(STORED_VERSION);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp_ms.to_be_bytes());
        bytes.extend_from_slice(self.private.as_slice());
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (id, rest) = stored_id(bytes)?;
        let (timestamp_ms, rest) = rest.split_first_chunk::<8>().ok_or(KeyError::Malformed)?;
        let (private, signature) = rest.split_first_chunk::<32>().ok_or(KeyError::Malformed)?;
        let signature = signature.try_into().map_err(|_| KeyError::Malformed)?;
        let private = Zeroizing::new(*private);
        let public = public_of(&private)?;
        Ok(Self { id, timestamp_ms: u64::from_be_bytes(*timestamp_ms), public, private, signature })
    }

    pub(super) fn to_library(&self) -> Result<SignedPreKeyRecord, KeyError> {
        let pair = KeyPair::new(library_public(&self.public)?, library_private(&self.private)?);
        let timestamp = Timestamp::from_epoch_millis(self.timestamp_ms);
        Ok(SignedPreKeyRecord::new(self.id.into(), timestamp, &pair, &self.signature))
    }
}

impl fmt::Debug for SignedPreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, timestamp_ms, public: _, private: _, signature: _ } = self;
        f.debug_struct("SignedPreKey")
            .field("id", id)
            .field("timestamp_ms", timestamp_ms)
            .finish_non_exhaustive()
    }
}

/// A one-time prekey: it opens one session and is then deleted.
#[derive(Clone)]
pub struct PreKey {
    id: u32,
    public: [u8; 32],
    private: Zeroizing<[u8; 32]>,
}

impl PreKey {
    /// A new key.
    pub fn generate<R: CryptoRng + ?Sized>(id: u32, mut rng: &mut R) -> Result<Self, KeyError> {
        check_id(id)?;
        let pair = KeyPair::generate(&mut rng);
        Ok(Self {
            id,
            public: raw(&pair.public_key),
            private: Zeroizing::new(*pair.private_key.serialize()),
        })
    }

    /// Its id, at most [`MAX_PREKEY_ID`].
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The public key without the type byte.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The stored form. It holds the private key: seal it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(37));
        bytes.push(STORED_VERSION);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(self.private.as_slice());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (id, private) = stored_id(bytes)?;
        let private = Zeroizing::new(private.try_into().map_err(|_| KeyError::Malformed)?);
        let public = public_of(&private)?;
        Ok(Self { id, public, private })
    }

    pub(super) fn to_library(&self) -> Result<PreKeyRecord, KeyError> {
        let pair = KeyPair::new(library_public(&self.public)?, library_private(&self.private)?);
        Ok(PreKeyRecord::new(self.id.into(), &pair))
    }
}

impl fmt::Debug for PreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, public: _, private: _ } = self;
        f.debug_struct("PreKey").field("id", id).finish_non_exhaustive()
    }
}

/// What the network hands out for opening a session to one device of a peer. All keys are public and
/// without the type byte.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteBundle {
    /// Tells one installation of the peer from the next.
    pub registration_id: u32,
    /// The peer's identity key.
    pub identity: [u8; 32],
    /// At most [`MAX_PREKEY_ID`].
    pub signed_prekey_id: u32,
    /// The peer's signed prekey.
    pub signed_prekey: [u8; 32],
    /// The identity's signature over the signed prekey with its type byte.
    pub signature: [u8; 64],
    /// A one-time prekey with its id, unless the peer has run out of them.
    pub prekey: Option<(u32, [u8; 32])>,
}

impl RemoteBundle {
    pub(super) fn to_library(&self, device: u32) -> Result<PreKeyBundle, EstablishError> {
        let public = |bytes| library_public(bytes).map_err(|_| EstablishError::Malformed);
        check_id(self.signed_prekey_id).map_err(|_| EstablishError::Malformed)?;
        let prekey = match &self.prekey {
            Some((id, key)) => {
                check_id(*id).map_err(|_| EstablishError::Malformed)?;
                Some(((*id).into(), public(key)?))
            }
            None => None,
        };
        PreKeyBundle::new(
            self.registration_id,
            DeviceId::new(device),
            prekey,
            self.signed_prekey_id.into(),
            public(&self.signed_prekey)?,
            self.signature.to_vec(),
            IdentityKey::new(public(&self.identity)?),
        )
        .map_err(|_| EstablishError::Malformed)
    }
}

impl fmt::Debug for RemoteBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registration_id,
            identity: _,
            signed_prekey_id,
            signed_prekey: _,
            signature: _,
            prekey,
        } = self;
        f.debug_struct("RemoteBundle")
            .field("registration_id", registration_id)
            .field("signed_prekey_id", signed_prekey_id)
            .field("prekey_id", &prekey.map(|(id, _)| id))
            .finish_non_exhaustive()
    }
}

fn check_id(id: u32) -> Result<(), KeyError> {
    if id > MAX_PREKEY_ID { Err(KeyError::IdTooLarge { id }) } else { Ok(()) }
}

/// Reads the version and the id that begin both stored forms.
fn stored_id(bytes: &[u8]) -> Result<(u32, &[u8]), KeyError> {
    let (&version, rest) = bytes.split_first().ok_or(KeyError::Malformed)?;
    let (id, rest) = rest.split_first_chunk::<4>().ok_or(KeyError::Malformed)?;
    let id = u32::from_be_bytes(*id);
    if version != STORED_VERSION || id > MAX_PREKEY_ID {
        return Err(KeyError::Malformed);
    }
    Ok((id, rest))
}
