use proptest::{collection::vec, prelude::*, sample::select};

use super::{keys::MediaKeys, *};

/// Written by an unmodified Baileys 7.0.0-rc14: see `tests/peers/baileys/media-vectors.mjs`.
const VECTORS: &str = include_str!("vectors.txt");

const KEY: [u8; MEDIA_KEY_BYTES] = [7; MEDIA_KEY_BYTES];
const KIND: MediaKind = MediaKind::Document;

/// The sizes at which blocks, batches and sidecar windows begin and end.
const SIZES: [usize; 18] = [
    0, 1, 15, 16, 17, 31, 32, 33, 4079, 4096, 4097, 65_503, 65_504, 65_519, 65_520, 65_535, 65_536,
    65_537,
];

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + 7) % 256).unwrap()).collect()
}

/// Cuts `bytes` into chunks of these lengths, over and over.
fn chunks<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(bytes.len().min(*length));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

fn encrypt_in(
    mut encryptor: Encryptor,
    plaintext: &[u8],
    lengths: &[usize],
) -> (Vec<u8>, MediaHashes) {
    let mut uploaded = Vec::new();
    for chunk in chunks(plaintext, lengths) {
        encryptor.update(chunk, &mut uploaded).unwrap();
    }
    let hashes = encryptor.finish(&mut uploaded).unwrap();
    (uploaded, hashes)
}

fn encrypt(plaintext: &[u8]) -> (Vec<u8>, MediaHashes) {
    encrypt_in(Encryptor::new(&KEY, KIND), plaintext, &[usize::MAX])
}

/// What was appended, and how it ended.
fn decrypt_in(
    mut decryptor: Decryptor,
    uploaded: &[u8],
    lengths: &[usize],
    expected: &Expected,
) -> (Vec<u8>, Result<(), MediaError>) {
    let mut plaintext = Vec::new();
    for chunk in chunks(uploaded, lengths) {
        if let Err(error) = decryptor.update(chunk, &mut plaintext) {
            return (plaintext, Err(error));
        }
        assert!(decryptor.blocks.rest().len() < 2 * BLOCK + TAG_BYTES, "memory stays constant");
    }
    let outcome = decryptor.finish(expected, &mut plaintext);
    (plaintext, outcome)
}

fn decrypt(uploaded: &[u8], expected: &Expected) -> (Vec<u8>, Result<(), MediaError>) {
    decrypt_in(Decryptor::new(&KEY, KIND), uploaded, &[usize::MAX], expected)
}

fn both(hashes: &MediaHashes) -> Expected {
    Expected { file_sha256: hashes.file_sha256, file_enc_sha256: Some(hashes.file_enc_sha256) }
}

fn clear_only(hashes: &MediaHashes) -> Expected {
    Expected { file_enc_sha256: None, ..both(hashes) }
}

/// The sidecar from the whole file at once.
fn sidecar_of(keys: &MediaKeys, uploaded: &[u8]) -> Vec<u8> {
    use hmac::Mac;
    let stream = [&keys.iv, uploaded].concat();
    let windows = (0..).step_by(65_536).take_while(|start| start + 16 < stream.len());
    let windows = windows.map(|start| &stream[start..stream.len().min(start + 65_536 + 16)]);
    windows
        .flat_map(|window| keys.mac().chain_update(window).finalize().into_bytes()[..10].to_vec())
        .collect()
}

