use std::time::Duration;

use causeway_wire::media::{Decryptor, Encryptor, Expected};
use ruma::mxc_uri;

use super::*;
use crate::domain::{
    attachment::{
        Attachment, AttachmentDecryptor, AttachmentEncryptor, AttachmentKeys, EncryptedFile,
        Opening,
    },
    hosting::{LimitOf, MediaRules, Used},
};

const KEY: [u8; MEDIA_KEY_BYTES] = [7; MEDIA_KEY_BYTES];
const KIND: MediaKind = MediaKind::Video;
const SIZES: [usize; 11] = [0, 1, 15, 16, 17, BATCH - 1, BATCH, BATCH + 1, 65_535, 65_536, 65_537];

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + 7) % 256).unwrap()).collect()
}

fn keys(seed: u8) -> AttachmentKeys {
    AttachmentKeys::from_random(&[seed; AttachmentKeys::RANDOM_BYTES])
}

fn attachment(plaintext: &[u8]) -> (Vec<u8>, EncryptedFile) {
    let (mut encryptor, mut ciphertext) = (AttachmentEncryptor::new(keys(1)), Vec::new());
    encryptor.update(plaintext, &mut ciphertext);
    (ciphertext, encryptor.finish().at(mxc_uri!("mxc://example.org/abc").to_owned()))
}

fn opening(file: &EncryptedFile) -> Opening {
    Opening::new(&Attachment::Encrypted(file.clone()))
}

fn network_file(plaintext: &[u8]) -> (Vec<u8>, Described) {
    let (mut encryptor, mut ciphertext) = (Encryptor::new(&KEY, KIND), Vec::new());
    encryptor.update(plaintext, &mut ciphertext).unwrap();
    let hashes = encryptor.finish(&mut ciphertext).unwrap();
    let described = Described {
        kind: KIND,
        media_key: KEY,
        sha256: hashes.file_sha256,
        enc_sha256: hashes.file_enc_sha256,
        length: hashes.file_length,
    };
    (ciphertext, described)
}

/// What came out, and how it ended.
fn through<R: Reencryption>(
    mut machine: R,
    input: &[u8],
    piece: usize,
) -> (Vec<u8>, Result<R::Outcome, MovingError>) {
    let mut out = Vec::new();
    for piece in input.chunks(piece) {
        if let Err(error) = machine.update(piece, &mut out) {
            return (out, Err(error));
        }
    }
    let outcome = machine.finish(&mut out);
    (out, outcome)
}

#[test]
fn an_attachment_becomes_a_file_of_the_network() {
    for (size, piece) in SIZES.into_iter().flat_map(|size| [1000, 65_536].map(|it| (size, it))) {
        let (ciphertext, described) = attachment(&file(size));
        let machine = Outward::new(opening(&described), &KEY, KIND, MAX_MEDIA_BYTES);
        let (sealed, hashes) = through(machine, &ciphertext, piece);
        let hashes = hashes.unwrap();
        assert_eq!(hashes.enc_length, sealed.len() as u64);
        let expected = Expected {
            file_sha256: hashes.file_sha256,
            file_enc_sha256: Some(hashes.file_enc_sha256),
        };
        let (mut decryptor, mut clear) = (Decryptor::new(&KEY, KIND), Vec::new());
        decryptor.update(&sealed, &mut clear).unwrap();
        decryptor.finish(&expected, &mut clear).unwrap();
        assert_eq!(clear, file(size), "{size} bytes in pieces of {piece}");
    }
}

#[test]
fn a_file_that_is_clear_becomes_one_of_the_network_too() {
    let plain = Opening::new(&Attachment::Plain(mxc_uri!("mxc://example.org/abc").to_owned()));
    let machine = Outward::new(plain, &KEY, KIND, MAX_MEDIA_BYTES);
    let (sealed, outcome) = through(machine, &file(100), 7);
    let (expected, described) = network_file(&file(100));
    assert_eq!(sealed, expected);
    assert_eq!(outcome.unwrap().file_sha256, described.sha256);
}

#[test]
fn a_file_of_the_network_becomes_an_attachment() {
    for (size, piece) in SIZES.into_iter().flat_map(|size| [1000, 65_536].map(|it| (size, it))) {
        let (ciphertext, described) = network_file(&file(size));
        let (sealed, outcome) = through(Inward::new(&described, keys(2)), &ciphertext, piece);
        assert_eq!(sealed.len(), size, "an upload's length is known beforehand");
        let attachment = outcome.unwrap().at(mxc_uri!("mxc://example.org/abc").to_owned());
        let (mut decryptor, mut clear) = (AttachmentDecryptor::new(&attachment), Vec::new());
        decryptor.update(&sealed, &mut clear);
        decryptor.finish().unwrap();
        assert_eq!(clear, file(size), "{size} bytes in pieces of {piece}");
    }
}

