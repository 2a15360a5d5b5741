//! Files on their way, and the store of what we host for the network.
//!
//! A file is never whole in memory: it is a stream of pieces, and whoever takes one asks for the
//! next. Only ciphertext comes here; nothing here knows a key.

use std::{fmt, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::Failure;
use crate::domain::{bridged::Timestamp, hosting::LimitOf, ids::StorageRef};

/// Bytes on their way, in pieces of at most a few hundred KiB. After an error nothing more comes.
pub type MediaBytes = BoxStream<'static, Result<Bytes, MediaFailure>>;

/// A file that is being fetched.
pub struct Download {
    /// What the other side said of its length, if it did; a hint for progress and early refusals.
    pub length: Option<u64>,
    pub bytes: MediaBytes,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, bytes: _ } = self;
        f.debug_struct("Download").field("length", length).finish_non_exhaustive()
    }
}

/// Why a file could not be moved. Every variant but [`MediaFailure::Outside`] is for good and
/// becomes a notice.
#[derive(Debug, thiserror::Error)]
pub enum MediaFailure {
    /// 404 or 410: it is no longer there.
    #[error("the file is no longer there")]
    Gone,
    /// More than `limit` bytes.
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64, whose: LimitOf },
    /// A hash, a MAC, a length or the padding does not hold, or the download is cut off for good.
    #[error("the file is damaged")]
    Damaged,
    /// A redirect, a foreign host or a private address.
    #[error("the file lies where the bridge must not fetch from")]
    NotAllowed,
    /// Below the least rate, or no byte for too long.
    #[error("the file came too slowly")]
    TooSlow,
    /// The other side failed; the failure says whether trying again can help.
    #[error(transparent)]
    Outside(#[from] Failure),
}

/// A file of the store, or the part of it that was asked for.
pub struct StoredMedia {
    /// Bytes of the whole file, whatever part was asked for.
    pub length: u64,
    pub bytes: MediaBytes,
}

impl fmt::Debug for StoredMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, bytes: _ } = self;
        f.debug_struct("StoredMedia").field("length", length).finish_non_exhaustive()
    }
}

/// What the store knows of a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    pub name: StorageRef,
    pub length: u64,
    /// When it was written, by the store's clock; a store may say when writing began.
    pub written_at: Timestamp,
}

/// The store of what we host. A folder or a bucket; it belongs to one bridge alone.
#[async_trait]
pub trait MediaStore: Send + Sync {
    /// Whole or nothing: the file exists only if the stream ended well. Returns its length.
    /// Repeating replaces it. A failure of the stream is returned as it is.
    async fn put(&self, name: &StorageRef, bytes: MediaBytes) -> Result<u64, MediaFailure>;

    /// The file or a part of it. `range` is in bytes of the file, end exclusive, not empty and
    /// within it. `None`: no such file.
    async fn get(
        &self,
        name: &StorageRef,
        range: Option<Range<u64>>,
    ) -> Result<Option<StoredMedia>, Failure>;

    /// An absent file is fine.
    async fn delete(&self, name: &StorageRef) -> Result<(), Failure>;

    /// Everything there, for the cleaner.
    async fn list(&self) -> Result<Vec<StoredEntry>, Failure>;

    /// Removes what uploads left behind that ended with the process and began before `before`, as
    /// far as the store shows such. Returns how many.
    async fn discard_unfinished(&self, before: Timestamp) -> Result<u64, Failure>;
}
