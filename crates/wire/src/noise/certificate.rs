//! The certificate chain by which a server proves that its static key is the network's.
//!
//! Two certificates, each signed with XEdDSA: a root that we trust signs the intermediate one, that
//! one signs the leaf, the leaf holds the server's static key (network facts 3.3).

use std::fmt;

use rand::CryptoRng;
use waproto::{
    buffa::{Message, MessageField},
    codec::{cert_chain_decode, noise_certificate_details_decode},
    whatsapp::{
        CertChain,
        cert_chain::{NoiseCertificate, noise_certificate::Details},
    },
};

use super::{KeyPair, keys::verify as verify_signature};

#[cfg(test)]
mod tests;

/// The root key of the real network (network facts 3.3).
pub const META_ROOT: [u8; 32] = [
    0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7, 0x1e, 0xbe, 0x51, 0x64, 0x37,
    0xc4, 0xa2, 0x8b, 0x73, 0xe3, 0x69, 0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b,
];

/// The serial that the root goes by as an issuer.
const ROOT_SERIAL: u32 = 0;
const INTERMEDIATE_SERIAL: u32 = 1;
const LEAF_SERIAL: u32 = 2;

/// Whom a client believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The public key that must have signed the intermediate certificate.
    pub root: [u8; 32],
}

/// Which certificate of a chain is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Signed by the root.
    Intermediate,
    /// Signed by the intermediate one; holds the server's key.
    Leaf,
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intermediate => "intermediate",
            Self::Leaf => "leaf",
        })
    }
}

/// Why a chain proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A part is missing, of the wrong size or no protobuf.
    #[error("malformed {what}")]
    Malformed {
        /// What was looked for.
        what: &'static str,
    },
    /// The trusted root did not sign the intermediate certificate.
    #[error("the chain does not come from the trusted root")]
    WrongRoot,
    /// The intermediate certificate did not sign the leaf.
    #[error("the leaf certificate is not signed by the intermediate one")]
    WrongIssuer,
    /// A certificate names another issuer than the one above it.
    #[error("the {rank} certificate names issuer {named} instead of {expected}")]
    WrongIssuerSerial {
        /// Which certificate.
        rank: Rank,
        /// The serial that it names.
        named: u32,
        /// The serial of the certificate above it.
        expected: u32,
    },
    /// The leaf is for another server.
    #[error("the leaf certificate is not for the key that the server uses")]
    WrongLeafKey,
    /// Its time is over.
    #[error("the {rank} certificate expired at {not_after_s}")]
    Expired {
        /// Which certificate.
        rank: Rank,
        /// Unix time in seconds.
        not_after_s: u64,
    },
    /// Its time is to come.
    #[error("the {rank} certificate is not valid before {not_before_s}")]
    NotYetValid {
        /// Which certificate.
        rank: Rank,
        /// Unix time in seconds.
        not_before_s: u64,
    },
}

/// Checks that `chain` (a serialized `CertChain`) leads from the trusted root to `server_static`, and
/// that it does so at `now_s`, seconds of Unix time. Dates count where a certificate has them.
pub fn verify(
    chain: &[u8],
    server_static: &[u8; 32],
    trust: &Trust,
    now_s: u64,
) -> Result<(), CertificateError> {
    let chain = cert_chain_decode(chain)
        .map_err(|_| CertificateError::Malformed { what: "certificate chain" })?;
    let intermediate = Certificate::read(chain.intermediate, Rank::Intermediate)?;
    let leaf = Certificate::read(chain.leaf, Rank::Leaf)?;
    if !intermediate.is_signed_by(&trust.root) {
        return Err(CertificateError::WrongRoot);
    }
    if !leaf.is_signed_by(&intermediate.key) {
        return Err(CertificateError::WrongIssuer);
    }
    intermediate.names_issuer(ROOT_SERIAL)?;
    leaf.names_issuer(intermediate.serial)?;
    if leaf.key != *server_static {
        return Err(CertificateError::WrongLeafKey);
    }
    intermediate.is_valid_at(now_s)?;
    leaf.is_valid_at(now_s)
}

/// A certificate as it was read: nothing of it is believed yet.
struct Certificate {
    rank: Rank,
    signed: Vec<u8>,
    signature: Vec<u8>,
    serial: u32,
    issuer_serial: u32,
    key: [u8; 32],
    validity: Validity,
}

