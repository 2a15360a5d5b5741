//! Our Signal steps against the official library, which runs as a separate process.
//!
//! `tests/peers/install` puts the library where this test looks for it. Without it the test fails: a check
//! that is skipped proves nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod oracle;
mod ours;

use causeway::signal::{
    CiphertextKind, DecryptError, FingerprintParty, RemoteIdentityKey, safety_number, sign, verify,
};
use oracle::Oracle;
use ours::Ours;

#[test]
fn a_session_that_we_open_is_read_both_ways() {
    for with_prekey in [true, false] {
        let mut theirs = Oracle::start();
        let mut ours = Ours::new();
        ours.establish(&theirs.bundle(with_prekey));
        for text in ["one", "two"] {
            let sent = ours.send(text);
            assert_eq!(sent.kind, CiphertextKind::PreKey);
            let (read, prekeys_left) = theirs.read(&sent).unwrap();
            assert_eq!(read, text);
            assert_eq!(prekeys_left, 0, "the official library used up the prekey that we named");
        }
        let answer = theirs.send("three");
        assert_eq!(answer.kind, CiphertextKind::Message);
        assert_eq!(ours.receive(&answer).unwrap(), "three");
        let confirmed = ours.send("four");
        assert_eq!(confirmed.kind, CiphertextKind::Message);
        assert_eq!(theirs.read(&confirmed).unwrap().0, "four");
        ping_pong(&mut ours, &mut theirs);
    }
}

#[test]
fn a_session_that_they_open_is_read_both_ways() {
    for with_prekey in [true, false] {
        let mut theirs = Oracle::start();
        let mut ours = Ours::new();
        theirs.establish(&ours.bundle(with_prekey)).unwrap();
        for text in ["one", "two"] {
            let sent = theirs.send(text);
            assert_eq!(sent.kind, CiphertextKind::PreKey);
            assert_eq!(ours.receive(&sent).unwrap(), text);
        }
        assert_eq!(ours.known(), Some(theirs.identity()));
        assert!(ours.prekeys_are_spent());
        let answer = ours.send("three");
        assert_eq!(answer.kind, CiphertextKind::Message);
        assert_eq!(theirs.read(&answer).unwrap().0, "three");
        assert_eq!(theirs.send("four").kind, CiphertextKind::Message);
        ping_pong(&mut ours, &mut theirs);
    }
}

fn ping_pong(ours: &mut Ours, theirs: &mut Oracle) {
    for round in 0..10 {
        let ping = format!("ping {round}, with more than one block of text \u{1f98a}");
        let sent = ours.send(&ping);
        assert_eq!(theirs.read(&sent).unwrap().0, ping);
        let pong = format!("pong {round}");
        let sent = theirs.send(&pong);
        assert_eq!(ours.receive(&sent).unwrap(), pong);
    }
}

#[test]
fn both_may_open_a_session_at_once() {
    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    let (of_theirs, of_ours) = (theirs.bundle(true), ours.bundle(true));
    ours.establish(&of_theirs);
    theirs.establish(&of_ours).unwrap();
    let (from_us, from_them) = (ours.send("from us"), theirs.send("from them"));
    assert_eq!(theirs.read(&from_us).unwrap().0, "from us");
    assert_eq!(ours.receive(&from_them).unwrap(), "from them");
    ping_pong(&mut ours, &mut theirs);
}

#[test]
fn five_messages_are_read_in_any_order_both_ways() {
    let (mut ours, mut theirs) = in_session();
    let texts = ["zero", "one", "two", "three", "four"];
    let order = [3, 0, 4, 2, 1];

    let sent = texts.map(|text| ours.send(text));
    for index in order {
        assert_eq!(theirs.read(&sent[index]).unwrap().0, texts[index]);
    }
    let sent = texts.map(|text| theirs.send(text));
    for index in order {
        assert_eq!(ours.receive(&sent[index]).unwrap(), texts[index]);
    }
    ping_pong(&mut ours, &mut theirs);
}

#[test]
fn neither_reads_a_message_twice() {
    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    theirs.establish(&ours.bundle(true)).unwrap();
    let opening = theirs.send("opening");
    ours.receive(&opening).unwrap();
    assert_eq!(ours.receive(&opening), Err(DecryptError::Duplicate));
    let answer = ours.send("answer");
    theirs.read(&answer).unwrap();
    assert_duplicate(&theirs.read(&answer));
    let message = theirs.send("message");
    ours.receive(&message).unwrap();
    assert_eq!(ours.receive(&message), Err(DecryptError::Duplicate));
    ping_pong(&mut ours, &mut theirs);

    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    ours.establish(&theirs.bundle(true));
    let opening = ours.send("opening");
    theirs.read(&opening).unwrap();
    assert_duplicate(&theirs.read(&opening));
}

