//! The media store, played in memory: its times are the test's, and it can be away.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use causeway::{
    domain::{bridged::Timestamp, ids::StorageRef},
    port::{
        Clock as _, Failure, MediaStore,
        media::{MediaBytes, MediaFailure, StoredEntry, StoredMedia},
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::surroundings::{Gate, ManualClock, Trouble};

/// Bytes of a piece that is read.
const PIECE_BYTES: usize = 1_000;

pub(super) struct FakeMediaStore {
    clock: Arc<ManualClock>,
    objects: Mutex<BTreeMap<StorageRef, (Bytes, Timestamp)>>,
    calls: AtomicU64,
    /// What every call meets.
    pub(super) trouble: Mutex<Option<Trouble>>,
    /// What cannot be deleted.
    pub(super) undeletable: Mutex<Option<StorageRef>>,
    /// Holds what is read back before each piece.
    pub(super) reading: Arc<Gate>,
    /// Up to when it was asked to discard what never ended.
    pub(super) discarded_before: Mutex<Option<Timestamp>>,
}

impl FakeMediaStore {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            objects: Mutex::default(),
            trouble: Mutex::default(),
            undeletable: Mutex::default(),
            reading: Arc::default(),
            calls: AtomicU64::default(),
            discarded_before: Mutex::default(),
        }
    }

    /// Puts an object there as if it was written now.
    pub(super) fn place(&self, name: &StorageRef, bytes: Vec<u8>) {
        let object = (bytes.into(), self.clock.now());
        self.objects.lock().unwrap().insert(name.clone(), object);
    }

    pub(super) fn has(&self, name: &StorageRef) -> bool {
        self.objects.lock().unwrap().contains_key(name)
    }

    /// Removes an object past the port.
    pub(super) fn remove(&self, name: &StorageRef) {
        self.objects.lock().unwrap().remove(name);
    }

    /// How often it was called.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    fn troubled(&self) -> Result<(), Failure> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Trouble::befall(*self.trouble.lock().unwrap(), ())
    }
}

#[async_trait]
impl MediaStore for FakeMediaStore {
    async fn put(&self, name: &StorageRef, bytes: MediaBytes) -> Result<u64, MediaFailure> {
        self.troubled()?;
        let pieces: Vec<Bytes> = bytes.try_collect().await?;
        let bytes = pieces.concat();
        let length = bytes.len() as u64;
        self.place(name, bytes);
        Ok(length)
    }

    async fn get(
        &self,
        name: &StorageRef,
        range: Option<Range<u64>>,
    ) -> Result<Option<StoredMedia>, Failure> {
        self.troubled()?;
        let object = self.objects.lock().unwrap().get(name).cloned();
        Ok(object.map(|(bytes, _)| {
            let length = bytes.len() as u64;
            let range = range.unwrap_or(0..length);
            let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            let part = bytes.slice(part);
            let pieces: Vec<_> =
                part.chunks(PIECE_BYTES).map(|piece| part.slice_ref(piece)).collect();
            let reading = Arc::clone(&self.reading);
            let bytes = stream::iter(pieces).then(move |piece| {
                let reading = Arc::clone(&reading);
                async move {
                    reading.pass().await;
                    Ok(piece)
                }
            });
            StoredMedia { length, bytes: bytes.boxed() }
        }))
    }

    async fn delete(&self, name: &StorageRef) -> Result<(), Failure> {
        self.troubled()?;
        if self.undeletable.lock().unwrap().as_ref() == Some(name) {
            return Err(Failure::later("the fake keeps this one"));
        }
        self.remove(name);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredEntry>, Failure> {
        self.troubled()?;
        let objects = self.objects.lock().unwrap();
        let entry = |(name, (bytes, written_at)): (&StorageRef, &(Bytes, Timestamp))| {
            let length = bytes.len() as u64;
            StoredEntry { name: name.clone(), length, written_at: *written_at }
        };
        Ok(objects.iter().map(entry).collect())
    }

    async fn discard_unfinished(&self, before: Timestamp) -> Result<u64, Failure> {
        self.troubled()?;
        *self.discarded_before.lock().unwrap() = Some(before);
        Ok(0)
    }
}

#[tokio::test]
async fn the_fake_keeps_what_the_port_promises() {
    crate::media_store::check(&FakeMediaStore::new(Arc::default())).await;
}
