//! How slow a file may be on either side, and how little of it is in memory meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use assert_matches::assert_matches;
use async_trait::async_trait;
use bytes::Bytes;
use causeway::{
    domain::ids::StorageRef,
    port::{
        Clock as _, MediaStore,
        media::{MediaBytes, StoredEntry, StoredMedia},
    },
};
use futures_util::{StreamExt as _, stream};

use sha2::{Digest as _, Sha256};

use super::{
    Download, EncryptedFile, Failure, LARGE, MediaFailure, NotMoved, PATH, Ports, Stage, URI,
    attachment, file, in_pieces, limits, move_in, move_out, move_out_with, network_file,
};

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
    pause: Option<(Duration, Arc<crate::runtime::surroundings::ManualClock>)>,
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
