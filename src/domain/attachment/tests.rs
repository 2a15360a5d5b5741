//! Against the Matrix SDK's implementation, in both directions.

use std::io::{Cursor, Read as _};

use matrix_sdk_crypto::{
    AttachmentDecryptor as TheirDecryptor, AttachmentEncryptor as TheirEncryptor,
};
use ruma::mxc_uri;
use serde_json::{Value, json};

use super::*;

/// The sizes at which blocks, batches and network packets begin and end.
const SIZES: [usize; 12] = [0, 1, 15, 16, 17, 4095, 4096, 4097, 8191, 65_535, 65_536, 65_537];
/// Chunk lengths, over and over.
const PIECES: [&[usize]; 4] = [&[usize::MAX], &[1, 17, 4096, 3], &[15], &[16, 70_000]];

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + 7) % 256).unwrap()).collect()
}

fn in_pieces(mut bytes: &[u8], lengths: &[usize], mut take: impl FnMut(&[u8])) {
    for length in lengths.iter().cycle() {
        let (piece, rest) = bytes.split_at(bytes.len().min(*length));
        take(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
}

/// Encrypted by the Matrix SDK: the ciphertext and the event's `file`.
fn theirs(plaintext: &[u8]) -> (Vec<u8>, Value) {
    let (mut input, mut ciphertext) = (Cursor::new(plaintext), Vec::new());
    let mut encryptor = TheirEncryptor::new(&mut input);
    encryptor.read_to_end(&mut ciphertext).unwrap();
    let mut file = serde_json::to_value(encryptor.finish()).unwrap();
    file["url"] = json!("mxc://example.org/abc");
    (ciphertext, file)
}

fn ours(plaintext: &[u8], pieces: &[usize]) -> (Vec<u8>, EncryptedFile) {
    let random = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let mut encryptor = AttachmentEncryptor::new(AttachmentKeys::from_random(&random));
    let mut ciphertext = Vec::new();
    in_pieces(plaintext, pieces, |piece| encryptor.update(piece, &mut ciphertext));
    let sealed = encryptor.finish();
    assert_eq!(sealed.length, plaintext.len() as u64);
    (ciphertext, sealed.at(mxc_uri!("mxc://example.org/abc").to_owned()))
}

fn decrypt(
    file: &EncryptedFile,
    ciphertext: &[u8],
    pieces: &[usize],
) -> (Vec<u8>, Result<(), AttachmentError>) {
    let (mut decryptor, mut plaintext) = (AttachmentDecryptor::new(file), Vec::new());
    in_pieces(ciphertext, pieces, |piece| decryptor.update(piece, &mut plaintext));
    (plaintext, decryptor.finish())
}

#[test]
fn what_the_matrix_sdk_encrypts_is_read() {
    for (size, pieces) in SIZES.iter().flat_map(|size| PIECES.map(|pieces| (*size, pieces))) {
        let (ciphertext, json) = theirs(&file(size));
        let described = EncryptedFile::parse(&json).unwrap();
        assert_eq!(decrypt(&described, &ciphertext, pieces), (file(size), Ok(())), "{size}");
    }
}

#[test]
fn the_matrix_sdk_reads_what_is_encrypted_here() {
    for (size, pieces) in SIZES.iter().flat_map(|size| PIECES.map(|pieces| (*size, pieces))) {
        let (ciphertext, described) = ours(&file(size), pieces);
        let info = serde_json::from_value(described.to_json()).unwrap();
        let (mut input, mut plaintext) = (Cursor::new(&ciphertext), Vec::new());
        let mut decryptor = TheirDecryptor::new(&mut input, info).unwrap();
        decryptor.read_to_end(&mut plaintext).unwrap();
        assert_eq!(plaintext, file(size), "{size}");
        assert_eq!(EncryptedFile::parse(&described.to_json()).unwrap(), described);
    }
}

#[test]
fn the_counter_starts_at_zero_behind_eight_random_bytes() {
    let (_, described) = ours(b"", &[1]);
    assert_eq!(described.keys.iv, [32, 33, 34, 35, 36, 37, 38, 39, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(described.keys.key[31], 31);
}

/// Clients of old made all of the first counter block random.
#[test]
fn a_counter_runs_over_its_lower_half() {
    let plaintext = file(100);
    let (_, mut json) = theirs(b"");
    json["iv"] = json!("AAAAAAAAAAD//////////w");
    let mut described = EncryptedFile::parse(&json).unwrap();
    let mut encryptor = AttachmentEncryptor::new(described.keys.clone());
    let mut ciphertext = Vec::new();
    encryptor.update(&plaintext, &mut ciphertext);
    described.sha256 = encryptor.finish().sha256;
    let info = serde_json::from_value(described.to_json()).unwrap();
    let (mut input, mut theirs) = (Cursor::new(&ciphertext), Vec::new());
    TheirDecryptor::new(&mut input, info).unwrap().read_to_end(&mut theirs).unwrap();
    assert_eq!(theirs, plaintext);
}

#[test]
fn a_ciphertext_that_is_not_the_one_named_is_refused() {
    let (ciphertext, json) = theirs(&file(100));
    let described = EncryptedFile::parse(&json).unwrap();
    let refused =
        |bytes: &[u8]| decrypt(&described, bytes, &[7]).1 == Err(AttachmentError::WrongHash);
    for bit in 0..8 * ciphertext.len() {
        let mut tampered = ciphertext.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&tampered), "bit {bit}");
    }
    for end in 0..ciphertext.len() {
        assert!(refused(&ciphertext[..end]), "{end} bytes");
    }
    assert!(refused(&[&ciphertext[..], &[0]].concat()));
}

/// A good description with one change to it.
fn parse_with(pointer: &str, value: Value) -> Result<EncryptedFile, AttachmentError> {
    let (_, mut json) = theirs(b"");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
    EncryptedFile::parse(&json)
}

#[test]
fn every_part_that_decryption_needs_must_be_there() {
    for (pointer, name) in [
        ("/url", "url"),
        ("/v", "v"),
        ("/key", "key"),
        ("/key/kty", "kty"),
        ("/key/alg", "alg"),
        ("/key/k", "k"),
        ("/iv", "iv"),
        ("/hashes", "hashes"),
        ("/hashes/sha256", "sha256"),
    ] {
        assert_eq!(parse_with(pointer, Value::Null), Err(AttachmentError::Missing(name)));
        let odd = parse_with(pointer, json!(7)).unwrap_err();
        assert!(matches!(odd, AttachmentError::Malformed(_) | AttachmentError::Missing(_)));
    }
    assert_eq!(EncryptedFile::parse(&json!("mxc://a/b")), Err(AttachmentError::Missing("url")));
    for pointer in ["/key/ext", "/key/key_ops"] {
        assert!(parse_with(pointer, Value::Null).is_ok(), "{pointer}");
    }
}

#[test]
fn another_way_of_encrypting_is_not_guessed_at() {
    for (pointer, name, value) in
        [("/v", "v", "v3"), ("/key/kty", "kty", "RSA"), ("/key/alg", "alg", "A256GCM")]
    {
        assert_eq!(parse_with(pointer, json!(value)), Err(AttachmentError::Unknown(name)));
    }
}

#[test]
fn malformed_parts_are_named() {
    let zeros = |count: usize| json!("A".repeat(count));
    for (pointer, name, value) in [
        ("/url", "url", json!("https://example.org/abc")),
        ("/url", "url", json!("mxc://example.org/../abc")),
        ("/url", "url", json!("mxc://example.org")),
        ("/key/k", "k", zeros(42)),
        ("/key/k", "k", zeros(44)),
        ("/key/k", "k", json!(format!("{}+", "A".repeat(42)))),
        ("/iv", "iv", zeros(21)),
        ("/iv", "iv", zeros(23)),
        ("/iv", "iv", json!(format!("{}_", "A".repeat(21)))),
        ("/hashes/sha256", "sha256", zeros(42)),
        ("/hashes/sha256", "sha256", zeros(100_000)),
    ] {
        assert_eq!(
            parse_with(pointer, value.clone()),
            Err(AttachmentError::Malformed(name)),
            "{value}"
        );
    }
    for (pointer, chars, padding) in [("/key/k", 43, "="), ("/iv", 22, "==")] {
        let padded = json!(format!("{}{padding}", "A".repeat(chars)));
        assert!(parse_with(pointer, padded).is_ok(), "some clients pad");
    }
}

#[test]
fn debug_output_shows_no_key() {
    let (_, described) = ours(b"secret", &[2]);
    let encryptor = AttachmentEncryptor::new(described.keys.clone());
    let decryptor = AttachmentDecryptor::new(&described);
    let shown = format!("{described:?} {:?} {encryptor:?} {decryptor:?}", described.keys);
    assert_eq!(
        shown,
        "EncryptedFile(…) AttachmentKeys(…) AttachmentEncryptor { length: 0, .. } \
         AttachmentDecryptor(…)"
    );
    let sealed = format!("{:?}", encryptor.finish());
    assert_eq!(sealed, "SealedAttachment { length: 0, .. }");
}
