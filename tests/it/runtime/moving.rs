//! Files between the homeserver and the network: byte for byte, within every limit, and what becomes of those
//! that cannot be moved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use assert_matches::assert_matches;
use async_trait::async_trait;
use bytes::Bytes;
use causeway::{
    domain::{
        attachment::{
            Attachment, AttachmentDecryptor, AttachmentEncryptor, AttachmentKeys, EncryptedFile,
        },
        bridged::ActAs,
        hosting::{LimitOf, MediaRules},
        ids::{GhostKey, LoginId, StorageRef},
        limits,
        moving::{Described, MediaKind, encrypted_len},
    },
    port::{
        Clock as _, Failure, MediaStore, Storage as _,
        media::{Download, MediaBytes, MediaFailure, StoredEntry, StoredMedia},
        network::RemoteFile,
        storage::Change,
    },
    runtime::{Arriving, Leaving, MovedIn, MovedOut, Mover, NotMoved, Ports},
};
use causeway_wire::media::{Decryptor, Encryptor, Expected};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use sha2::{Digest as _, Sha256};

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
async fn a_file_that_is_too_large_is_not_fetched() {
    let stage = Stage::new().await;
    let fetches = Arc::new(AtomicU32::new(0));
    let count = |serve: fn() -> Result<Download, MediaFailure>| {
        let fetches = Arc::clone(&fetches);
        move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            serve()
        }
    };
    stage.homeserver.files.serve(URI, count(|| Err(MediaFailure::Gone)));
    stage.network.files.serve(PATH, count(|| Err(MediaFailure::Gone)));
    let (_, out) = attachment(b"");
    let (_, inward) = network_file(b"");

    let max = MEDIA_RULES.max_bytes;
    let claimed = move_out_with(&stage, stage.ports(), &out, Some(max + 1)).await;
    assert_eq!(too_large(claimed), (max, LimitOf::Bridge));
    let outcome = move_in(&stage, &Described { length: max + 1, ..inward.clone() }).await;
    assert_eq!(too_large(outcome), (max, LimitOf::Bridge));
    stage.homeserver.limit_media(50);
    let outcome = move_in(&stage, &Described { length: 51, ..inward.clone() }).await;
    assert_eq!(too_large(outcome), (50, LimitOf::Homeserver));
    assert_eq!(fetches.load(Ordering::SeqCst), 0);

    let claimed = move_out_with(&stage, stage.ports(), &out, Some(max)).await;
    assert_matches!(claimed, Err(NotMoved::ForGood(MediaFailure::Gone)));
    let outcome = move_in(&stage, &Described { length: 50, ..inward }).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Gone)));
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

