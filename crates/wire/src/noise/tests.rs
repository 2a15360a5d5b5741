use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    certificate::{ChainDraft, Rank, RootKey, Validity, issue},
    *,
};
use crate::frame::HEADER;

const NOW_S: u64 = 1_800_000_000;
const PAYLOAD: &[u8] = b"login token";

/// One network: a root, a server with a chain, a client. Each test spoils one part of it.
struct Network {
    rng: StdRng,
    root: RootKey,
    server: KeyPair,
    client: KeyPair,
    draft: ChainDraft,
    trust: CertificateTrust,
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let root = RootKey::generate(&mut rng);
        let server = KeyPair::generate(&mut rng);
        let client = KeyPair::generate(&mut rng);
        let always = Validity::default();
        let draft = ChainDraft { leaf_key: server.public(), leaf: always, intermediate: always };
        let trust = root.trust();
        Self { rng, root, server, client, draft, trust }
    }

    fn initiator(&mut self) -> Initiator {
        Initiator::new(self.client.clone(), HEADER, &mut self.rng)
    }

    fn responder(&mut self) -> Responder {
        let chain = issue(&self.root, &self.draft, &mut self.rng);
        Responder::new(self.server.clone(), chain, HEADER, &mut self.rng)
    }

    /// The client's outcome of a handshake in which nobody interferes.
    fn client_outcome(mut self) -> Result<(), NoiseError> {
        let (client, mut server) = (self.initiator(), self.responder());
        let answer = server.respond(&client.hello()).unwrap();
        client.finish(&answer, &self.trust, NOW_S, PAYLOAD).map(|_| ())
    }
}

#[test]
fn both_ends_meet_and_talk() {
    let mut network = Network::new(1);
    let (client, mut server) = (network.initiator(), network.responder());
    let answer = server.respond(&client.hello()).unwrap();
    let (last, mut client) = client.finish(&answer, &network.trust, NOW_S, PAYLOAD).unwrap();
    let (client_static, payload, server) = server.finish(&last).unwrap();
    assert_eq!((client_static, payload.as_slice()), (network.client.public(), PAYLOAD));

    let (mut sealer, mut opener) = server.into_split();
    for text in [b"first".as_slice(), b"", b"third"] {
        let up = client.encrypt(text).unwrap();
        assert_eq!(opener.decrypt(&up).unwrap(), text);
        let down = sealer.encrypt(text).unwrap();
        assert_ne!(up, down);
        assert_eq!(client.decrypt(&down).unwrap(), text);
    }
}

#[test]
fn a_replayed_or_skipped_message_is_refused() {
    let mut network = Network::new(2);
    let (client, mut server) = (network.initiator(), network.responder());
    let answer = server.respond(&client.hello()).unwrap();
    let (last, mut client) = client.finish(&answer, &network.trust, NOW_S, PAYLOAD).unwrap();
    let (_, _, mut server) = server.finish(&last).unwrap();
    let first = client.encrypt(b"first").unwrap();
    let second = client.encrypt(b"second").unwrap();
    assert_eq!(server.decrypt(&second), Err(NoiseError::Authentication));
    server.decrypt(&first).unwrap();
    assert_eq!(server.decrypt(&first), Err(NoiseError::Authentication));
    server.decrypt(&second).unwrap();
}

#[test]
fn another_header_is_another_handshake() {
    let mut network = Network::new(3);
    let client = Initiator::new(network.client.clone(), [0x57, 0x41, 6, 2], &mut network.rng);
    let mut server = network.responder();
    let answer = server.respond(&client.hello()).unwrap();
    let outcome = client.finish(&answer, &network.trust, NOW_S, PAYLOAD);
    assert_eq!(outcome.unwrap_err(), NoiseError::Authentication);
}

