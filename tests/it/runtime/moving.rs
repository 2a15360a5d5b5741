//! Files between the homeserver and the network: byte for byte, within every limit, and what becomes of those
//! that cannot be moved.

mod ceilings;
mod pace;
mod whole;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use assert_matches::assert_matches;
use causeway::{
    domain::{
        attachment::{
            Attachment, AttachmentDecryptor, AttachmentEncryptor, AttachmentKeys, EncryptedFile,
        },
        bridged::ActAs,
        hosting::{LimitOf, MediaRules},
        ids::{GhostKey, LoginId},
        limits,
        moving::{Described, MediaKind, encrypted_len},
    },
    port::{
        Failure, MediaStore as _,
        media::{Download, MediaFailure},
        network::RemoteFile,
        storage::Change,
    },
    runtime::{Arriving, Leaving, MovedIn, MovedOut, Mover, NotMoved, Ports},
};
use causeway_wire::media::{Decryptor, Encryptor, Expected};
use futures_util::{StreamExt as _, stream};

use super::{
    files::in_pieces,
    stage::{MEDIA_RULES, Stage},
    surroundings::Trouble,
};

const URI: &str = "mxc://example.org/file";
const PATH: &str = "/v/t1";
const KIND: MediaKind = MediaKind::Document;
const KEY: [u8; 32] = [7; 32];
/// No limit of the operator.
const LARGE: MediaRules =
    MediaRules { max_bytes: u64::MAX, quota_bytes: u64::MAX, keep: Duration::from_secs(1) };

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + 7) % 256).unwrap()).collect()
}

fn ghost() -> ActAs {
    ActAs::Ghost(GhostKey("abc".to_owned()))
}

fn login() -> LoginId {
    LoginId("l1".to_owned())
}

/// A file as a person's client uploads it.
fn attachment(plaintext: &[u8]) -> (Vec<u8>, EncryptedFile) {
    let keys = AttachmentKeys::from_random(&[5; AttachmentKeys::RANDOM_BYTES]);
    let (mut encryptor, mut ciphertext) = (AttachmentEncryptor::new(keys), Vec::new());
    encryptor.update(plaintext, &mut ciphertext);
    (ciphertext, encryptor.finish().at(URI.into()))
}

/// A file as the contact's app uploads it.
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

async fn move_out_with(
    stage: &Stage,
    ports: Ports,
    file: &EncryptedFile,
    claimed: Option<u64>,
) -> Result<MovedOut, NotMoved> {
    let file = Attachment::Encrypted(file.clone());
    let moving = async move {
        let mover = Mover::new(ports);
        let (login, who) = (login(), ghost());
        let leaving = Leaving { login: &login, who: &who, file: &file, kind: KIND, claimed };
        mover.to_network(&mover.turn().unwrap(), &leaving).await
    };
    stage.run(moving).await
}

async fn move_out(stage: &Stage, file: &EncryptedFile) -> Result<MovedOut, NotMoved> {
    move_out_with(stage, stage.ports(), file, None).await
}

async fn move_in(stage: &Stage, file: &Described) -> Result<MovedIn, NotMoved> {
    let (file, ports) = (file.clone(), stage.ports());
    let moving = async move {
        let mover = Mover::new(ports);
        let from = RemoteFile { direct_path: Some(PATH.to_owned()), url: None };
        let arriving = Arriving { who: &ghost(), from: &from, file: &file };
        mover.to_matrix(&mover.turn().unwrap(), &arriving).await
    };
    stage.run(moving).await
}

/// What the contact's app makes of a file that we host.
async fn opened(stage: &Stage, moved: &MovedOut) -> Vec<u8> {
    let stored = stage.media.get(&moved.name, None).await.unwrap().unwrap();
    let MovedOut { hashes, media_key, .. } = moved;
    let expected =
        Expected { file_sha256: hashes.file_sha256, file_enc_sha256: Some(hashes.file_enc_sha256) };
    let (mut decryptor, mut clear) = (Decryptor::new(media_key, KIND), Vec::new());
    let pieces: Vec<_> = stored.bytes.collect().await;
    for piece in pieces {
        decryptor.update(&piece.unwrap(), &mut clear).unwrap();
    }
    decryptor.finish(&expected, &mut clear).unwrap();
    clear
}

