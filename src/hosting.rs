//! The media store over `object_store`: what we host for the network, in a folder or in a bucket of
//! an S3-compatible service.
//!
//! An object is ciphertext under its random name and nothing else. Which objects are hosted, for
//! whom and until when is in the database; this module must not know of logins, people or time
//! limits. Nothing here holds a whole file: it goes through in bounded parts.

mod bucket;
mod folder;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    Error, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutPayloadMut,
    WriteMultipart, path::Path,
};

pub use self::{bucket::Bucket, folder::Folder};
use crate::{
    domain::{bridged::Timestamp, ids::StorageRef},
    port::{
        Failure, MediaStore,
        media::{MediaBytes, MediaFailure, StoredEntry, StoredMedia},
    },
};

/// Parts of one upload that are on their way to the store, the one being filled included.
const PARTS_AT_ONCE_MAX: usize = 2;

/// Where the store is.
#[derive(Clone, Debug)]
pub enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

/// The [`MediaStore`] port over a folder or a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Hosting {
    store: Arc<dyn ObjectStore>,
    /// What the names of our objects begin with.
    prefix: Path,
    /// Bytes of a part; an upload holds [`PARTS_AT_ONCE_MAX`] of them in memory.
    part_bytes: usize,
    /// A folder shows uploads that never ended; a bucket forgets them by a rule of its own.
    folder: Option<Folder>,
}

impl fmt::Debug for Hosting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hosting({})", self.store)
    }
}

impl Hosting {
    /// Makes a missing folder, for its owner alone. A bucket must exist; it is not asked yet, so
    /// that the bridge starts while its service is away.
    pub async fn open(place: Place) -> Result<Self, Failure> {
        match place {
            Place::Folder(folder) => Ok(Self {
                store: Arc::new(folder.open().await?),
                prefix: Path::default(),
                part_bytes: folder::PART_BYTES,
                folder: Some(folder),
            }),
            Place::Bucket(bucket) => Ok(Self {
                store: Arc::new(bucket.open()?),
                prefix: bucket.prefix_path()?,
                part_bytes: bucket::PART_BYTES,
                folder: None,
            }),
        }
    }

    fn path(&self, name: &StorageRef) -> Path {
        self.prefix.clone().join(name.as_str())
    }
}

#[async_trait]
impl MediaStore for Hosting {
    async fn put(&self, name: &StorageRef, mut bytes: MediaBytes) -> Result<u64, MediaFailure> {
        let path = self.path(name);
        let mut upload = Upload::Small(PutPayloadMut::new());
        let mut length = 0;
        let outcome = async {
            while let Some(piece) = bytes.next().await {
                let piece = piece?;
                length += piece.len() as u64;
                upload.push(self, &path, piece).await?;
            }
            Ok(())
        };
        match outcome.await {
            Ok(()) => upload.finish(self, &path).await.map(|()| length),
            Err(failure) => {
                upload.abandon().await;
                Err(failure)
            }
        }
    }

    async fn get(
        &self,
        name: &StorageRef,
        range: Option<Range<u64>>,
    ) -> Result<Option<StoredMedia>, Failure> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = match self.store.get_opts(&self.path(name), options).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failure("a hosted file could not be read", error)),
        };
        let length = found.meta.size;
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => folder::read(file, found.range),
            GetResultPayload::Stream(bytes) => bytes
                .map_err(|error| failure("a hosted file could not be read on", error).into())
                .boxed(),
        };
        Ok(Some(StoredMedia { length, bytes }))
    }

    async fn delete(&self, name: &StorageRef) -> Result<(), Failure> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("a hosted file could not be deleted", error)),
        }
    }

    async fn list(&self) -> Result<Vec<StoredEntry>, Failure> {
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.is_root());
        let mut objects = self.store.list(prefix);
        let mut entries = Vec::new();
        let trouble = |error| failure("the hosted files could not be listed", error);
        while let Some(object) = objects.try_next().await.map_err(trouble)? {
            // What is not ours by its name and place is left alone.
            let name = object.location.filename().and_then(StorageRef::parse);
            let Some(name) = name.filter(|name| self.path(name) == object.location) else {
                continue;
            };
            let written_at = object.last_modified.timestamp_millis();
            entries.push(StoredEntry { name, length: object.size, written_at });
        }
        Ok(entries)
    }

    async fn discard_unfinished(&self, before: Timestamp) -> Result<u64, Failure> {
        match &self.folder {
            Some(folder) => folder.discard_unfinished(before).await,
            None => Ok(0),
        }
    }
}

/// A file on its way into the store. What fits into one part is one request, and whole by itself.
enum Upload {
    Small(PutPayloadMut),
    InParts(WriteMultipart),
}

impl Upload {
    async fn push(
        &mut self,
        hosting: &Hosting,
        path: &Path,
        piece: bytes::Bytes,
    ) -> Result<(), MediaFailure> {
        match self {
            Self::Small(payload) => {
                payload.push(piece);
                if payload.content_length() > hosting.part_bytes {
                    let begun = hosting.store.put_multipart(path).await.map_err(not_written)?;
                    let mut parts = WriteMultipart::new_with_chunk_size(begun, hosting.part_bytes);
                    for piece in std::mem::take(payload).freeze() {
                        parts.put(piece);
                    }
                    *self = Self::InParts(parts);
                }
            }
            Self::InParts(parts) => {
                parts.wait_for_capacity(PARTS_AT_ONCE_MAX).await.map_err(not_written)?;
                parts.put(piece);
            }
        }
        Ok(())
    }

    async fn finish(self, hosting: &Hosting, path: &Path) -> Result<(), MediaFailure> {
        let finished = match self {
            Self::Small(payload) => hosting.store.put(path, payload.freeze()).await,
            Self::InParts(parts) => parts.finish().await,
        };
        finished.map(|_| ()).map_err(not_written)
    }

    async fn abandon(self) {
        let Self::InParts(parts) = self else { return };
        if let Err(error) = parts.abort().await {
            tracing::debug!(%error, "an upload to the media store could not be taken back");
        }
    }
}

fn not_written(error: Error) -> MediaFailure {
    failure("a file could not be written to the media store", error).into()
}

/// The store is the operator's own: nearly everything that goes wrong there passes, at the latest
/// when the operator has looked after it. The error's own text would name the file.
fn failure(what: &str, error: Error) -> Failure {
    let (hint, passes) = match error {
        Error::NotFound { .. } => ("there is no such folder or bucket", true),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ("access is denied; look at the folder's owner or the bucket's access key", true)
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } | Error::InvalidPath { .. } => {
            ("the store cannot do that", false)
        }
        _ => ("the store does not answer, or is full", true),
    };
    let what = format!("{what}: {hint}");
    if passes { Failure::later(what) } else { Failure::never(what) }.because(error)
}