#[test]
fn a_file_is_encrypted_as_baileys_does_it() {
    let mut kinds = Vec::new();
    for line in VECTORS.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let kind = match fields[0] {
            "image" => MediaKind::Image,
            "video" => MediaKind::Video,
            "audio" => MediaKind::Audio,
            "document" => MediaKind::Document,
            "thumbnail-image" => MediaKind::ImageThumbnail,
            "thumbnail-video" => MediaKind::VideoThumbnail,
            "thumbnail-document" => MediaKind::DocumentThumbnail,
            other => panic!("{other}"),
        };
        kinds.push(kind);
        let key: [u8; MEDIA_KEY_BYTES] = unhex(fields[1]).try_into().unwrap();
        assert_eq!(
            MediaKeys::expand(&key, kind).parts(),
            [2, 3, 4].map(|part| unhex(fields[part]))
        );

        let plaintext = file(fields[5].parse().unwrap());
        let encryptor = match fields[8] {
            "-" => Encryptor::new(&key, kind),
            _ => Encryptor::with_sidecar(&key, kind),
        };
        let (uploaded, hashes) = encrypt_in(encryptor, &plaintext, &[1000]);
        assert_eq!(hashes.file_sha256.to_vec(), unhex(fields[6]), "{line}");
        assert_eq!(hashes.file_enc_sha256.to_vec(), unhex(fields[7]), "{line}");
        assert_eq!(hashes.sidecar, (fields[8] != "-").then(|| unhex(fields[8])), "{line}");
        if fields[9] != "-" {
            assert_eq!(uploaded, unhex(fields[9]), "{line}");
        }
        let decryptor = Decryptor::new(&key, kind);
        let outcome = decrypt_in(decryptor, &uploaded, &[1000], &both(&hashes));
        assert_eq!(outcome, (plaintext, Ok(())));
    }
    assert!(MediaKind::ALL.iter().all(|kind| kinds.contains(kind)), "a vector for each kind");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn chunks_make_no_difference(
        length in prop_oneof![select(&SIZES[..]), 0..150_000_usize],
        outward in vec(prop_oneof![1..40_usize, 1..70_000_usize], 1..6),
        inward in vec(prop_oneof![1..40_usize, 1..70_000_usize], 1..6),
        key: [u8; MEDIA_KEY_BYTES],
        kind in select(&MediaKind::ALL[..]),
    ) {
        let plaintext = file(length);
        let whole = Encryptor::with_sidecar(&key, kind);
        let (uploaded, hashes) = encrypt_in(whole, &plaintext, &[usize::MAX]);
        prop_assert_eq!(hashes.file_length, length as u64);
        prop_assert_eq!(hashes.enc_length, uploaded.len() as u64);
        prop_assert_eq!(encrypted_len(length as u64), uploaded.len() as u64);
        let sidecar = sidecar_of(&MediaKeys::expand(&key, kind), &uploaded);
        prop_assert_eq!(hashes.sidecar.as_ref(), Some(&sidecar));

        let pieces = encrypt_in(Encryptor::with_sidecar(&key, kind), &plaintext, &outward);
        prop_assert_eq!(&pieces, &(uploaded, hashes));
        let (uploaded, hashes) = pieces;
        let decryptor = Decryptor::new(&key, kind);
        let outcome = decrypt_in(decryptor, &uploaded, &inward, &both(&hashes));
        prop_assert_eq!(outcome, (plaintext, Ok(())));
    }
}

#[test]
fn every_size_survives_every_small_chunk() {
    for length in SIZES {
        let plaintext = file(length);
        let (uploaded, hashes) = encrypt(&plaintext);
        for chunk in [1, 15, 16, 17, 26, 27, 42] {
            let pieces = encrypt_in(Encryptor::new(&KEY, KIND), &plaintext, &[chunk]);
            assert_eq!(pieces.0, uploaded);
            let decryptor = Decryptor::new(&KEY, KIND);
            let (out, outcome) = decrypt_in(decryptor, &uploaded, &[chunk], &both(&hashes));
            assert_eq!(outcome, Ok(()));
            assert_eq!(out, plaintext);
        }
    }
}

#[test]
fn every_changed_bit_is_refused() {
    for length in [0, 1, 15, 16, 17, 40] {
        let (uploaded, hashes) = encrypt(&file(length));
        for bit in 0..8 * uploaded.len() {
            let mut tampered = uploaded.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let (out, outcome) = decrypt(&tampered, &both(&hashes));
            assert_eq!(outcome, Err(MediaError::WrongCiphertextHash));
            assert_eq!(out.len(), uploaded.len() - TAG_BYTES - BLOCK, "the last block stays in");
            let (_, outcome) = decrypt(&tampered, &clear_only(&hashes));
            assert_eq!(outcome, Err(MediaError::Unauthentic));
        }
    }
}

#[test]
fn a_file_that_ends_elsewhere_is_refused() {
    let (uploaded, hashes) = encrypt(&file(100));
    for end in 0..uploaded.len() {
        let cut = &uploaded[..end];
        let whole_blocks = end >= BLOCK + TAG_BYTES && (end - TAG_BYTES).is_multiple_of(BLOCK);
        let (one, other) = if whole_blocks {
            (MediaError::WrongCiphertextHash, MediaError::Unauthentic)
        } else {
            (MediaError::Truncated, MediaError::Truncated)
        };
        for chunk in [1, 16, usize::MAX] {
            let decrypt = |expected: &Expected| {
                decrypt_in(Decryptor::new(&KEY, KIND), cut, &[chunk], expected).1
            };
            assert_eq!(decrypt(&both(&hashes)), Err(one), "{end} bytes");
            assert_eq!(decrypt(&clear_only(&hashes)), Err(other), "{end} bytes");
        }
    }
    for more in 1..=2 * BLOCK {
        let longer = [&uploaded[..], &vec![0; more]].concat();
        let whole_blocks = more.is_multiple_of(BLOCK);
        let error = if whole_blocks { MediaError::Unauthentic } else { MediaError::Truncated };
        assert_eq!(decrypt(&longer, &clear_only(&hashes)).1, Err(error), "{more} bytes more");
    }
}

#[test]
fn another_key_or_kind_does_not_open_a_file() {
    let (uploaded, hashes) = encrypt(&file(100));
    let open = |key: &[u8; MEDIA_KEY_BYTES], kind| {
        decrypt_in(Decryptor::new(key, kind), &uploaded, &[usize::MAX], &both(&hashes)).1
    };
    let mut key = KEY;
    assert_eq!(open(&key, KIND), Ok(()));
    for kind in MediaKind::ALL.into_iter().filter(|kind| *kind != KIND) {
        assert_eq!(open(&key, kind), Err(MediaError::Unauthentic));
    }
    key[31] ^= 1;
    assert_eq!(open(&key, KIND), Err(MediaError::Unauthentic));
}

