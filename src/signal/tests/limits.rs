//! Every limit, at it and one past it.

use wacore_libsignal::protocol::{SignalMessage, consts::MAX_FORWARD_JUMPS};

use super::party::Party;
use crate::signal::{
    Ciphertext, CiphertextKind, DecryptError, EncryptError, EstablishError, KeyError,
    MAX_CIPHERTEXT_BYTES, MAX_PLAINTEXT_BYTES, MAX_PREKEY_ID, MAX_RECORD_BYTES,
    MAX_REGISTRATION_ID, PreKey, SignedPreKey, establish,
};

#[test]
fn the_longest_plaintext_makes_a_ciphertext_that_is_still_read() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    let longest = vec![b'x'; MAX_PLAINTEXT_BYTES];
    let sent = anna.send(&longest);
    assert_eq!(sent.kind, CiphertextKind::PreKey, "the longer of the two kinds");
    assert!(sent.bytes.len() <= MAX_CIPHERTEXT_BYTES);
    assert!(ben.receive(&sent).unwrap() == longest);

    let got = MAX_PLAINTEXT_BYTES + 1;
    assert_eq!(anna.try_send(&vec![0; got]).unwrap_err(), EncryptError::TooLarge { got });
}

#[test]
fn a_longer_ciphertext_is_not_looked_at() {
    let (anna, _) = Party::in_session();
    for kind in [CiphertextKind::PreKey, CiphertextKind::Message] {
        let mut sent = Ciphertext { kind, bytes: vec![0; MAX_CIPHERTEXT_BYTES] };
        assert_eq!(anna.try_receive(&sent).unwrap_err(), DecryptError::Malformed);
        sent.bytes.push(0);
        let got = MAX_CIPHERTEXT_BYTES + 1;
        assert_eq!(anna.try_receive(&sent).unwrap_err(), DecryptError::TooLarge { got });
    }
}

#[test]
fn prekey_ids_fit_three_bytes() {
    let (mut anna, mut ben) = Party::pair();
    let id = MAX_PREKEY_ID + 1;
    let too_large = KeyError::IdTooLarge { id };
    assert_eq!(PreKey::generate(MAX_PREKEY_ID, &mut anna.rng).unwrap().id(), MAX_PREKEY_ID);
    assert_eq!(PreKey::generate(id, &mut anna.rng).unwrap_err(), too_large);
    assert!(SignedPreKey::generate(MAX_PREKEY_ID, &anna.us, 0, &mut anna.rng).is_ok());
    let refused = SignedPreKey::generate(id, &anna.us, 0, &mut anna.rng);
    assert_eq!(refused.unwrap_err(), too_large);

    let genuine = ben.bundle(true);
    let mut at_limit = genuine.clone();
    at_limit.signed_prekey_id = MAX_PREKEY_ID;
    at_limit.prekey = genuine.prekey.map(|(_, key)| (MAX_PREKEY_ID, key));
    anna.establish(&at_limit);
    let mut past = [genuine.clone(), genuine.clone()];
    past[0].signed_prekey_id = id;
    past[1].prekey = genuine.prekey.map(|(_, key)| (id, key));
    for bundle in past {
        let refused = establish(&anna.us, &anna.peer, None, None, &bundle, &mut anna.rng);
        assert_eq!(refused.unwrap_err(), EstablishError::Malformed);
    }
}

#[test]
fn registration_ids_are_fourteen_bits_and_never_zero() {
    for seed in 0..64 {
        let id = Party::new(seed).us.registration_id();
        assert!((1..=MAX_REGISTRATION_ID).contains(&id));
    }
}

#[test]
fn as_many_messages_may_be_skipped_as_the_network_allows() {
    let (mut anna, mut ben) = Party::in_session();
    let first = anna.send(b"first");
    for _ in 0..MAX_FORWARD_JUMPS {
        let _lost = anna.send(b"lost");
    }
    let too_far = anna.send(b"too far");
    // From the first message on, this one skips one more than is allowed.
    assert_eq!(ben.receive(&too_far).unwrap_err(), DecryptError::Authentication);
    // Once the first is read, it skips exactly as many.
    assert_eq!(ben.receive(&first).unwrap(), b"first");
    assert_eq!(ben.receive(&too_far).unwrap(), b"too far");
}

#[test]
fn no_counter_is_skipped_by_storing_and_loading() {
    let (mut anna, _ben) = Party::in_session();
    for counter in 0..200 {
        let sent = anna.send(b"text");
        let message = SignalMessage::try_from(sent.bytes.as_slice()).unwrap();
        assert_eq!(message.counter(), counter);
    }
}

#[test]
fn a_record_lets_go_of_its_oldest_sessions_before_it_grows_too_large() {
    let (mut anna, mut ben) = Party::pair();
    let mut late = Vec::new();
    for _ in 0..16 {
        let bundle = ben.bundle(true);
        anna.establish(&bundle);
        late.push(anna.send(b"late"));
        for _ in 0..1_900 {
            let _lost = anna.send(b"lost");
        }
        let sent = anna.send(b"read");
        assert_eq!(ben.receive(&sent).unwrap(), b"read");
        assert!(ben.record.as_ref().unwrap().as_bytes().len() <= MAX_RECORD_BYTES);
        // So far the last session's keys are kept, however many sessions there were before.
        let newest = late.last().expect("pushed above");
        assert_eq!(ben.try_receive(newest).unwrap().output, b"late");
    }
    assert!(matches!(ben.receive(&late[0]), Err(DecryptError::MissingPreKey { .. })));
    assert_eq!(ben.receive(&late[15]).unwrap(), b"late");
}
