use proptest::{collection::vec, prelude::*};

use super::*;

fn login() -> InteropLogin {
    InteropLogin {
        account: 10_501_234_567,
        token: b"header.claims.signature".to_vec(),
        read_receipts: true,
        push_name: Some(Personal("Ana".to_owned())),
        version: Version { primary: 1, secondary: 0, tertiary: 3 },
    }
}

#[test]
fn an_interop_login_is_written_with_the_field_numbers_of_the_network() {
    let bytes = login().encode().unwrap();
    // product (20) = 2; interopData (38) { accountID (1), token (2), enableReadReceipts (3) }.
    let product = b"\xa0\x01\x02".as_slice();
    let data = b"\xb2\x02\x21\x08\x87\xbf\xb0\x8f\x27\x12\x17header.claims.signature\x18\x01";
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(product));
    assert!(holds(data));
    assert_eq!(Login::parse(&bytes), Ok(Login::Interop(login())));
}

#[test]
fn a_token_has_a_limit() {
    let with = |length: usize| InteropLogin { token: vec![b'a'; length], ..login() };
    let longest = with(MAX_TOKEN);
    assert_eq!(Login::parse(&longest.encode().unwrap()), Ok(Login::Interop(longest)));
    let length = MAX_TOKEN + 1;
    assert_eq!(with(length).encode(), Err(PayloadError::TokenTooLong { length }));
    let too_long = ClientPayload {
        product: Some(Product::INTEROP),
        interop_data: MessageField::some(InteropData {
            account_id: Some(1),
            token: Some(vec![b'a'; length]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let parsed = Login::parse(&client_payload_to_vec(&too_long));
    assert_eq!(parsed, Err(PayloadError::TokenTooLong { length }));
}

#[test]
fn ordinary_logins_are_understood() {
    let device = ClientPayload {
        username: Some(4_912_345),
        device: Some(3),
        passive: Some(true),
        ..Default::default()
    };
    let expected = DeviceLogin { username: 4_912_345, device: 3, passive: true };
    assert_eq!(Login::parse(&client_payload_to_vec(&device)), Ok(Login::Device(expected)));

    let registration = DevicePairingRegistrationData {
        e_regid: Some(vec![0, 0, 1, 2]),
        e_keytype: Some(vec![5]),
        e_ident: Some(vec![1; 32]),
        e_skey_id: Some(vec![0, 0, 7]),
        e_skey_val: Some(vec![2; 32]),
        e_skey_sig: Some(vec![3; 64]),
        ..Default::default()
    };
    let pairing = |registration| {
        let device_pairing_data = MessageField::some(registration);
        let payload = ClientPayload { device_pairing_data, ..Default::default() };
        Login::parse(&client_payload_to_vec(&payload))
    };
    let expected = Pairing {
        registration_id: 258,
        identity: [1; 32],
        signed_prekey_id: 7,
        signed_prekey: [2; 32],
        signature: [3; 64],
        device_props: Vec::new(),
    };
    assert_eq!(pairing(registration.clone()), Ok(Login::Pairing(expected)));
    let short = DevicePairingRegistrationData { e_ident: Some(vec![1; 31]), ..registration };
    let what = "an identity key of 32 bytes";
    assert_eq!(pairing(short), Err(PayloadError::Missing { what }));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(Login::parse(b"\xff"), Err(PayloadError::NotAPayload));
    assert_eq!(Login::parse(b""), Err(PayloadError::Missing { what: "a username" }));
    let product = b"\xa0\x01\x02";
    assert_eq!(Login::parse(product), Err(PayloadError::Missing { what: "interop data" }));
}

#[test]
fn debug_shows_no_token_and_no_number() {
    let shown = format!("{:?}", Login::Interop(login()));
    assert!(!shown.contains("10501234567") && !shown.contains("header"), "{shown}");
    let device = DeviceLogin { username: 4_912_345, device: 3, passive: true };
    assert_eq!(format!("{device:?}"), "DeviceLogin { device: 3, passive: true, .. }");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        Login::parse(&bytes).ok();
    }
}