impl Certificate {
    fn read(
        certificate: MessageField<NoiseCertificate>,
        rank: Rank,
    ) -> Result<Self, CertificateError> {
        let malformed = CertificateError::Malformed {
            what: match rank {
                Rank::Intermediate => "intermediate certificate",
                Rank::Leaf => "leaf certificate",
            },
        };
        let certificate = certificate.into_option().ok_or(malformed)?;
        let signed = certificate.details.ok_or(malformed)?;
        let details = noise_certificate_details_decode(&signed).map_err(|_| malformed)?;
        Ok(Self {
            rank,
            signature: certificate.signature.ok_or(malformed)?,
            serial: details.serial.unwrap_or_default(),
            issuer_serial: details.issuer_serial.unwrap_or_default(),
            key: details.key.and_then(|key| key.try_into().ok()).ok_or(malformed)?,
            validity: Validity { not_before_s: details.not_before, not_after_s: details.not_after },
            signed,
        })
    }

    fn is_signed_by(&self, issuer: &[u8; 32]) -> bool {
        verify_signature(issuer, &self.signed, &self.signature)
    }

    fn names_issuer(&self, expected: u32) -> Result<(), CertificateError> {
        let (rank, named) = (self.rank, self.issuer_serial);
        if named == expected {
            Ok(())
        } else {
            Err(CertificateError::WrongIssuerSerial { rank, named, expected })
        }
    }

    fn is_valid_at(&self, now_s: u64) -> Result<(), CertificateError> {
        let rank = self.rank;
        match self.validity {
            Validity { not_before_s: Some(not_before_s), .. } if now_s < not_before_s => {
                Err(CertificateError::NotYetValid { rank, not_before_s })
            }
            Validity { not_after_s: Some(not_after_s), .. } if now_s > not_after_s => {
                Err(CertificateError::Expired { rank, not_after_s })
            }
            Validity { .. } => Ok(()),
        }
    }
}

/// When a certificate holds, both ends included, in seconds of Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// From when on; `None` for always.
    pub not_before_s: Option<u64>,
    /// Until when; `None` for ever.
    pub not_after_s: Option<u64>,
}

/// What a server wants certified.
#[derive(Clone, Copy, Debug)]
pub struct ChainDraft {
    /// The static key of the server.
    pub leaf_key: [u8; 32],
    /// When the leaf holds.
    pub leaf: Validity,
    /// When the intermediate certificate holds.
    pub intermediate: Validity,
}

/// A root of one's own, for a network that is not the real one.
#[derive(Clone, Debug)]
pub struct RootKey(KeyPair);

impl RootKey {
    /// A fresh root.
    pub fn generate<R: CryptoRng>(rng: &mut R) -> Self {
        Self(KeyPair::generate(rng))
    }

    /// The root with this private key.
    pub fn from_private(private: [u8; 32]) -> Self {
        Self(KeyPair::from_private(private))
    }

    /// What clients must trust.
    pub fn trust(&self) -> Trust {
        Trust { root: self.0.public() }
    }
}

/// Issues a chain for a server, with an intermediate key that is forgotten at once. Gives the
/// serialized `CertChain` that a [`super::Responder`] shows.
pub fn issue<R: CryptoRng>(root: &RootKey, draft: &ChainDraft, rng: &mut R) -> Vec<u8> {
    let intermediate = KeyPair::generate(rng);
    let intermediate_details =
        details(INTERMEDIATE_SERIAL, ROOT_SERIAL, intermediate.public(), draft.intermediate);
    let leaf_details = details(LEAF_SERIAL, INTERMEDIATE_SERIAL, draft.leaf_key, draft.leaf);
    let chain = CertChain {
        intermediate: signed(&intermediate_details, &root.0, rng),
        leaf: signed(&leaf_details, &intermediate, rng),
    };
    chain.encode_to_vec()
}

fn details(serial: u32, issuer_serial: u32, key: [u8; 32], validity: Validity) -> Details {
    Details {
        serial: Some(serial),
        issuer_serial: Some(issuer_serial),
        key: Some(key.into()),
        not_before: validity.not_before_s,
        not_after: validity.not_after_s,
    }
}

fn signed<R: CryptoRng>(
    details: &Details,
    issuer: &KeyPair,
    rng: &mut R,
) -> MessageField<NoiseCertificate> {
    let details = details.encode_to_vec();
    let signature = Some(issuer.sign(&details, rng).into());
    MessageField::some(NoiseCertificate { details: Some(details), signature })
}