/// Whatever the event and the homeserver say, or do not say.
#[tokio::test]
async fn a_files_real_bytes_are_counted() {
    let stage = Stage::new().await;
    let max = usize::try_from(MEDIA_RULES.max_bytes).unwrap();
    for (size, fits) in [(max, true), (max + 1, false)] {
        let (ciphertext, described) = attachment(&file(size));
        let bytes = ciphertext.clone();
        stage
            .homeserver
            .files
            .serve(URI, move || Ok(Download { length: None, bytes: in_pieces(&bytes, 50_000) }));
        let outcome = move_out_with(&stage, stage.ports(), &described, Some(1)).await;
        if fits {
            assert_eq!(outcome.unwrap().hashes.file_length, size as u64);
            continue;
        }
        assert_eq!(too_large(outcome), (MEDIA_RULES.max_bytes, LimitOf::Bridge));
        stage.homeserver.files.put(URI, ciphertext);
        assert_eq!(too_large(move_out(&stage, &described).await).1, LimitOf::Bridge, "by its head");
    }
    assert_eq!(stage.media.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_quota_is_for_everything_that_a_login_has_hosted() {
    let (stage, room) = Stage::connected().await;
    let login = stage.storage().portal_of_room(&room).await.unwrap().unwrap().key.login;
    let (ciphertext, described) = attachment(&file(900_000));
    stage.homeserver.files.put(URI, ciphertext);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let (login, file, ports) =
            (login.clone(), Attachment::Encrypted(described.clone()), stage.ports());
        let moving = async move {
            let mover = Mover::new(ports.clone());
            let who = ghost();
            let leaving =
                Leaving { login: &login, who: &who, file: &file, kind: KIND, claimed: None };
            let moved = mover.to_network(&mover.turn().unwrap(), &leaving).await?;
            ports.storage.commit(vec![moved.change]).await.unwrap();
            Ok::<_, NotMoved>(())
        };
        outcomes.push(stage.run(moving).await);
    }
    let third = outcomes.pop().unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(too_large(third), (MEDIA_RULES.quota_bytes, LimitOf::Quota));
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
async fn a_source_that_falls_silent_is_given_up() {
    let stage = Stage::new().await;
    let (ciphertext, described) = attachment(&file(100_000));
    stage.homeserver.files.serve(URI, move || {
        let begun = in_pieces(&ciphertext, 1000).take(3);
        Ok(Download { length: None, bytes: begun.chain(stream::pending()).boxed() })
    });
    let began = stage.clock.now();
    let outcome = move_out(&stage, &described).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::TooSlow)));
    let took = stage.clock.now() - began;
    assert!(took >= limits::millis(limits::MEDIA_SILENCE_MAX), "{took} ms");
    assert!(took < 2 * limits::millis(limits::MEDIA_SILENCE_MAX), "{took} ms");
}

#[tokio::test]
async fn a_source_that_drips_is_given_up() {
    let stage = Stage::new().await;
    let (ciphertext, described) = attachment(&file(100_000));
    let clock = Arc::clone(&stage.clock);
    stage.homeserver.files.serve(URI, move || {
        let clock = Arc::clone(&clock);
        let drip = in_pieces(&ciphertext, 100).then(move |piece| {
            let clock = Arc::clone(&clock);
            async move {
                clock.sleep(Duration::from_secs(10)).await;
                piece
            }
        });
        Ok(Download { length: None, bytes: drip.boxed() })
    });
    let began = stage.clock.now();
    let outcome = move_out(&stage, &described).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::TooSlow)));
    let took = stage.clock.now() - began;
    assert!(took > limits::millis(limits::MEDIA_RATE_GRACE), "{took} ms");
    assert!(took < 2 * limits::millis(limits::MEDIA_RATE_GRACE), "{took} ms");
}

/// A store that takes every byte and keeps none, at its own pace.
#[derive(Default)]
struct Drain {
    taken: Arc<AtomicU64>,
    /// Whether it stops taking after the first piece.
    sticks: bool,
    pause: Option<(Duration, Arc<super::surroundings::ManualClock>)>,
}

#[async_trait]
impl MediaStore for Drain {
    async fn put(&self, _name: &StorageRef, mut bytes: MediaBytes) -> Result<u64, MediaFailure> {
        let mut length = 0;
        while let Some(piece) = bytes.next().await {
            length += piece?.len() as u64;
            self.taken.store(length, Ordering::SeqCst);
            if self.sticks {
                std::future::pending::<()>().await;
            }
            if let Some((pause, clock)) = &self.pause {
                clock.sleep(*pause).await;
            }
        }
        Ok(length)
    }

    async fn get(
        &self,
        _name: &StorageRef,
        _range: Option<std::ops::Range<u64>>,
    ) -> Result<Option<StoredMedia>, Failure> {
        Ok(None)
    }

    async fn delete(&self, _name: &StorageRef) -> Result<(), Failure> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredEntry>, Failure> {
        Ok(Vec::new())
    }

