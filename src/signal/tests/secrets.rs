//! No secret and no name shows in what is printed.

use super::party::Party;
use crate::signal::{Ciphertext, CiphertextKind, OfferedKeys, PreKey, stores::nameless};

/// `bytes` as `Debug` prints a list of them, and as hexadecimal.
fn forms(bytes: &[u8]) -> [String; 2] {
    let list = format!("{bytes:?}");
    let mut hex = format!("{bytes:02x?}");
    hex.retain(|character| character.is_ascii_hexdigit());
    [list.trim_matches(['[', ']']).to_owned(), hex]
}

#[test]
fn debug_output_shows_no_secret() {
    let (mut anna, mut ben) = Party::in_session();
    let prekey = PreKey::generate(5, &mut anna.rng).unwrap();
    let sent = ben.send(b"the plaintext");
    let advance = anna.try_receive(&sent).unwrap();
    let mut bundle = ben.bundle(true);
    bundle.registration_id = 1;
    let keys = OfferedKeys { signed: Some(&anna.signed), one_time: Some(&prekey) };
    let printed = format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        anna.us,
        keys,
        anna.peer,
        bundle,
        advance,
        sent,
        anna.identity(),
    );

    let identity = anna.us.to_bytes();
    let signed = anna.signed.to_bytes();
    let one_time = prekey.to_bytes();
    // Each stored form holds its private key after version, id and time.
    let private_keys = [&identity[5..37], &signed[13..45], &one_time[5..37]];
    let record = &anna.record.as_ref().unwrap().as_bytes()[..64];
    for secret in private_keys.into_iter().chain([record, b"the plaintext"]) {
        for form in forms(secret) {
            assert!(!printed.contains(&form));
        }
    }
    assert!(!printed.contains("the plaintext"));
    assert!(!printed.contains(&anna.peer.name));
    insta::assert_snapshot!("debug_of_everything", printed);
}

#[test]
fn the_library_never_learns_a_name() {
    let anna = Party::new(1);
    assert!(!format!("{:?} {0}", nameless(&anna.peer)).contains(&anna.peer.name));
}

#[test]
fn errors_show_no_name() {
    let (mut anna, ben) = Party::in_session();
    let sent = Ciphertext { kind: CiphertextKind::Message, bytes: anna.send(b"x").bytes };
    let mut other = Party::new(9);
    let refused = other.receive(&sent).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains(&ben.peer.name));
}

#[test]
fn a_ciphertext_is_stored_as_text_and_read_back() {
    let sent = Ciphertext { kind: CiphertextKind::PreKey, bytes: vec![0x33, 0x00, 0xff] };
    let text = serde_json::to_string(&sent).unwrap();
    assert_eq!(text, r#"{"kind":"pkmsg","bytes":"MwD/"}"#);
    assert_eq!(serde_json::from_str::<Ciphertext>(&text).unwrap(), sent);
    assert!(serde_json::from_str::<Ciphertext>(r#"{"kind":"skmsg","bytes":""}"#).is_err());
    assert!(serde_json::from_str::<Ciphertext>(r#"{"kind":"msg","bytes":"!"}"#).is_err());
    for kind in [CiphertextKind::PreKey, CiphertextKind::Message] {
        assert_eq!(CiphertextKind::from_name(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
    }
    assert_eq!(CiphertextKind::from_name("skmsg"), None);
}