#[test]
fn a_damaged_attachment_does_not_reach_its_end() {
    let (mut ciphertext, described) = attachment(&file(100));
    ciphertext[50] ^= 1;
    let machine = Outward::new(opening(&described), &KEY, KIND, MAX_MEDIA_BYTES);
    let (out, outcome) = through(machine, &ciphertext, 1000);
    let wrong = MovingError::Attachment(AttachmentError::WrongHash);
    assert_eq!(outcome, Err(wrong));
    assert!(out.len() < 100, "the end stays in");
}

#[test]
fn a_damaged_file_of_the_network_does_not_reach_its_end() {
    let (good, described) = network_file(&file(100));
    let mut changed = good.clone();
    changed[50] ^= 1;
    for (bytes, error) in
        [(&changed[..], MediaError::WrongCiphertextHash), (&good[..64], MediaError::Truncated)]
    {
        let (out, outcome) = through(Inward::new(&described, keys(2)), bytes, 1000);
        assert_eq!(outcome.map(|_| ()), Err(MovingError::Network(error)));
        assert!(out.len() < 100, "the end stays in");
    }
}

#[test]
fn a_file_has_the_length_that_its_message_says() {
    let (ciphertext, described) = network_file(&file(100));
    for length in [0, 15, 99, 101, 111, 5000] {
        let described = Described { length, ..described.clone() };
        let (out, outcome) = through(Inward::new(&described, keys(2)), &ciphertext, 1000);
        assert_eq!(outcome.map(|_| ()), Err(MovingError::WrongLength), "{length}");
        assert!(out.len() < 100, "the end stays in");
    }
}

#[test]
fn an_attachment_has_its_limit_and_not_a_byte_more() {
    let (ciphertext, described) = attachment(&file(100));
    let outcome = |limit| {
        let machine = Outward::new(opening(&described), &KEY, KIND, limit);
        through(machine, &ciphertext, 7).1.map(|_| ())
    };
    assert_eq!(outcome(100), Ok(()));
    assert_eq!(outcome(99), Err(MovingError::TooLong));
}

#[test]
fn the_lowest_limit_counts() {
    let rules =
        |max_bytes, quota_bytes| MediaRules { max_bytes, quota_bytes, keep: Duration::ZERO };
    let told = |ceiling: Ceiling| (ceiling.bytes(), ceiling.limit, ceiling.whose);
    let used = |hosted| Used { hosted, today: 0, today_max: u64::MAX };
    let out = |max, quota, hosted| told(Ceiling::to_network(&rules(max, quota), used(hosted)));
    assert_eq!(out(100, 1000, 0), (100, 100, LimitOf::Bridge));
    assert_eq!(out(u64::MAX, u64::MAX, 0), (MAX_MEDIA_BYTES, MAX_MEDIA_BYTES, LimitOf::Network));
    assert_eq!(out(100, 1000, 926), (63, 1000, LimitOf::Quota));
    let today = Used { hosted: 900, today: 926, today_max: 1000 };
    let out = |max, quota| told(Ceiling::to_network(&rules(max, quota), today));
    assert_eq!(out(100, 1000), (63, 1000, LimitOf::Day));
    assert_eq!(out(62, 1000), (62, 62, LimitOf::Bridge));
    let inward = |max, homeserver| told(Ceiling::to_matrix(&rules(max, 0), homeserver));
    assert_eq!(inward(100, 50), (50, 50, LimitOf::Homeserver));
    assert_eq!(inward(100, 100), (100, 100, LimitOf::Bridge));
    assert_eq!(inward(u64::MAX, u64::MAX), (MAX_MEDIA_BYTES, MAX_MEDIA_BYTES, LimitOf::Network));
}

#[test]
fn a_quota_and_a_day_are_filled_to_their_last_byte() {
    let limit = 1000;
    let rules = |quota_bytes| MediaRules { max_bytes: u64::MAX, quota_bytes, keep: Duration::ZERO };
    for used in 900..=1100 {
        let quota = Used { hosted: used, today: 0, today_max: u64::MAX };
        let day = Used { hosted: 0, today: used, today_max: limit };
        let quota = Ceiling::to_network(&rules(limit), quota);
        let day = Ceiling::to_network(&rules(u64::MAX), day);
        for length in 0..120 {
            let fits = used + encrypted_len(length) <= limit;
            assert_eq!(quota.admits(length), fits, "{length} bytes beside {used}");
            assert_eq!(day.admits(length), fits, "{length} bytes after {used}");
        }
    }
}

#[test]
fn debug_output_shows_no_key() {
    let (_, attachment) = attachment(b"secret");
    let (_, described) = network_file(b"secret");
    let outward = Outward::new(opening(&attachment), &KEY, KIND, 10);
    let inward = Inward::new(&described, keys(2));
    assert_eq!(
        format!("{described:?} {outward:?} {inward:?}"),
        "Described { kind: Video, .. } \
         Outward { sealing: Encryptor { length: Length { bytes: 0, most: 10, limit: 10 }, .. }, .. } \
         Inward { sealing: AttachmentEncryptor { length: 0, .. }, .. }"
    );
}