    async fn discard_unfinished(
        &self,
        _before: causeway::domain::bridged::Timestamp,
    ) -> Result<u64, Failure> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_slow_destination_is_not_blamed_on_the_source() {
    let stage = Stage::new().await;
    let (ciphertext, described) = attachment(&file(200_000));
    stage
        .homeserver
        .files
        .serve(URI, move || Ok(Download { length: None, bytes: in_pieces(&ciphertext, 50_000) }));
    let pause = Some((limits::MEDIA_SILENCE_MAX * 2, Arc::clone(&stage.clock)));
    let slow = Drain { pause, ..Drain::default() };
    let ports = Ports { media: Arc::new(slow), ..stage.ports() };
    move_out_with(&stage, ports, &described, None).await.unwrap();

    let stuck = Drain { sticks: true, ..Drain::default() };
    let ports = Ports { media: Arc::new(stuck), ..stage.ports() };
    let outcome = move_out_with(&stage, ports, &described, None).await;
    assert_matches!(outcome, Err(NotMoved::Later(_)), "it passes");
}

/// How many bytes were given and not yet taken, at most.
#[derive(Default)]
struct InFlight {
    given: AtomicU64,
    taken: Arc<AtomicU64>,
    most: AtomicU64,
}

impl InFlight {
    fn give(&self, bytes: usize) {
        let given = self.given.fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64;
        let now = given.saturating_sub(self.taken.load(Ordering::SeqCst));
        self.most.fetch_max(now, Ordering::SeqCst);
    }
}

/// A file that is made while it is read: the same piece over and over.
fn made(pieces: usize, piece: &Bytes, in_flight: &Arc<InFlight>) -> Download {
    let (piece, counted) = (piece.clone(), Arc::clone(in_flight));
    let bytes = stream::iter(0..pieces).map(move |_| {
        counted.give(piece.len());
        Ok(piece.clone())
    });
    Download { length: None, bytes: bytes.boxed() }
}

/// Sixty-four MiB, of which never more than three pieces are on their way.
#[tokio::test]
async fn a_file_of_any_size_needs_the_memory_of_a_few_pieces() {
    const PIECE: usize = 200 * 1024;
    const PIECES: usize = 64 * 1024 * 1024 / PIECE;
    let stage = Stage::new().await;
    let piece = Bytes::from(vec![9; PIECE]);
    let mut hash = Sha256::new();
    (0..PIECES).for_each(|_| hash.update(&piece));
    let (_, small) = attachment(b"");
    let mut json = small.to_json();
    json["hashes"]["sha256"] = {
        use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
        STANDARD_NO_PAD.encode(hash.finalize()).into()
    };
    let described = EncryptedFile::parse(&json).unwrap();

    let in_flight = Arc::new(InFlight::default());
    let counted = Arc::clone(&in_flight);
    stage.homeserver.files.serve(URI, move || Ok(made(PIECES, &piece, &counted)));
    let drain = Drain { taken: Arc::clone(&in_flight.taken), ..Drain::default() };
    let ports = Ports { media: Arc::new(drain), media_rules: LARGE, ..stage.ports() };
    let moved = move_out_with(&stage, ports, &described, None).await.unwrap();
    assert_eq!(moved.hashes.file_length, (PIECES * PIECE) as u64);
    let most = in_flight.most.load(Ordering::SeqCst);
    assert!(most <= 3 * PIECE as u64, "{most} bytes were on their way");
}

#[tokio::test]
async fn an_upload_waits_for_the_homeserver() {
    let stage = Stage::new().await;
    let plaintext = file(900_000);
    let (ciphertext, described) = network_file(&plaintext);
    let in_flight =
        Arc::new(InFlight { taken: Arc::clone(&stage.homeserver.taken), ..InFlight::default() });
    let counted = Arc::clone(&in_flight);
    stage.network.files.serve(PATH, move || {
        let counted = Arc::clone(&counted);
        let bytes = in_pieces(&ciphertext, 10_000).inspect(move |piece| {
            counted.give(piece.as_ref().unwrap().len());
        });
        Ok(Download { length: None, bytes: bytes.boxed() })
    });
    move_in(&stage, &described).await.unwrap();
    let most = in_flight.most.load(Ordering::SeqCst);
    assert!(most <= 40_000, "{most} bytes were on their way");
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

/// Fetches a file whole, of up to so many bytes.
async fn fetch_whole(stage: &Stage, file: Attachment, bytes_max: u64) -> Result<Vec<u8>, NotMoved> {
    let ports = stage.ports();
    let fetching = async move {
        let mover = Mover::new(ports);
        let turn = mover.whole_turn().await;
        mover.fetch_whole(&turn, &ghost(), &file, bytes_max).await.map(|bytes| bytes.to_vec())
    };
    stage.run(fetching).await
}

#[tokio::test]
async fn a_file_is_fetched_whole_up_to_the_limit() {
    let stage = Stage::new().await;
    for (size, says_length) in [(0, true), (1, true), (70_000, true), (70_000, false)] {
        let (ciphertext, described) = attachment(&file(size));
        stage.homeserver.files.serve(URI, move || {
            let length = says_length.then_some(ciphertext.len() as u64);
            Ok(Download { length, bytes: in_pieces(&ciphertext, 50_000) })
        });
        let attachment = Attachment::Encrypted(described);
        let fits = fetch_whole(&stage, attachment.clone(), size as u64).await.unwrap();
        assert_eq!(fits, file(size));
        if let Some(less) = size.checked_sub(1) {
            let outcome = fetch_whole(&stage, attachment, less as u64).await;
            assert_eq!(too_large(outcome), (less as u64, LimitOf::Bridge));
        }
    }
    stage.homeserver.files.put(URI, file(10));
    let plain = fetch_whole(&stage, Attachment::Plain(URI.into()), 10).await.unwrap();
    assert_eq!(plain, file(10));
}

#[tokio::test]
async fn a_changed_file_is_not_fetched_whole() {
    let stage = Stage::new().await;
    let (mut ciphertext, described) = attachment(b"small");
    ciphertext[2] ^= 1;
    stage.homeserver.files.put(URI, ciphertext);
    let outcome = fetch_whole(&stage, Attachment::Encrypted(described), 100).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Damaged)));
}

