//! Small files, such as thumbnails, whole in memory.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use zeroize::Zeroizing;

use super::{Mover, NotMoved, admit, away, not_taken};
use crate::{
    domain::{
        attachment::{AttachmentDecryptor, AttachmentEncryptor, EncryptedFile},
        bridged::ActAs,
        hosting::LimitOf,
        limits,
    },
    port::{
        Failure,
        media::{Download, MediaFailure},
    },
};

/// What a small file may not be larger than is a limit of the bridge.
const TOO_LARGE: MediaFailure =
    MediaFailure::TooLarge { limit: limits::SMALL_FILE_BYTES_MAX as u64, whose: LimitOf::Bridge };

impl Mover {
    /// Fetches an attachment and decrypts it.
    pub async fn fetch_small(
        &self,
        who: &ActAs,
        file: &EncryptedFile,
    ) -> Result<Zeroizing<Vec<u8>>, NotMoved> {
        let download = self.ports.homeserver.download_media(who, &file.url).await;
        let Download { length, bytes } = download.map_err(away)?;
        if length.is_some_and(|length| length > limits::SMALL_FILE_BYTES_MAX as u64) {
            return Err(NotMoved::ForGood(TOO_LARGE));
        }
        let mut decryptor = AttachmentDecryptor::new(file);
        let mut clear = Zeroizing::new(Vec::new());
        let mut bytes = self.paced(bytes);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(away)?;
            if clear.len() + piece.len() > limits::SMALL_FILE_BYTES_MAX {
                return Err(NotMoved::ForGood(TOO_LARGE));
            }
            decryptor.update(&piece, &mut clear);
        }
        decryptor.finish().map_err(|_| NotMoved::ForGood(MediaFailure::Damaged))?;
        Ok(clear)
    }

    /// Encrypts a file under a fresh key and uploads it.
    pub async fn upload_small(&self, who: &ActAs, clear: &[u8]) -> Result<EncryptedFile, NotMoved> {
        if clear.len() > limits::SMALL_FILE_BYTES_MAX {
            return Err(NotMoved::ForGood(TOO_LARGE));
        }
        let length = clear.len() as u64;
        admit(&self.ceiling_at_homeserver().await?, length)?;
        let mut encryptor = AttachmentEncryptor::new(self.attachment_keys());
        let mut sealed = Vec::with_capacity(clear.len());
        encryptor.update(clear, &mut sealed);
        let bytes = stream::iter([Ok(Bytes::from(sealed))]).boxed();
        let uploading = self.ports.homeserver.upload_media(who, length, bytes);
        let late = || Failure::later("uploading a small file: it is not taken").into();
        let uri = tokio::select! {
            uri = uploading => uri,
            () = self.ports.clock.sleep(limits::MEDIA_STALL_MAX) => Err(late()),
        };
        Ok(encryptor.finish().at(uri.map_err(not_taken)?))
    }
}
