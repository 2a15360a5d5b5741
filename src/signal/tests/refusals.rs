//! What is refused, with which error, and that a refusal leaves the record as good as before.

use super::party::Party;
use crate::signal::{
    Ciphertext, CiphertextKind, DecryptError, EncryptError, EstablishError, KeyError, OfferedKeys,
    OurIdentity, PreKey, Retry, SessionRecord, SignedPreKey, decrypt, establish, sign, verify,
};

#[test]
fn no_altered_byte_of_a_message_is_accepted() {
    let (mut anna, mut ben) = Party::in_session();
    let sent = anna.send(b"a message long enough for two blocks");
    assert_eq!(sent.kind, CiphertextKind::Message);
    for index in 0..sent.bytes.len() {
        let mut altered = sent.clone();
        altered.bytes[index] ^= 0x01;
        let refused = ben.receive(&altered).unwrap_err();
        assert!(
            matches!(refused, DecryptError::Authentication | DecryptError::Malformed),
            "byte {index}: {refused}"
        );
    }
    assert_eq!(ben.receive(&sent).unwrap(), b"a message long enough for two blocks");
}

#[test]
fn no_altered_byte_of_an_opening_message_changes_what_is_read() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    let sent = anna.send(b"hello");
    let mut accepted = Vec::new();
    for index in 0..sent.bytes.len() {
        let mut altered = sent.clone();
        altered.bytes[index] ^= 0x01;
        // Nothing authenticates the sender's registration id (two bytes here), nor the newest version that
        // the sender claims to know (half of the first byte).
        if let Ok(advance) = ben.try_receive(&altered) {
            assert_eq!(advance.output, b"hello", "byte {index}");
            assert_eq!(advance.identity.key(), anna.identity(), "byte {index}");
            accepted.push(index);
        }
    }
    assert!(
        accepted.len() <= 3,
        "altered bytes were accepted: {accepted:?} of {:02x?}",
        sent.bytes
    );
    assert_eq!(ben.receive(&sent).unwrap(), b"hello");
}

#[test]
fn a_missing_prekey_is_named() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    let (id, _) = bundle.prekey.expect("asked for one");
    anna.establish(&bundle);
    let sent = anna.send(b"hello");
    let refused = |keys: &OfferedKeys<'_>| {
        let mut rng = ben.fork();
        decrypt(&ben.us, &ben.peer, None, None, keys, &sent, &mut rng).unwrap_err()
    };
    let other = SignedPreKey::generate(8, &ben.us, 0, &mut ben.fork()).unwrap();
    let other_one_time = PreKey::generate(99, &mut ben.fork()).unwrap();
    let one_time = ben.prekeys.get(&id);
    let signed = Some(&ben.signed);
    assert_eq!(
        refused(&OfferedKeys { signed: None, one_time }),
        DecryptError::MissingSignedPreKey { id: 7 }
    );
    assert_eq!(
        refused(&OfferedKeys { signed: Some(&other), one_time }),
        DecryptError::MissingSignedPreKey { id: 7 }
    );
    let missing = DecryptError::MissingPreKey { id };
    assert_eq!(refused(&OfferedKeys { signed, one_time: None }), missing);
    assert_eq!(refused(&OfferedKeys { signed, one_time: Some(&other_one_time) }), missing);
    assert_eq!(missing.retry(), Retry::AskPeer);
    assert_eq!(DecryptError::Duplicate.retry(), Retry::Never);
    assert_eq!(ben.receive(&sent).unwrap(), b"hello");
}

#[test]
fn a_message_without_its_session_is_refused() {
    let (mut anna, mut ben) = Party::in_session();
    let sent = anna.send(b"hello");
    let record = ben.record.take();
    assert_eq!(ben.receive(&sent).unwrap_err(), DecryptError::NoSession);
    // Another session than the message's.
    let (_, mut stranger) = (Party::new(5), Party::new(6));
    let bundle = stranger.bundle(true);
    ben.establish(&bundle);
    assert_eq!(ben.receive(&sent).unwrap_err(), DecryptError::Authentication);
    ben.record = record;
    ben.known = Some(anna.identity());
    assert_eq!(ben.receive(&sent).unwrap(), b"hello");
}