/// What only who holds the media key can make: last blocks that authenticate but do not end as they
/// should.
#[test]
fn bad_padding_is_refused_behind_a_good_mac() {
    use aes::cipher::BlockModeEncrypt;
    use hmac::Mac;
    use sha2::{Digest, Sha256};

    let keys = MediaKeys::expand(&KEY, KIND);
    let seal = |last: [u8; BLOCK]| {
        let mut block = last.into();
        keys.encryptor().encrypt_block(&mut block);
        let mac = keys.mac().chain_update(keys.iv).chain_update(block).finalize().into_bytes();
        [&block[..], &mac[..TAG_BYTES]].concat()
    };
    let expected = Expected { file_sha256: Sha256::digest(b"").into(), file_enc_sha256: None };
    assert_eq!(decrypt(&seal([16; BLOCK]), &expected), (Vec::new(), Ok(())));
    let mut inconsistent = [0; BLOCK];
    inconsistent[14..].copy_from_slice(&[9, 2]);
    for last in [[0; BLOCK], [17; BLOCK], [255; BLOCK], inconsistent] {
        assert_eq!(decrypt(&seal(last), &expected), (Vec::new(), Err(MediaError::BadPadding)));
    }
}

#[test]
fn a_file_that_the_message_does_not_name_is_refused() {
    let (uploaded, hashes) = encrypt(&file(100));
    let mut expected = both(&hashes);
    expected.file_sha256[0] ^= 1;
    let (out, outcome) = decrypt(&uploaded, &expected);
    assert_eq!(outcome, Err(MediaError::WrongHash));
    assert_eq!(out.len(), 96, "the last block stays in");
}

#[test]
fn a_file_has_its_limit_and_not_a_byte_more() {
    for limit in [0, 15, 16, 20, 5000] {
        let sealed = |length| {
            let mut encryptor = Encryptor::with_limit(&KEY, KIND, limit);
            let mut out = Vec::new();
            encryptor.update(&file(length), &mut out)?;
            encryptor.finish(&mut out)
        };
        let opened = |length| {
            let (uploaded, hashes) = encrypt(&file(length));
            let decryptor = Decryptor::with_limit(&KEY, KIND, limit);
            decrypt_in(decryptor, &uploaded, &[1000], &both(&hashes)).1
        };
        let at = usize::try_from(limit).unwrap();
        let too_long = MediaError::TooLong { limit };
        assert_eq!(sealed(at).map(|hashes| hashes.file_length), Ok(limit));
        assert_eq!(sealed(at + 1), Err(too_long));
        assert_eq!(opened(at), Ok(()));
        assert_eq!(opened(at + 1), Err(too_long), "even where that fits the last block");
        assert_eq!(opened(at + 17), Err(too_long));
    }
}

#[test]
fn two_gibibytes_pass_and_a_byte_more_does_not() {
    let too_long = Err(MediaError::TooLong { limit: MAX_MEDIA_BYTES });
    let mut out = Vec::new();
    let mut encryptor = Encryptor::new(&KEY, KIND);
    encryptor.length.bytes = MAX_MEDIA_BYTES - 1;
    assert_eq!(encryptor.update(&[0], &mut out), Ok(()));
    assert_eq!(encryptor.update(&[0], &mut out), too_long);
    assert_eq!(encryptor.update(&[], &mut out), too_long, "it stays refused");
    assert_eq!(encryptor.finish(&mut out).map(|_| ()), too_long);

    let mut decryptor = Decryptor::new(&KEY, KIND);
    decryptor.length.bytes = encrypted_len(MAX_MEDIA_BYTES) - 1;
    assert_eq!(decryptor.update(&[0], &mut out), Ok(()));
    assert_eq!(decryptor.update(&[0], &mut out), too_long);
    let expected = Expected { file_sha256: [0; 32], file_enc_sha256: None };
    assert_eq!(decryptor.finish(&expected, &mut out), too_long);
    assert!(out.is_empty());
}

#[test]
fn the_encrypted_length_is_known_beforehand() {
    assert_eq!([0, 1, 15, 16, 17].map(encrypted_len), [26, 26, 26, 42, 42]);
    assert_eq!(encrypted_len(MAX_MEDIA_BYTES), 2_147_483_674);
    assert_eq!(encrypted_len(u64::MAX), u64::MAX, "no overflow");
}

#[test]
fn debug_output_shows_no_key_and_no_content() {
    let mut encryptor = Encryptor::new(&KEY, KIND);
    encryptor.update(b"secret", &mut Vec::new()).unwrap();
    let decryptor = Decryptor::new(&KEY, KIND);
    assert_eq!(
        format!("{encryptor:?} {decryptor:?}"),
        "Encryptor { length: Length { bytes: 6, most: 2147483648, limit: 2147483648 }, .. } \
         Decryptor { length: Length { bytes: 0, most: 2147483674, limit: 2147483648 }, .. }"
    );
}
