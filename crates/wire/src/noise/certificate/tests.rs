use proptest::{collection::vec, prelude::*};
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const NOW_S: u64 = 1_800_000_000;
const SERVER: [u8; 32] = [7; 32];

fn draft() -> ChainDraft {
    let (leaf, intermediate) = (Validity::default(), Validity::default());
    ChainDraft { leaf_key: SERVER, leaf, intermediate }
}

fn root() -> RootKey {
    RootKey::from_private([1; 32])
}

fn issued(seed: u64) -> CertChain {
    let mut rng = StdRng::seed_from_u64(seed);
    cert_chain_decode(&issue(&root(), &draft(), &mut rng)).unwrap()
}

fn check(chain: &CertChain, expected: Result<(), CertificateError>) {
    assert_eq!(verify(&chain.encode_to_vec(), &SERVER, &root().trust(), NOW_S), expected);
}

#[test]
fn an_issued_chain_holds() {
    check(&issued(1), Ok(()));
}

#[test]
fn a_leaf_of_another_intermediate_is_refused() {
    let mixed = CertChain { leaf: issued(2).leaf, ..issued(1) };
    check(&mixed, Err(CertificateError::WrongIssuer));
}

#[test]
fn serials_must_chain() {
    let mut rng = StdRng::seed_from_u64(3);
    let between = KeyPair::from_private([2; 32]);
    let mut chain = |of_intermediate, of_leaf| {
        let always = Validity::default();
        let intermediate = details(5, of_intermediate, between.public(), always);
        let leaf = details(6, of_leaf, SERVER, always);
        CertChain {
            intermediate: signed(&intermediate, &root().0, &mut rng),
            leaf: signed(&leaf, &between, &mut rng),
        }
    };
    check(&chain(0, 5), Ok(()));
    let rank = Rank::Intermediate;
    let error = CertificateError::WrongIssuerSerial { rank, named: 1, expected: 0 };
    check(&chain(1, 5), Err(error));
    let rank = Rank::Leaf;
    let error = CertificateError::WrongIssuerSerial { rank, named: 1, expected: 5 };
    check(&chain(0, 1), Err(error));
}

#[test]
fn a_chain_with_a_part_missing_is_malformed() {
    let leaf = CertificateError::Malformed { what: "leaf certificate" };
    let intermediate = CertificateError::Malformed { what: "intermediate certificate" };
    check(&CertChain { leaf: MessageField::none(), ..issued(1) }, Err(leaf));
    check(&CertChain { intermediate: MessageField::none(), ..issued(1) }, Err(intermediate));
    let unsigned =
        issued(1).leaf.into_option().map(|leaf| NoiseCertificate { signature: None, ..leaf });
    let unsigned = unsigned.map_or_else(MessageField::none, MessageField::some);
    check(&CertChain { leaf: unsigned, ..issued(1) }, Err(leaf));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_byte_goes_unnoticed(place in any::<u16>(), flip in 1_u8..) {
        let mut bytes = issued(4).encode_to_vec();
        let place = usize::from(place) % bytes.len();
        bytes[place] ^= flip;
        prop_assert!(verify(&bytes, &SERVER, &root().trust(), NOW_S).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&bytes, &SERVER, &root().trust(), NOW_S).is_err());
    }
}