fn assert_duplicate(read: &Result<(String, u64), String>) {
    let refusal = read.as_ref().unwrap_err();
    assert!(refusal.starts_with("DuplicatedMessage"), "{refusal}");
}

#[test]
fn neither_reads_an_altered_message_and_both_read_the_genuine_one_after_it() {
    let (mut ours, mut theirs) = in_session();
    let (from_us, from_them) = (ours.send("from us"), theirs.send("from them"));
    for from_the_end in [1, 9, 20] {
        let mut altered = from_us.clone();
        let at = altered.bytes.len() - from_the_end;
        altered.bytes[at] ^= 1;
        let refusal = theirs.read(&altered).unwrap_err();
        assert!(refusal.contains("decryption failed"), "{refusal}");
        let mut altered = from_them.clone();
        let at = altered.bytes.len() - from_the_end;
        altered.bytes[at] ^= 1;
        assert_eq!(ours.receive(&altered), Err(DecryptError::Authentication));
    }
    assert_eq!(theirs.read(&from_us).unwrap().0, "from us");
    assert_eq!(ours.receive(&from_them).unwrap(), "from them");
}

#[test]
fn a_session_is_reset_over_a_live_one() {
    let (mut ours, mut theirs) = in_session();
    let late = theirs.send("late");
    ours.establish(&theirs.bundle(true));
    let fresh = ours.send("fresh");
    assert_eq!(fresh.kind, CiphertextKind::PreKey);
    assert_eq!(theirs.read(&fresh).unwrap().0, "fresh");
    assert_eq!(ours.receive(&late).unwrap(), "late");
    ping_pong(&mut ours, &mut theirs);
}

#[test]
fn signatures_hold_on_the_other_side() {
    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    let message = b"a statement to be signed";
    let signature = sign(&ours.us, message, &mut ours.rng).unwrap();
    let our_key = RemoteIdentityKey::from_bytes(ours.us.public_key());
    assert!(theirs.verify(&our_key, message, &signature));
    assert!(!theirs.verify(&our_key, b"another statement", &signature));
    let mut altered = signature;
    altered[40] ^= 1;
    assert!(!theirs.verify(&our_key, message, &altered));

    let signature = theirs.sign(message);
    assert!(verify(&theirs.identity(), message, &signature));
    assert!(!verify(&theirs.identity(), b"another statement", &signature));
    let mut altered = signature;
    altered[40] ^= 1;
    assert!(!verify(&theirs.identity(), message, &altered));
}

#[test]
fn the_safety_number_is_the_same_on_both_sides() {
    let mut theirs = Oracle::start();
    let ours = Ours::new();
    let our_key = RemoteIdentityKey::from_bytes(ours.us.public_key());
    for (our_id, their_id) in
        [("12-10501234567@interop", "33612345678@s.whatsapp.net"), ("+14152222222", "+14153333333")]
    {
        let us = FingerprintParty { key: our_key, id: our_id.as_bytes() };
        let them = FingerprintParty { key: theirs.identity(), id: their_id.as_bytes() };
        let number = safety_number(us, them);
        assert_eq!(number, theirs.fingerprint(their_id, &our_key, our_id));
        assert_ne!(number, theirs.fingerprint(our_id, &our_key, their_id));
    }
}

#[test]
fn a_bundle_with_a_bad_signature_is_refused_by_both() {
    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    let mut bundle = theirs.bundle(true);
    bundle.signature[40] ^= 1;
    assert!(ours.try_establish(&bundle).is_err());
    let mut bundle = ours.bundle(true);
    bundle.signature[40] ^= 1;
    let refusal = theirs.establish(&bundle).unwrap_err();
    assert!(refusal.contains("invalid signature"), "{refusal}");
}

fn in_session() -> (Ours, Oracle) {
    let mut theirs = Oracle::start();
    let mut ours = Ours::new();
    ours.establish(&theirs.bundle(true));
    let opening = ours.send("opening");
    theirs.read(&opening).unwrap();
    let answer = theirs.send("answer");
    ours.receive(&answer).unwrap();
    (ours, theirs)
}
