//! What no caller sees: what is left in the folder, and how much is held in memory.

use std::{
    path::Path as FilePath,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use object_store::{
    memory::InMemory,
    throttle::{ThrottleConfig, ThrottledStore},
};

use super::*;

fn name() -> StorageRef {
    StorageRef::from_random([1; 32])
}

async fn open(folder: &FilePath) -> Hosting {
    Hosting::open(Place::Folder(Folder { path: folder.to_owned() })).await.unwrap()
}

fn file_names(folder: &FilePath) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// Pieces of 64 KiB, and then how it ends.
fn pieces(count: usize, end: Option<MediaFailure>) -> MediaBytes {
    let pieces = (0..count).map(|_| Ok(Bytes::from(vec![5; 64 * 1024])));
    stream::iter(pieces.chain(end.map(Err))).boxed()
}

#[tokio::test]
async fn a_stream_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let hosting = open(folder.path()).await;
    for count in [0, 3, 40] {
        let failure =
            hosting.put(&name(), pieces(count, Some(MediaFailure::Damaged))).await.unwrap_err();
        assert!(matches!(failure, MediaFailure::Damaged));
        assert_eq!(file_names(folder.path()), [""; 0], "{count}");
    }
}

#[tokio::test]
async fn what_a_dead_process_left_is_not_listed_and_is_discarded_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let hosting = open(folder.path()).await;
    let left = format!("{}#1", name().as_str());
    for file in [left.as_str(), "foreign", "foreign#1"] {
        std::fs::write(folder.path().join(file), "x").unwrap();
    }
    assert_eq!(hosting.list().await.unwrap(), []);
    let written = std::fs::metadata(folder.path().join(&left)).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let written = Timestamp::try_from(written).unwrap();
    assert_eq!(hosting.discard_unfinished(written).await.unwrap(), 0);
    assert_eq!(hosting.discard_unfinished(written + 1).await.unwrap(), 1);
    let mut kept = file_names(folder.path());
    kept.sort();
    assert_eq!(kept, ["foreign", "foreign#1"]);
}

#[tokio::test]
async fn an_upload_asks_for_more_only_when_its_parts_have_left() {
    // No part ever leaves.
    let config =
        ThrottleConfig { wait_put_per_call: Duration::from_hours(1), ..Default::default() };
    let hosting = Hosting {
        store: Arc::new(ThrottledStore::new(InMemory::new(), config)),
        prefix: Path::default(),
        part_bytes: 128 * 1024,
        folder: None,
    };
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let counted = pieces(64, None).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let name = name();
    let put = hosting.put(&name, counted.boxed());
    tokio::time::timeout(Duration::from_millis(200), put).await.unwrap_err();
    // Two pieces a part, and the one that finds no room.
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken <= 2 * PARTS_AT_ONCE_MAX + 2, "{taken} pieces were taken");
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a").join("media");
    let _hosting = open(&inner).await;
    assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let failure = Hosting::open(Place::Folder(Folder { path: file })).await.unwrap_err();
    assert!(failure.to_string().contains("file for hosted media cannot be used"), "{failure}");
}

#[test]
fn debug_tells_no_secret() {
    let bucket = Bucket {
        name: "media".to_owned(),
        prefix: String::new(),
        endpoint: None,
        region: "eu".to_owned(),
        access_key_id: "id".to_owned(),
        secret_access_key: "hush-key".to_owned().into(),
    };
    let shown = format!("{:?} {:?}", bucket.open().unwrap(), Place::Bucket(bucket));
    assert!(!shown.contains("hush"), "{shown}");
}
