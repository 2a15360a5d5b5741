//! Files that are whole in memory for a while: small ones, such as thumbnails, and pictures that must
//! be looked at.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use super::{MovedOut, Mover, NotMoved, Turn, admit, away, flow::Stopped, not_taken};
use crate::{
    domain::{
        attachment::{Attachment, AttachmentEncryptor, EncryptedFile, Opening},
        bridged::ActAs,
        hosting::LimitOf,
        ids::LoginId,
        limits,
        moving::MediaKind,
    },
    port::{
        Failure,
        media::{Download, MediaFailure},
    },
};

/// The right to have a file whole in memory.
#[derive(Debug)]
pub struct WholeTurn {
    _permit: OwnedSemaphorePermit,
}

impl Mover {
    /// Waits until few enough files are whole in memory. They are small: it does not take long.
    pub async fn whole_turn(&self) -> WholeTurn {
        let turns = std::sync::Arc::clone(&self.wholes);
        let permit = turns.acquire_owned().await.expect("the semaphore is never closed");
        WholeTurn { _permit: permit }
    }

    /// Fetches a file of up to `bytes_max` bytes from the homeserver and decrypts it. A longer one
    /// is over a limit of the bridge.
    pub async fn fetch_whole(
        &self,
        _turn: &WholeTurn,
        who: &ActAs,
        file: &Attachment,
        bytes_max: u64,
    ) -> Result<Zeroizing<Vec<u8>>, NotMoved> {
        let too_large = || MediaFailure::TooLarge { limit: bytes_max, whose: LimitOf::Bridge };
        let download = self.ports.homeserver.download_media(who, file.url()).await;
        let Download { length, bytes } = download.map_err(away)?;
        if length.is_some_and(|length| length > bytes_max) {
            return Err(NotMoved::ForGood(too_large()));
        }
        let mut opening = Opening::new(file);
        let capacity = length.and_then(|length| length.try_into().ok()).unwrap_or(0);
        let mut clear = Zeroizing::new(Vec::with_capacity(capacity));
        let mut bytes = self.paced(bytes);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(away)?;
            if (clear.len() + piece.len()) as u64 > bytes_max {
                return Err(NotMoved::ForGood(too_large()));
            }
            opening.update(&piece, &mut clear);
        }
        opening.finish().map_err(|_| NotMoved::ForGood(MediaFailure::Damaged))?;
        Ok(clear)
    }

    /// Hosts a file that is in memory, under a fresh key and name.
    pub async fn host_whole(
        &self,
        _turn: &WholeTurn,
        login: &LoginId,
        kind: MediaKind,
        clear: Vec<u8>,
    ) -> Result<MovedOut, NotMoved> {
        let length = Some(clear.len() as u64);
        let bytes = stream::iter([Ok(Bytes::from(clear))]).boxed();
        match self.host(login, kind, length, Opening::clear(), bytes).await {
            Ok(moved) => Ok(moved),
            Err(Stopped::NotMoved(reason)) => Err(reason),
            Err(Stopped::Cut(failure)) => Err(NotMoved::Later(failure)),
        }
    }

    /// Encrypts a small file under a fresh key and uploads it.
    pub async fn upload_whole(
        &self,
        _turn: &Turn,
        who: &ActAs,
        clear: &[u8],
    ) -> Result<EncryptedFile, NotMoved> {
        let length = clear.len() as u64;
        admit(&self.ceiling_at_homeserver().await?, length)?;
        let mut encryptor = AttachmentEncryptor::new(self.attachment_keys());
        let mut sealed = Vec::with_capacity(clear.len());
        encryptor.update(clear, &mut sealed);
        let bytes = stream::iter([Ok(Bytes::from(sealed))]).boxed();
        let uploading = self.ports.homeserver.upload_media(who, length, bytes);
        let late = || Failure::later("uploading a small file: it is not taken").into();
        let uri = tokio::select! {
            biased;
            uri = uploading => uri,
            () = self.ports.clock.sleep(limits::MEDIA_STALL_MAX) => Err(late()),
        };
        Ok(encryptor.finish().at(uri.map_err(not_taken)?))
    }
}