#[test]
fn garbage_is_malformed() {
    let (anna, _) = Party::in_session();
    for kind in [CiphertextKind::PreKey, CiphertextKind::Message] {
        for bytes in [&b""[..], b"\x33", b"\x33\x01\x02", &[0x33; 64], &[0xff; 64], &[0x44; 64]] {
            let garbage = Ciphertext { kind, bytes: bytes.to_vec() };
            assert_eq!(anna.try_receive(&garbage).unwrap_err(), DecryptError::Malformed);
        }
    }
}

#[test]
fn a_message_under_the_wrong_kind_is_refused() {
    let (mut anna, mut ben) = Party::in_session();
    let mut sent = anna.send(b"hello");
    sent.kind = CiphertextKind::PreKey;
    assert_eq!(ben.receive(&sent).unwrap_err(), DecryptError::Malformed);
    sent.kind = CiphertextKind::Message;
    assert_eq!(ben.receive(&sent).unwrap(), b"hello");
}

#[test]
fn a_damaged_record_is_told_from_a_bad_message() {
    let (mut anna, mut ben) = Party::in_session();
    let sent = anna.send(b"hello");
    let bundle = ben.bundle(true);
    anna.record = Some(SessionRecord::from_bytes(vec![0xff; 16]));
    ben.record = anna.record.clone();
    assert_eq!(ben.receive(&sent).unwrap_err(), DecryptError::DamagedRecord);
    assert_eq!(anna.try_send(b"hello").unwrap_err(), EncryptError::DamagedRecord);
    let refused =
        establish(&anna.us, &anna.peer, anna.record.as_ref(), None, &bundle, &mut anna.fork());
    assert_eq!(refused.unwrap_err(), EstablishError::DamagedRecord);
}

#[test]
fn a_bundle_must_be_signed_by_its_identity() {
    let (anna, mut ben) = Party::pair();
    let refused = |bundle| {
        let mut rng = anna.fork();
        establish(&anna.us, &anna.peer, None, None, &bundle, &mut rng).unwrap_err()
    };
    let mut altered = ben.bundle(true);
    altered.signature[10] ^= 1;
    assert_eq!(refused(altered), EstablishError::BadSignature);
    let mut altered = ben.bundle(true);
    altered.identity = anna.us.public_key();
    assert_eq!(refused(altered), EstablishError::BadSignature);
    let mut altered = ben.bundle(true);
    altered.signed_prekey[0] ^= 1;
    assert_eq!(refused(altered), EstablishError::BadSignature);
}

#[test]
fn a_signature_holds_for_its_message_and_its_signer_only() {
    let (mut anna, ben) = Party::pair();
    let signature = sign(&anna.us, b"statement", &mut anna.rng).unwrap();
    assert!(verify(&anna.identity(), b"statement", &signature));
    assert!(!verify(&anna.identity(), b"Statement", &signature));
    assert!(!verify(&ben.identity(), b"statement", &signature));
    let mut altered = signature;
    altered[0] ^= 1;
    assert!(!verify(&anna.identity(), b"statement", &altered));
}

#[test]
fn keys_come_back_from_their_stored_form_and_nothing_else_does() {
    let mut anna = Party::new(1);
    let prekey = PreKey::generate(5, &mut anna.rng).unwrap();

    let us = OurIdentity::from_bytes(&anna.us.to_bytes()).unwrap();
    assert_eq!(us.public_key(), anna.us.public_key());
    assert_eq!(us.registration_id(), anna.us.registration_id());
    let signed = SignedPreKey::from_bytes(&anna.signed.to_bytes()).unwrap();
    assert_eq!((signed.id(), signed.timestamp_ms()), (7, 1_700_000_000_000));
    assert_eq!(signed.public(), anna.signed.public());
    assert_eq!(signed.signature(), anna.signed.signature());
    let again = PreKey::from_bytes(&prekey.to_bytes()).unwrap();
    assert_eq!((again.id(), again.public()), (5, prekey.public()));

    for stored in [anna.us.to_bytes(), anna.signed.to_bytes(), prekey.to_bytes()] {
        let mut long = stored.to_vec();
        long.push(0);
        let mut newer = stored.to_vec();
        newer[0] = 2;
        for wrong in [&[][..], &stored[..stored.len() - 1], &long, &newer] {
            assert_eq!(OurIdentity::from_bytes(wrong).unwrap_err(), KeyError::Malformed);
            assert_eq!(SignedPreKey::from_bytes(wrong).unwrap_err(), KeyError::Malformed);
            assert_eq!(PreKey::from_bytes(wrong).unwrap_err(), KeyError::Malformed);
        }
    }
}
