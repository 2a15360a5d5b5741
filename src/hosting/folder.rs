//! A folder as the store: one file an object, written beside its name and renamed when it is whole.

use std::{
    fs::File,
    io,
    ops::Range,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use object_store::local::LocalFileSystem;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::{
    domain::{bridged::Timestamp, ids::StorageRef},
    port::{
        Failure,
        media::{MediaBytes, MediaFailure},
    },
};

/// Enough that a write is worth its trip to another thread.
pub(super) const PART_BYTES: usize = 1024 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// A folder that belongs to one bridge alone. Relative to where the bridge runs, like the database.
#[derive(Clone, Debug)]
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub(super) async fn open(&self) -> Result<LocalFileSystem, Failure> {
        let sorry = || {
            let path = self.path.display();
            Failure::never(format!("the folder {path} for hosted media cannot be used"))
        };
        let made =
            tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path).await;
        made.map_err(|error| sorry().because(error))?;
        let store =
            LocalFileSystem::new_with_prefix(&self.path).map_err(|error| sorry().because(error))?;
        // A row that says "hosted" must not outlive its file in a power cut.
        Ok(store.with_fsync(true))
    }

    /// Files that were being written when the process ended, untouched since before `before`.
    pub(super) async fn discard_unfinished(&self, before: Timestamp) -> Result<u64, Failure> {
        let discard = async {
            let mut discarded = 0;
            let mut files = tokio::fs::read_dir(&self.path).await?;
            while let Some(file) = files.next_entry().await? {
                let is_old = written_at(file.metadata().await?.modified()?) < before;
                if is_old && file.file_name().to_str().is_some_and(is_unfinished) {
                    tokio::fs::remove_file(file.path()).await?;
                    discarded += 1;
                }
            }
            Ok(discarded)
        };
        discard.await.map_err(|error: io::Error| {
            Failure::later("the folder for hosted media could not be searched").because(error)
        })
    }
}

/// `object_store` writes to the object's name with `#` and a number behind it.
fn is_unfinished(file_name: &str) -> bool {
    file_name.split_once('#').is_some_and(|(name, number)| {
        StorageRef::parse(name).is_some()
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn written_at(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_millis()).unwrap_or(Timestamp::MAX)
}

/// The part of an open file in pieces; `object_store`'s own are far smaller, each with a trip to
/// another thread.
pub(super) fn read(file: File, range: Range<u64>) -> MediaBytes {
    let file = tokio::fs::File::from_std(file);
    stream::try_unfold((file, range), |(mut file, Range { start, end })| async move {
        if start >= end {
            return Ok(None);
        }
        let wanted = (end - start).min(READ_BYTES as u64);
        let read: Result<_, io::Error> = async {
            file.seek(io::SeekFrom::Start(start)).await?;
            let mut piece = BytesMut::with_capacity(READ_BYTES.min(to_usize(wanted)));
            let count = (&mut file).take(wanted).read_buf(&mut piece).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok((piece.freeze(), start + count as u64))
        }
        .await;
        match read {
            Ok((piece, next)) => Ok(Some((piece, (file, next..end)))),
            Err(error) => {
                let failure = Failure::later("a hosted file could not be read on");
                Err(MediaFailure::from(failure.because(error)))
            }
        }
    })
    .boxed()
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(READ_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_unfinished_files_are_known_by_their_names() {
        let name = StorageRef::from_random([7; 32]);
        let name = name.as_str();
        for (file, is) in [
            (format!("{name}#1"), true),
            (format!("{name}#42"), true),
            (name.to_owned(), false),
            (format!("{name}#"), false),
            (format!("{name}#1x"), false),
            (format!("{name}#1#2"), false),
            ("notes#1".to_owned(), false),
        ] {
            assert_eq!(is_unfinished(&file), is, "{file}");
        }
    }
}
