//! Two parties talk through this module alone.

mod identity_change;
mod limits;
mod party;
mod refusals;
mod schedule;
mod secrets;

use super::{
    CiphertextKind, DecryptError, EncryptError, IdentityStep, has_sender_chain, needed_prekeys,
};
use party::Party;

#[test]
fn either_side_opens_the_session_and_both_read() {
    for with_prekey in [true, false] {
        let (mut anna, mut ben) = Party::pair();
        let bundle = ben.bundle(with_prekey);
        assert_eq!(anna.establish_with_step(&bundle), IdentityStep::New(ben.identity()));

        // Until the peer answers, every message can open the session.
        for text in [b"one", b"two"] {
            let sent = anna.send(text);
            assert_eq!(sent.kind, CiphertextKind::PreKey);
            assert_eq!(ben.receive(&sent).unwrap(), text);
        }
        assert_eq!(ben.known, Some(anna.identity()));
        let answer = ben.send(b"three");
        assert_eq!(answer.kind, CiphertextKind::Message);
        assert_eq!(anna.receive(&answer).unwrap(), b"three");
        let confirmed = anna.send(b"four");
        assert_eq!(confirmed.kind, CiphertextKind::Message);
        assert_eq!(ben.receive(&confirmed).unwrap(), b"four");
    }
}

#[test]
fn a_spent_prekey_is_reported_once() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    let (id, _) = bundle.prekey.expect("asked for one");
    anna.establish(&bundle);
    let first = anna.send(b"one");
    let second = anna.send(b"two");

    let needed = needed_prekeys(&first).unwrap().expect("it opens a session");
    assert_eq!((needed.signed, needed.one_time), (ben.signed.id(), Some(id)));
    assert_eq!(needed.identity, anna.identity());
    assert_eq!(ben.try_receive(&first).unwrap().spent_prekey, Some(id));
    ben.receive(&first).unwrap();
    assert!(ben.prekeys.is_empty(), "the party deletes what is spent");
    // The key is gone, yet the session that it opened reads on.
    assert_eq!(ben.try_receive(&second).unwrap().spent_prekey, None);
    let answer = ben.send(b"three");
    assert_eq!(needed_prekeys(&answer).unwrap(), None);
}

#[test]
fn both_sides_may_begin_at_once() {
    let (mut anna, mut ben) = Party::pair();
    let (of_anna, of_ben) = (anna.bundle(true), ben.bundle(true));
    anna.establish(&of_ben);
    ben.establish(&of_anna);
    let from_anna = [anna.send(b"a1"), anna.send(b"a2")];
    let from_ben = [ben.send(b"b1"), ben.send(b"b2")];
    assert_eq!(ben.receive(&from_anna[0]).unwrap(), b"a1");
    assert_eq!(anna.receive(&from_ben[0]).unwrap(), b"b1");
    assert_eq!(ben.receive(&from_anna[1]).unwrap(), b"a2");
    assert_eq!(anna.receive(&from_ben[1]).unwrap(), b"b2");
    for round in 0..6_u8 {
        let sent = anna.send(&[round]);
        assert_eq!(ben.receive(&sent).unwrap(), [round]);
        let answer = ben.send(&[round, round]);
        assert_eq!(anna.receive(&answer).unwrap(), [round, round]);
    }
}

#[test]
fn messages_are_read_in_any_order_and_without_the_lost_ones() {
    let (mut anna, mut ben) = Party::in_session();
    for (from, to) in [(0, 1), (1, 0)] {
        let mut parties = [&mut anna, &mut ben];
        let sent: Vec<_> = (0..5_u8).map(|text| parties[from].send(&[text])).collect();
        // The second is lost for now.
        for index in [4_u8, 0, 3, 2] {
            assert_eq!(parties[to].receive(&sent[usize::from(index)]).unwrap(), [index]);
        }
        let answer = parties[to].send(b"turn");
        parties[from].receive(&answer).unwrap();
        assert_eq!(parties[to].receive(&sent[1]).unwrap(), [1]);
    }
}

#[test]
fn what_was_read_is_a_duplicate_afterwards() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    let opening = anna.send(b"one");
    ben.receive(&opening).unwrap();
    // The one-time prekey is spent and deleted; what matters is that the message was read.
    assert_eq!(ben.receive(&opening).unwrap_err(), DecryptError::Duplicate);
    let answer = ben.send(b"two");
    anna.receive(&answer).unwrap();
    assert_eq!(anna.receive(&answer).unwrap_err(), DecryptError::Duplicate);
    // Also when a later session is in use.
    let again = ben.bundle(true);
    anna.establish(&again);
    let reopening = anna.send(b"three");
    ben.receive(&reopening).unwrap();
    for replayed in [&opening, &reopening] {
        assert_eq!(ben.receive(replayed).unwrap_err(), DecryptError::Duplicate);
    }
    assert_eq!(anna.receive(&answer).unwrap_err(), DecryptError::Duplicate);
}

#[test]
fn a_reset_session_still_reads_what_was_under_way() {
    let (mut anna, mut ben) = Party::in_session();
    let late = ben.send(b"late");
    let bundle = ben.bundle(true);
    assert_eq!(anna.establish_with_step(&bundle), IdentityStep::Same(ben.identity()));
    let fresh = anna.send(b"fresh");
    assert_eq!(fresh.kind, CiphertextKind::PreKey);
    assert_eq!(anna.receive(&late).unwrap(), b"late");
    assert_eq!(ben.receive(&fresh).unwrap(), b"fresh");
    let answer = ben.send(b"answer");
    assert_eq!(anna.receive(&answer).unwrap(), b"answer");
}

#[test]
fn a_step_that_is_not_committed_did_not_happen() {
    let (mut anna, ben) = Party::in_session();
    let sent = anna.send(b"hello");
    for _ in 0..3 {
        let advance = ben.try_receive(&sent).unwrap();
        assert_eq!(advance.output, b"hello");
    }
}

#[test]
fn a_record_says_whether_it_can_encrypt() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    assert!(has_sender_chain(anna.record.as_ref().unwrap()));
    let opening = anna.send(b"one");
    ben.receive(&opening).unwrap();
    assert!(has_sender_chain(ben.record.as_ref().unwrap()));
    let empty = super::SessionRecord::from_bytes(Vec::new());
    assert!(!has_sender_chain(&empty));
    ben.record = Some(empty);
    assert_eq!(ben.try_send(b"two").unwrap_err(), EncryptError::NoSession);
}
