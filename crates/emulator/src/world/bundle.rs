//! Published Signal keys of one device. It must not know who fetches them, and it never holds a private key.

use std::collections::VecDeque;

use thiserror::Error;
use wacore_libsignal::protocol::PublicKey;

use crate::limits::PREKEYS_MAX;

/// A one-time prekey as published: id (24 bits on the wire) and public key without the type byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneTimePrekey {
    pub(crate) id: u32,
    pub(crate) value: [u8; 32],
}

/// A signed prekey as published; the signature covers `05 || value` (network facts 1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedPrekey {
    pub(crate) id: u32,
    pub(crate) value: [u8; 32],
    pub(crate) signature: [u8; 64],
}

/// Everything that others need for a session with one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) registration_id: u32,
    pub(crate) identity: [u8; 32],
    pub(crate) signed_prekey: SignedPrekey,
    pub(crate) one_time: VecDeque<OneTimePrekey>,
}

/// Why published keys are refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BundleError {
    #[error("the identity key is no curve point")]
    Identity,
    #[error("the signed prekey is not signed by the identity key")]
    Signature,
}

impl Bundle {
    /// Checks that the identity key signed the signed prekey.
    pub(crate) fn verify(&self) -> Result<(), BundleError> {
        verify_signed_prekey(&self.identity, &self.signed_prekey)
    }

    /// Adds keys at the back, replacing those with the same id, and keeps at most [`PREKEYS_MAX`]. Returns how many were not kept.
    pub(crate) fn add_one_time(&mut self, keys: Vec<OneTimePrekey>) -> usize {
        let mut refused = 0;
        for key in keys {
            self.one_time.retain(|held| held.id != key.id);
            if self.one_time.len() < PREKEYS_MAX {
                self.one_time.push_back(key);
            } else {
                refused += 1;
            }
        }
        refused
    }
}

/// Checks one signed prekey against an identity key.
pub(crate) fn verify_signed_prekey(
    identity: &[u8; 32],
    prekey: &SignedPrekey,
) -> Result<(), BundleError> {
    let identity =
        PublicKey::from_djb_public_key_bytes(identity).map_err(|_| BundleError::Identity)?;
    let mut signed = [5; 33];
    signed[1..].copy_from_slice(&prekey.value);
    if identity.verify_signature(&signed, &prekey.signature) {
        Ok(())
    } else {
        Err(BundleError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use wacore_libsignal::protocol::KeyPair;

    use super::*;
    use crate::entropy;

    fn bundle() -> Bundle {
        let identity = KeyPair::generate(&mut entropy::rng());
        let prekey = KeyPair::generate(&mut entropy::rng());
        let signature = identity
            .calculate_signature(&prekey.public_key.serialize(), &mut entropy::rng())
            .unwrap();
        Bundle {
            registration_id: 7,
            identity: identity.public_key.public_key_bytes().try_into().unwrap(),
            signed_prekey: SignedPrekey {
                id: 1,
                value: prekey.public_key.public_key_bytes().try_into().unwrap(),
                signature: signature.as_ref().try_into().unwrap(),
            },
            one_time: VecDeque::new(),
        }
    }

    #[test]
    fn a_signed_prekey_must_be_signed_by_its_identity() {
        let good = bundle();
        assert_eq!(good.verify(), Ok(()));
        let other = bundle();
        let mixed = Bundle { identity: other.identity, ..good };
        assert_eq!(mixed.verify(), Err(BundleError::Signature));
    }

    #[test]
    fn one_time_prekeys_are_kept_up_to_the_limit_and_not_one_more() {
        let mut bundle = bundle();
        let key = |id| OneTimePrekey { id, value: [0; 32] };
        let limit = u32::try_from(PREKEYS_MAX).unwrap();
        assert_eq!(bundle.add_one_time((0..limit).map(key).collect()), 0);
        assert_eq!(bundle.one_time.len(), PREKEYS_MAX);
        assert_eq!(bundle.add_one_time(vec![key(limit)]), 1);
        assert_eq!(bundle.add_one_time(vec![key(3)]), 0, "a key with a known id is replaced");
        assert_eq!(bundle.one_time.len(), PREKEYS_MAX);
    }
}
