//! A long-term or ephemeral X25519 key of ours.

use std::fmt;

use rand::CryptoRng;
use wacore_libsignal::core::curve;
use zeroize::Zeroizing;

use super::NoiseError;

/// An X25519 key pair. The private half is wiped on drop and never shown.
#[derive(Clone)]
pub struct KeyPair {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl KeyPair {
    /// A fresh key.
    pub fn generate<R: CryptoRng>(rng: &mut R) -> Self {
        let mut private = Zeroizing::new([0; 32]);
        rng.fill_bytes(private.as_mut());
        Self::from_private(*private)
    }

    /// The key that a stored private half belongs to. Every 32 bytes are one.
    pub fn from_private(private: [u8; 32]) -> Self {
        let private = Zeroizing::new(private);
        let public = curve_key(&private).public_key().expect("every scalar has a public key");
        Self { public: array_of(&public), private }
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The private half, for sealed storage.
    pub fn private(&self) -> &Zeroizing<[u8; 32]> {
        &self.private
    }

    /// The secret shared with the owner of `remote`.
    pub(super) fn agree(&self, remote: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, NoiseError> {
        let remote = curve_public(remote);
        let secret = curve_key(&self.private).calculate_agreement(&remote);
        let secret = Zeroizing::new(secret.map_err(|_| NoiseError::DegenerateKey)?);
        if *secret == [0; 32] {
            return Err(NoiseError::DegenerateKey);
        }
        Ok(secret)
    }

    /// An XEdDSA signature.
    pub(super) fn sign<R: CryptoRng>(&self, message: &[u8], rng: &mut R) -> [u8; 64] {
        curve_key(&self.private)
            .calculate_signature(message, rng)
            .expect("signing with a well-formed key cannot fail")
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { private: _, public: _ } = self;
        f.write_str("KeyPair(…)")
    }
}

/// Whether `signature` is the XEdDSA signature of `message` by the owner of `public`.
pub(super) fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    curve_public(public).verify_signature(message, signature)
}

fn curve_key(private: &[u8; 32]) -> curve::PrivateKey {
    curve::PrivateKey::deserialize(private).expect("32 bytes are a private key")
}

fn curve_public(public: &[u8; 32]) -> curve::PublicKey {
    curve::PublicKey::from_djb_public_key_bytes(public).expect("32 bytes are a public key")
}

fn array_of(public: &curve::PublicKey) -> [u8; 32] {
    public.public_key_bytes().try_into().expect("a public key has 32 bytes")
}
