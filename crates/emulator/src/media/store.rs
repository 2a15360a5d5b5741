//! Uploaded ciphertext, one file each in a temporary folder that goes with the emulator. It must not know what is in a file.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use thiserror::Error;
use tokio::{fs::File, io::AsyncWriteExt as _};

use crate::entropy;

/// How much is kept at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of one file.
    pub(super) file_bytes: u64,
    /// Bytes of all files together, unfinished ones too.
    pub(super) total_bytes: u64,
    pub(super) files: usize,
}

/// Why a file is not kept.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    #[error("the media service is full")]
    Full,
    #[error("the bytes are not those of the hash in the path")]
    WrongHash,
    #[error("the file cannot be written")]
    Disk(#[from] io::Error),
}

/// Why there is nothing to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Missing {
    #[error("there is no such file")]
    Unknown,
    #[error("the path is not signed: its query must be kept as it is")]
    Unsigned,
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    /// What a message names it by: path and signed query, as ordinary clients have it.
    pub(crate) direct_path: String,
    /// Bytes of the ciphertext.
    pub(crate) length: u64,
}

#[derive(Debug, Default)]
struct State {
    /// By path without query.
    files: BTreeMap<String, (PathBuf, StoredFile)>,
    /// Of kept and unfinished files.
    bytes: u64,
    uploads: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct MediaStore {
    folder: TempDir,
    limits: Limits,
    state: Mutex<State>,
}

impl MediaStore {
    /// An empty one.
    pub(super) fn in_new_folder(limits: Limits) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("causeway-emulator-media-").tempdir()?;
        Ok(Self { folder, limits, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts keeping a file.
    pub(crate) async fn begin(&self) -> Result<Upload<'_>, StoreError> {
        {
            let mut state = self.state();
            if state.files.len() + state.uploads >= self.limits.files {
                return Err(StoreError::Full);
            }
            state.uploads += 1;
        }
        let name = hex(&entropy::bytes::<16>());
        let path = self.folder.path().join(&name);
        // Made before the file, so that its end gives back what was taken even if there is none.
        let mut upload = Upload {
            store: self,
            name,
            path,
            file: None,
            hash: Sha256::new(),
            length: 0,
            kept: false,
        };
        upload.file = Some(File::create_new(&upload.path).await?);
        Ok(upload)
    }

    /// Finds a file by path and query.
    pub(crate) fn find(&self, path: &str, query: &str) -> Result<(PathBuf, StoredFile), Missing> {
        let found = self.state().files.get(path).cloned().ok_or(Missing::Unknown)?;
        let signature =
            |query: &str| query.split('&').find(|pair| pair.starts_with("oh=")).map(str::to_owned);
        let (_, signed) = found.1.direct_path.split_once('?').expect("a direct path has a query");
        if signature(query) == signature(signed) { Ok(found) } else { Err(Missing::Unsigned) }
    }

    /// Files kept, and bytes of kept and unfinished ones.
    pub(crate) fn usage(&self) -> (usize, u64) {
        let state = self.state();
        (state.files.len(), state.bytes)
    }
}

/// A file on its way in. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    store: &'a MediaStore,
    name: String,
    path: PathBuf,
    file: Option<File>,
    hash: Sha256,
    length: u64,
    kept: bool,
}

impl Upload<'_> {
    /// Appends.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let more = bytes.len() as u64;
        let Limits { file_bytes, total_bytes, .. } = self.store.limits;
        if self.length + more > file_bytes {
            return Err(StoreError::TooLarge(file_bytes));
        }
        {
            let mut state = self.store.state();
            if state.bytes + more > total_bytes {
                return Err(StoreError::Full);
            }
            state.bytes += more;
        }
        self.length += more;
        self.hash.update(bytes);
        let file = self.file.as_mut().expect("a begun upload has a file");
        Ok(file.write_all(bytes).await?)
    }

    /// Keeps the file below `folder`, if it is the one with this hash.
    pub(crate) async fn finish(
        mut self,
        folder: &str,
        sha256: &[u8; 32],
    ) -> Result<StoredFile, StoreError> {
        self.file.as_mut().expect("a begun upload has a file").flush().await?;
        if std::mem::take(&mut self.hash).finalize().as_slice() != sha256 {
            return Err(StoreError::WrongHash);
        }
        let path = format!("/v/{folder}/{}_n.enc", self.name);
        let direct_path = format!("{path}?ccb=11-4&oh={}", hex(&entropy::bytes::<16>()));
        let stored = StoredFile { direct_path, length: self.length };
        self.store.state().files.insert(path, (self.path.clone(), stored.clone()));
        self.kept = true;
        Ok(stored)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        let mut state = self.store.state();
        state.uploads -= 1;
        if !self.kept {
            state.bytes -= self.length;
            // If it cannot be removed it goes with the folder.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { file_bytes: 10, total_bytes: 25, files: 3 };

    fn store() -> MediaStore {
        MediaStore::in_new_folder(LIMITS).unwrap()
    }

    async fn keep(store: &MediaStore, bytes: &[u8]) -> Result<StoredFile, StoreError> {
        let mut upload = store.begin().await?;
        upload.write(bytes).await?;
        upload.finish("t1", &Sha256::digest(bytes).into()).await
    }

    #[tokio::test]
    async fn a_file_is_found_by_its_whole_direct_path_only() {
        let store = store();
        let kept = keep(&store, b"sealed").await.unwrap();
        let (path, query) = kept.direct_path.split_once('?').unwrap();
        let (place, found) = store.find(path, query).unwrap();
        assert_eq!((std::fs::read(place).unwrap(), found.length), (b"sealed".to_vec(), 6));
        assert!(store.find(path, &format!("{query}&mms-type=image")).is_ok());
        assert_eq!(store.find(path, ""), Err(Missing::Unsigned));
        assert_eq!(store.find(path, "oh=0"), Err(Missing::Unsigned));
        assert_eq!(store.find("/v/t1/other_n.enc", query), Err(Missing::Unknown));
    }

    #[tokio::test]
    async fn a_file_has_a_limit() {
        let store = store();
        assert!(keep(&store, &[0; 10]).await.is_ok());
        assert!(matches!(keep(&store, &[0; 11]).await, Err(StoreError::TooLarge(10))));
        assert_eq!(store.usage(), (1, 10), "what was refused counts no more");
    }

    #[tokio::test]
    async fn all_files_together_have_a_limit() {
        let store = store();
        for length in [10, 10, 6] {
            let kept = keep(&store, &vec![0; length]).await;
            assert_eq!(kept.is_ok(), length == 10, "{length}");
        }
        assert!(keep(&store, &[0; 5]).await.is_ok());
        assert_eq!(store.usage(), (3, 25));
        assert!(matches!(store.begin().await, Err(StoreError::Full)), "a fourth file");
    }

    #[tokio::test]
    async fn what_is_not_the_named_file_leaves_nothing() {
        let store = store();
        let mut upload = store.begin().await.unwrap();
        upload.write(b"one").await.unwrap();
        let kept = upload.finish("t1", &Sha256::digest(b"other").into()).await;
        assert!(matches!(kept, Err(StoreError::WrongHash)));
        drop(store.begin().await.unwrap());
        assert_eq!(store.usage(), (0, 0));
        assert_eq!(std::fs::read_dir(store.folder.path()).unwrap().count(), 0);
    }
}
