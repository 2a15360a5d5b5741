//! A peer that comes back with another identity, and what still travels of the old one.

use super::party::Party;
use crate::signal::{CiphertextKind, DecryptError, EncryptError, IdentityStep};

/// Ben after a new installation: another identity and other keys, and no memory.
fn reinstalled() -> Party {
    Party::new(3)
}

#[test]
fn a_session_opened_under_a_new_identity_is_read_and_reported() {
    let (mut anna, _old_ben) = Party::in_session();
    let mut ben = reinstalled();
    let bundle = anna.bundle(true);
    ben.establish(&bundle);
    let opening = ben.send(b"it is me");
    let (text, step) = anna.receive_with_step(&opening).unwrap();
    assert_eq!(text, b"it is me");
    assert_eq!(step, IdentityStep::Changed { new: ben.identity() });
    let again = ben.send(b"again");
    let (_, step) = anna.receive_with_step(&again).unwrap();
    assert_eq!(step, IdentityStep::Same(ben.identity()), "it is reported once");
}

#[test]
fn a_bundle_of_a_new_identity_is_accepted_and_reported() {
    let (mut anna, _old_ben) = Party::in_session();
    let mut ben = reinstalled();
    let bundle = ben.bundle(true);
    assert_eq!(anna.establish_with_step(&bundle), IdentityStep::Changed { new: ben.identity() });
    let opening = anna.send(b"hello again");
    assert_eq!(ben.receive(&opening).unwrap(), b"hello again");
}

#[test]
fn nothing_is_encrypted_for_an_identity_that_the_peer_no_longer_has() {
    let (mut anna, _old_ben) = Party::in_session();
    anna.known = Some(reinstalled().identity());
    assert_eq!(anna.try_send(b"secret").unwrap_err(), EncryptError::IdentityMismatch);
}

#[test]
fn a_late_message_of_the_old_identity_is_read_and_turns_nothing_back() {
    let (mut anna, mut old_ben) = Party::in_session();
    let late = [old_ben.send(b"late"), old_ben.send(b"later")];
    let mut ben = reinstalled();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    for (sent, text) in late.iter().zip([&b"late"[..], b"later"]) {
        let (read, step) = anna.receive_with_step(sent).unwrap();
        assert_eq!(read, text);
        assert_eq!(step, IdentityStep::Same(ben.identity()));
    }
    // The new session has not been confirmed yet, and still opens itself to the peer.
    let opening = anna.send(b"to the new one");
    assert_eq!(opening.kind, CiphertextKind::PreKey);
    assert_eq!(ben.receive(&opening).unwrap(), b"to the new one");
    assert_eq!(anna.receive(&late[0]).unwrap_err(), DecryptError::Duplicate);
}

#[test]
fn a_late_message_is_read_although_only_a_notice_told_of_the_new_identity() {
    let (mut anna, mut old_ben) = Party::in_session();
    let late = old_ben.send(b"late");
    let new = reinstalled().identity();
    anna.known = Some(new);
    let (text, step) = anna.receive_with_step(&late).unwrap();
    assert_eq!((text.as_slice(), step), (&b"late"[..], IdentityStep::Same(new)));
}

#[test]
fn a_forged_identity_around_a_message_of_a_session_is_refused() {
    let (mut anna, mut ben) = Party::pair();
    let bundle = ben.bundle(true);
    anna.establish(&bundle);
    let (first, second) = (anna.send(b"one"), anna.send(b"two"));
    ben.receive(&first).unwrap();

    let genuine = anna.us.public_key();
    let mut forged = second.clone();
    let at = forged.bytes.windows(32).position(|bytes| bytes == genuine).expect("it is carried");
    forged.bytes.splice(at..at + 32, reinstalled().us.public_key());
    assert_eq!(ben.receive(&forged).unwrap_err(), DecryptError::Authentication);
    assert_eq!(ben.receive(&second).unwrap(), b"two");
}
