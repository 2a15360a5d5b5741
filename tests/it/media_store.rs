//! What the `MediaStore` port promises, held against the folder, a bucket, and the fake that stands for them
//! elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bucket;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use causeway::{
    domain::ids::StorageRef,
    hosting::{Folder, Hosting, Place},
    port::{
        Failure, MediaStore,
        media::{MediaBytes, MediaFailure},
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;

/// More than one part of any store.
const LARGE_BYTES: usize = 11 * 1024 * 1024 + 7;
/// No piece that a store gives is larger.
const PIECE_BYTES_MAX: usize = 512 * 1024;

fn name(number: u8) -> StorageRef {
    StorageRef::from_random([number; 32])
}

/// Bytes that differ from place to place, so that a wrong order shows.
fn content(length: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from((at % 251) ^ (at >> 12 & 0xff)).unwrap();
    (0..length).map(byte).collect()
}

/// The content in uneven pieces, and then how it ends.
fn on_its_way(content: &[u8], end: Option<MediaFailure>) -> MediaBytes {
    let pieces: Vec<_> =
        content.chunks(100_003).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces.into_iter().chain(end.map(Err))).boxed()
}

async fn read(store: &dyn MediaStore, name: &StorageRef, range: Option<Range<u64>>) -> Vec<u8> {
    let media = store.get(name, range).await.unwrap().unwrap();
    let pieces: Vec<Bytes> = media.bytes.try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES_MAX));
    pieces.concat()
}

async fn names(store: &dyn MediaStore) -> Vec<(StorageRef, u64)> {
    let mut entries = store.list().await.unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries.into_iter().map(|entry| (entry.name, entry.length)).collect()
}

/// Everything that a store promises.
pub(crate) async fn check(store: &dyn MediaStore) {
    what_was_put_is_what_is_got(store).await;
    a_range_is_a_part(store).await;
    a_put_is_whole_or_nothing(store).await;
    a_put_replaces_and_a_delete_removes(store).await;
}

async fn what_was_put_is_what_is_got(store: &dyn MediaStore) {
    for length in [0, 1, 65_535, 1_048_576, 1_048_577, LARGE_BYTES] {
        let content = content(length);
        let put = store.put(&name(1), on_its_way(&content, None)).await.unwrap();
        assert_eq!(put, length as u64);
        let media = store.get(&name(1), None).await.unwrap().unwrap();
        assert_eq!(media.length, length as u64);
        assert!(read(store, &name(1), None).await == content, "{length} bytes came back changed");
    }
    let entries = store.list().await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].name, entries[0].length), (&name(1), LARGE_BYTES as u64));
    assert!(entries[0].written_at > 1_700_000_000_000);
    store.delete(&name(1)).await.unwrap();
}

async fn a_range_is_a_part(store: &dyn MediaStore) {
    let content = content(LARGE_BYTES);
    store.put(&name(1), on_its_way(&content, None)).await.unwrap();
    let end = LARGE_BYTES as u64;
    for range in [0..1, 0..end, 1..end - 1, end - 1..end, 5_242_000..5_243_000] {
        let media = store.get(&name(1), Some(range.clone())).await.unwrap().unwrap();
        assert_eq!(media.length, end, "the length is the whole file's");
        let (from, to) =
            (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        assert!(read(store, &name(1), Some(range)).await == content[from..to], "{from}..{to}");
    }
    assert!(store.get(&name(2), Some(0..1)).await.unwrap().is_none());
    store.delete(&name(1)).await.unwrap();
}

async fn a_put_is_whole_or_nothing(store: &dyn MediaStore) {
    for length in [0, 1, LARGE_BYTES] {
        let failing = on_its_way(&content(length), Some(MediaFailure::Damaged));
        let failure = store.put(&name(1), failing).await.unwrap_err();
        assert!(matches!(failure, MediaFailure::Damaged), "{failure:?}");
        let away = on_its_way(&content(length), Some(Failure::later("away").into()));
        let failure = store.put(&name(1), away).await.unwrap_err();
        assert!(matches!(failure, MediaFailure::Outside(_)), "{failure:?}");
        assert!(store.get(&name(1), None).await.unwrap().is_none());
        assert_eq!(names(store).await, []);
    }
    // What was there before stays when its replacement fails.
    store.put(&name(1), on_its_way(b"old", None)).await.unwrap();
    let failing = on_its_way(&content(LARGE_BYTES), Some(MediaFailure::Gone));
    store.put(&name(1), failing).await.unwrap_err();
    assert_eq!(read(store, &name(1), None).await, b"old");
    store.delete(&name(1)).await.unwrap();
}

async fn a_put_replaces_and_a_delete_removes(store: &dyn MediaStore) {
    store.put(&name(1), on_its_way(b"one", None)).await.unwrap();
    store.put(&name(2), on_its_way(b"second", None)).await.unwrap();
    store.put(&name(1), on_its_way(b"anew", None)).await.unwrap();
    assert_eq!(read(store, &name(1), None).await, b"anew");
    let mut both = [(name(1), 4), (name(2), 6)];
    both.sort();
    assert_eq!(names(store).await, both);
    // Deleting twice is deleting once.
    for _ in 0..2 {
        store.delete(&name(1)).await.unwrap();
        assert!(store.get(&name(1), None).await.unwrap().is_none());
        assert_eq!(names(store).await, [(name(2), 6)]);
    }
    store.delete(&name(2)).await.unwrap();
    assert_eq!(names(store).await, []);
}

async fn folder() -> (TempDir, Arc<dyn MediaStore>) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(Folder { path: folder.path().join("media") });
    let hosting = Hosting::open(place).await.unwrap();
    (folder, Arc::new(hosting))
}

#[tokio::test]
async fn a_folder_keeps_what_the_port_promises() {
    let (_kept, store) = folder().await;
    check(&*store).await;
}

#[tokio::test]
async fn what_lies_in_a_folder_is_there_after_opening_again() {
    let (folder, store) = folder().await;
    store.put(&name(1), on_its_way(b"kept", None)).await.unwrap();
    drop(store);
    let place = Place::Folder(Folder { path: folder.path().join("media") });
    let store = Hosting::open(place).await.unwrap();
    assert_eq!(read(&store, &name(1), None).await, b"kept");
}
