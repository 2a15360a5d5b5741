//! The media store of a bridge that moves no files.

use std::ops::Range;

use async_trait::async_trait;
use causeway::{
    domain::{bridged::Timestamp, ids::StorageRef},
    port::{
        Failure, MediaStore,
        media::{MediaBytes, MediaFailure, StoredEntry, StoredMedia},
    },
};

pub(crate) struct NoMedia;

#[async_trait]
impl MediaStore for NoMedia {
    async fn put(&self, _name: &StorageRef, _bytes: MediaBytes) -> Result<u64, MediaFailure> {
        Err(Failure::never("no files are simulated").into())
    }

    async fn get(
        &self,
        _name: &StorageRef,
        _range: Option<Range<u64>>,
    ) -> Result<Option<StoredMedia>, Failure> {
        Ok(None)
    }

    async fn delete(&self, _name: &StorageRef) -> Result<(), Failure> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredEntry>, Failure> {
        Ok(Vec::new())
    }

    async fn discard_unfinished(&self, _before: Timestamp) -> Result<u64, Failure> {
        Ok(0)
    }
}