fn too_large(outcome: Result<impl std::fmt::Debug, NotMoved>) -> (u64, LimitOf) {
    match outcome.unwrap_err() {
        NotMoved::ForGood(MediaFailure::TooLarge { limit, whose }) => (limit, whose),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_of_a_person_is_hosted_under_a_fresh_key() {
    let stage = Stage::new().await;
    for size in [0, 1, 15, 16, 65_535, 65_536, 65_537, 300_000] {
        let (ciphertext, described) = attachment(&file(size));
        stage.homeserver.files.put(URI, ciphertext);
        let moved = move_out(&stage, &described).await.unwrap();
        assert_eq!(opened(&stage, &moved).await, file(size));
        assert_eq!(moved.hashes.file_length, size as u64);
        let hosted = assert_matches!(&moved.change, Change::MediaHosted(hosted) => hosted);
        assert_eq!(hosted.name, moved.name);
        assert_eq!(hosted.login, login());
        assert_eq!(hosted.length, encrypted_len(size as u64));
        assert_eq!(hosted.expires_at - hosted.hosted_at, limits::millis(MEDIA_RULES.keep));
        let again = move_out(&stage, &described).await.unwrap();
        assert_ne!(again.name, moved.name);
        assert_ne!(again.media_key, moved.media_key);
    }
}

#[tokio::test]
async fn a_file_of_the_contact_becomes_an_attachment() {
    let stage = Stage::new().await;
    for size in [0, 1, 15, 16, 65_535, 65_536, 65_537, 300_000] {
        let (ciphertext, described) = network_file(&file(size));
        stage.network.files.put(PATH, ciphertext);
        let moved = move_in(&stage, &described).await.unwrap();
        assert_eq!(moved.length, size as u64);
        let uploads = stage.homeserver.uploads();
        let (mut decryptor, mut clear) = (AttachmentDecryptor::new(&moved.file), Vec::new());
        decryptor.update(uploads.last().unwrap(), &mut clear);
        decryptor.finish().unwrap();
        assert_eq!(clear, file(size));
    }
}

#[tokio::test]
async fn a_changed_file_goes_nowhere() {
    let stage = Stage::new().await;
    for size in [1, 300_000] {
        let (mut ciphertext, described) = attachment(&file(size));
        ciphertext[size / 2] ^= 1;
        stage.homeserver.files.put(URI, ciphertext);
        let outcome = move_out(&stage, &described).await;
        assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Damaged)));

        let (mut ciphertext, described) = network_file(&file(size));
        ciphertext[size / 2] ^= 1;
        stage.network.files.put(PATH, ciphertext);
        let outcome = move_in(&stage, &described).await;
        assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Damaged)));
    }
    assert_eq!(stage.media.list().await.unwrap(), []);
    assert!(stage.homeserver.uploads().is_empty());
}

#[tokio::test]
async fn a_file_of_another_length_than_its_message_says_is_damaged() {
    let stage = Stage::new().await;
    let (ciphertext, described) = network_file(&file(100_000));
    for says_length in [true, false] {
        let bytes = ciphertext.clone();
        stage.network.files.serve(PATH, move || {
            let length = says_length.then_some(bytes.len() as u64);
            Ok(Download { length, bytes: in_pieces(&bytes, 1000) })
        });
        for length in [0, 99_999, 100_001, 110_000] {
            let described = Described { length, ..described.clone() };
            let outcome = move_in(&stage, &described).await;
            assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Damaged)), "{length}");
        }
    }
    assert!(stage.homeserver.uploads().is_empty());
}

