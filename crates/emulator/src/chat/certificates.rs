//! The server's static key and the certificate chains that it shows: the right one, and the wrong ones that a test
//! orders. It must not know connections.

use causeway_wire::noise::{
    KeyPair,
    certificate::{ChainDraft, RootKey, Validity, issue},
};

use crate::{clock, entropy, faults::Fault};

/// How long a leaf holds, in seconds.
const LEAF_LIFETIME_S: u64 = 30 * 24 * 3_600;
/// How long before its issue a certificate is valid, in seconds: clocks differ.
const BACKDATED_S: u64 = 3_600;

/// See the module.
#[derive(Debug)]
pub(crate) struct Certificates {
    root: RootKey,
    server: KeyPair,
}

impl Certificates {
    pub(crate) fn generate() -> Self {
        let mut rng = entropy::rng();
        Self { root: RootKey::generate(&mut rng), server: KeyPair::generate(&mut rng) }
    }

    /// What clients must trust.
    pub(crate) fn root_key(&self) -> [u8; 32] {
        self.root.trust().root
    }

    pub(crate) fn server_key(&self) -> KeyPair {
        self.server.clone()
    }

    /// A chain for the server's key, spoiled as ordered.
    pub(crate) fn chain(&self, fault: Option<Fault>) -> Vec<u8> {
        let mut rng = entropy::rng();
        let now = clock::now_s();
        let valid = Validity {
            not_before_s: Some(now - BACKDATED_S),
            not_after_s: Some(now + LEAF_LIFETIME_S),
        };
        let mut draft =
            ChainDraft { leaf_key: self.server.public(), leaf: valid, intermediate: valid };
        match fault {
            Some(Fault::WrongRoot) => {
                return issue(&RootKey::generate(&mut rng), &draft, &mut rng);
            }
            Some(Fault::WrongLeafKey) => draft.leaf_key = KeyPair::generate(&mut rng).public(),
            Some(Fault::ExpiredLeaf) => draft.leaf.not_after_s = Some(now - 1),
            _ => {}
        }
        issue(&self.root, &draft, &mut rng)
    }
}

#[cfg(test)]
mod tests {
    use causeway_wire::noise::certificate::{CertificateError, verify};

    use super::*;

    #[test]
    fn the_chain_is_accepted_unless_a_fault_was_ordered() {
        let certificates = Certificates::generate();
        let trust = certificates.root.trust();
        let key = certificates.server.public();
        let check = |fault| verify(&certificates.chain(fault), &key, &trust, clock::now_s());
        assert_eq!(check(None), Ok(()));
        assert_eq!(check(Some(Fault::WrongRoot)), Err(CertificateError::WrongRoot));
        assert_eq!(check(Some(Fault::WrongLeafKey)), Err(CertificateError::WrongLeafKey));
        let expired = check(Some(Fault::ExpiredLeaf));
        assert!(matches!(expired, Err(CertificateError::Expired { .. })), "{expired:?}");
    }
}