#[tokio::test]
async fn a_file_in_memory_is_hosted_and_uploaded() {
    let stage = Stage::new().await;
    for size in [0, 1, 200_000] {
        let ports = stage.ports();
        let moving = async move {
            let mover = Mover::new(ports);
            let (turn, login) = (mover.whole_turn().await, login());
            let hosted = mover.host_whole(&turn, &login, KIND, file(size)).await.unwrap();
            let turn = mover.turn().unwrap();
            (hosted, mover.upload_whole(&turn, &ghost(), &file(size)).await.unwrap())
        };
        let (hosted, uploaded) = stage.run(moving).await;
        assert_eq!(opened(&stage, &hosted).await, file(size));
        let uploaded = Attachment::Encrypted(uploaded);
        assert_eq!(fetch_whole(&stage, uploaded, size as u64).await.unwrap(), file(size));
    }
    let (ports, max) = (stage.ports(), usize::try_from(MEDIA_RULES.max_bytes).unwrap());
    let moving = async move {
        let mover = Mover::new(ports);
        mover.host_whole(&mover.whole_turn().await, &login(), KIND, file(max + 1)).await
    };
    assert_eq!(too_large(stage.run(moving).await), (MEDIA_RULES.max_bytes, LimitOf::Bridge));
    stage.homeserver.limit_media(9);
    let ports = stage.ports();
    let moving = async move {
        let mover = Mover::new(ports);
        mover.upload_whole(&mover.turn().unwrap(), &ghost(), &file(10)).await
    };
    assert_eq!(too_large(stage.run(moving).await), (9, LimitOf::Homeserver));
}

#[tokio::test]
async fn few_files_are_whole_in_memory() {
    let stage = Stage::new().await;
    let mover = Mover::new(stage.ports());
    let mut turns = Vec::new();
    for _ in 0..limits::WHOLE_FILES_AT_ONCE_MAX {
        turns.push(mover.whole_turn().await);
    }
    let mut next = Box::pin(mover.whole_turn());
    assert!((&mut next).now_or_never().is_none());
    turns.pop();
    assert!((&mut next).now_or_never().is_some());
}