#[test]
fn a_chain_that_proves_nothing_stops_the_login() {
    let check = |spoil: fn(&mut Network), expected: CertificateError| {
        let mut network = Network::new(4);
        spoil(&mut network);
        assert_eq!(network.client_outcome(), Err(NoiseError::Certificate(expected)));
    };
    check(
        |network| network.trust = RootKey::from_private([9; 32]).trust(),
        CertificateError::WrongRoot,
    );
    check(
        |network| network.trust = CertificateTrust { root: certificate::META_ROOT },
        CertificateError::WrongRoot,
    );
    check(
        |network| network.draft.leaf_key = KeyPair::from_private([9; 32]).public(),
        CertificateError::WrongLeafKey,
    );
    let (not_after_s, not_before_s) = (NOW_S - 1, NOW_S + 1);
    check(
        |network| network.draft.leaf.not_after_s = Some(NOW_S - 1),
        CertificateError::Expired { rank: Rank::Leaf, not_after_s },
    );
    check(
        |network| network.draft.intermediate.not_after_s = Some(NOW_S - 1),
        CertificateError::Expired { rank: Rank::Intermediate, not_after_s },
    );
    check(
        |network| network.draft.leaf.not_before_s = Some(NOW_S + 1),
        CertificateError::NotYetValid { rank: Rank::Leaf, not_before_s },
    );
    check(
        |network| network.draft.intermediate.not_before_s = Some(NOW_S + 1),
        CertificateError::NotYetValid { rank: Rank::Intermediate, not_before_s },
    );
}

#[test]
fn the_first_and_the_last_second_of_a_certificate_count() {
    let mut network = Network::new(5);
    let only_now = Validity { not_before_s: Some(NOW_S), not_after_s: Some(NOW_S) };
    (network.draft.leaf, network.draft.intermediate) = (only_now, only_now);
    assert_eq!(network.client_outcome(), Ok(()));
}

#[test]
fn garbage_and_wrong_order_are_refused() {
    let mut network = Network::new(6);
    let mut server = network.responder();
    assert!(matches!(server.respond(b"\xff"), Err(NoiseError::Malformed { .. })));
    assert_eq!(server.respond(b"again"), Err(NoiseError::OutOfOrder));
    let early = network.responder();
    assert_eq!(early.finish(b"").unwrap_err(), NoiseError::OutOfOrder);

    let outcome = network.initiator().finish(b"", &network.trust, NOW_S, PAYLOAD);
    assert_eq!(outcome.unwrap_err(), NoiseError::Malformed { what: "server hello" });
}

#[test]
fn a_degenerate_key_is_refused() {
    let key = KeyPair::from_private([1; 32]);
    assert_eq!(key.agree(&[0; 32]).unwrap_err(), NoiseError::DegenerateKey);
}

#[test]
fn no_key_shows_in_debug() {
    let mut network = Network::new(7);
    assert_eq!(format!("{:?}", network.server), "KeyPair(…)");
    assert_eq!(format!("{:?}", network.root), "RootKey(KeyPair(…))");
    assert_eq!(format!("{:?}", network.initiator()), "Initiator { .. }");
    assert_eq!(format!("{:?}", network.responder()), "Responder { responded: false, .. }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever byte of the three messages changes, no end believes the other.
    #[test]
    fn a_tampered_handshake_fails(which in 0_usize..3, place in any::<u16>(), flip in 1_u8..) {
        let mut network = Network::new(8);
        let tamper = |message: usize, bytes: &mut Vec<u8>| {
            if message == which {
                let place = usize::from(place) % bytes.len();
                bytes[place] ^= flip;
            }
        };
        let (client, mut server) = (network.initiator(), network.responder());
        let mut hello = client.hello();
        tamper(0, &mut hello);
        let Ok(mut answer) = server.respond(&hello) else { return Ok(()) };
        tamper(1, &mut answer);
        match client.finish(&answer, &network.trust, NOW_S, PAYLOAD) {
            Err(_) => prop_assert!(which < 2),
            Ok((mut last, _)) => {
                prop_assert_eq!(which, 2);
                tamper(2, &mut last);
                prop_assert!(server.finish(&last).is_err());
            }
        }
    }
}
