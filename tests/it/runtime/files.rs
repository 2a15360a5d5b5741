//! Files that lie at a fake, as kind or unkind to fetch as a test says.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use causeway::port::media::{Download, MediaBytes, MediaFailure};
use futures_util::{StreamExt as _, stream};

/// What a fetch of one file meets, each time anew.
type Serve = Box<dyn Fn() -> Result<Download, MediaFailure> + Send>;

#[derive(Default)]
pub(super) struct Files(Mutex<BTreeMap<String, Serve>>);

impl Files {
    /// A file that is fetched without trouble.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.serve(name, move || {
            let length = u64::try_from(bytes.len()).ok();
            Ok(Download { length, bytes: in_pieces(&bytes, 1000) })
        });
    }

    pub(super) fn serve(
        &self,
        name: &str,
        serve: impl Fn() -> Result<Download, MediaFailure> + Send + 'static,
    ) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(name.to_owned(), Box::new(serve));
    }

    pub(super) fn fetch(&self, name: &str) -> Result<Download, MediaFailure> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(name).ok_or(MediaFailure::Gone)?()
    }
}

pub(super) fn in_pieces(bytes: &[u8], size: usize) -> MediaBytes {
    let pieces: Vec<_> =
        bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}