/// Serves a file of which the first `cuts` fetches break off in the middle.
fn breaking_off(
    bytes: Vec<u8>,
    cuts: u32,
) -> impl Fn() -> Result<Download, MediaFailure> + Send + 'static {
    let fetches = AtomicU32::new(0);
    move || {
        let is_cut = fetches.fetch_add(1, Ordering::SeqCst) < cuts;
        let whole = in_pieces(&bytes, 1000);
        let broken = || stream::iter([Err(Failure::later("the connection broke").into())]);
        let bytes = if is_cut { whole.take(20).chain(broken()).boxed() } else { whole };
        Ok(Download { length: None, bytes })
    }
}

#[tokio::test]
async fn a_file_may_be_cut_off_a_few_times() {
    let stage = Stage::new().await;
    for (cuts, fits) in [(limits::MEDIA_CUTS_MAX - 1, true), (limits::MEDIA_CUTS_MAX, false)] {
        let (ciphertext, described) = attachment(&file(100_000));
        stage.homeserver.files.serve(URI, breaking_off(ciphertext, cuts));
        let outcome = move_out(&stage, &described).await;
        match outcome {
            Ok(moved) => assert_eq!(opened(&stage, &moved).await, file(100_000)),
            Err(NotMoved::ForGood(MediaFailure::Damaged)) => assert!(!fits),
            other => panic!("{other:?}"),
        }
        let (ciphertext, described) = network_file(&file(100_000));
        stage.network.files.serve(PATH, breaking_off(ciphertext, cuts));
        assert_eq!(move_in(&stage, &described).await.is_ok(), fits, "{cuts}");
    }
    assert_eq!(stage.media.list().await.unwrap().len(), 1);
    assert_eq!(stage.homeserver.uploads().len(), 1);
}

#[tokio::test]
async fn whoever_refuses_a_file_is_believed() {
    let stage = Stage::new().await;
    let (_, out) = attachment(b"x");
    let (_, inward) = network_file(b"x");
    assert_matches!(move_out(&stage, &out).await, Err(NotMoved::ForGood(MediaFailure::Gone)));
    assert_matches!(move_in(&stage, &inward).await, Err(NotMoved::ForGood(MediaFailure::Gone)));
    stage.network.files.serve(PATH, || Err(MediaFailure::NotAllowed));
    let outcome = move_in(&stage, &inward).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::NotAllowed)));
    let never = || Err(Failure::never("the fake refuses").into());
    stage.homeserver.files.serve(URI, never);
    let outcome = move_out(&stage, &out).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Outside(_))));
}

#[tokio::test]
async fn who_is_away_decides_whether_that_may_be_for_good() {
    let stage = Stage::new().await;
    let (ciphertext, out) = attachment(b"x");
    let later = || Err(Failure::later("the fake is away").into());
    stage.homeserver.files.serve(URI, later);
    assert_matches!(move_out(&stage, &out).await, Err(NotMoved::SourceAway(_)));
    stage.homeserver.files.put(URI, ciphertext);
    *stage.media.trouble.lock().unwrap() = Some(Trouble::Later);
    assert_matches!(move_out(&stage, &out).await, Err(NotMoved::Later(_)));

    let (ciphertext, inward) = network_file(b"x");
    stage.network.files.serve(PATH, later);
    assert_matches!(move_in(&stage, &inward).await, Err(NotMoved::SourceAway(_)));
    stage.network.files.put(PATH, ciphertext);
    stage.homeserver.trouble(Some(Trouble::Later));
    assert_matches!(move_in(&stage, &inward).await, Err(NotMoved::Later(_)));
}

#[tokio::test]
async fn a_few_files_are_moved_at_the_same_time() {
    let stage = Stage::new().await;
    let mover = Mover::new(stage.ports());
    let other = mover.clone();
    let mut turns: Vec<_> = (0..limits::MEDIA_AT_ONCE_MAX).map(|_| mover.turn().unwrap()).collect();
    assert!(other.turn().is_none());
    turns.pop();
    assert!(other.turn().is_some());
}
