//! Moves files between the homeserver and the network, encrypted anew in between, as streams: of a
//! file of any size only the pieces that are on their way are in memory, and nothing clear leaves it.
//!
//! It moves bytes and knows their keys; which message names a file, and what a person is told when
//! it cannot be moved, is the paths' to know.

mod flow;
mod pace;
mod quota;
mod whole;

use std::{fmt, sync::Arc};

use ruma::OwnedMxcUri;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

pub use self::whole::WholeTurn;

use self::{
    flow::{Flow, Stopped},
    quota::Quotas,
};
use super::ports::Ports;
use crate::{
    domain::{
        attachment::{Attachment, AttachmentKeys, EncryptedFile, Opening},
        bridged::ActAs,
        hosting::HostedMedia,
        ids::{LoginId, StorageRef},
        limits,
        moving::{
            Ceiling, Described, Inward, MEDIA_KEY_BYTES, MediaHashes, MediaKind, Outward,
            encrypted_len,
        },
        notice::FileTrouble,
    },
    port::{
        Failure, Retry,
        media::{Download, MediaBytes, MediaFailure},
        network::RemoteFile,
        storage::Change,
    },
};

/// Moves files. Cheap to clone; all clones share their turns.
#[derive(Clone, Debug)]
pub struct Mover {
    ports: Ports,
    turns: Arc<Semaphore>,
    /// Of files that are whole in memory.
    wholes: Arc<Semaphore>,
    quotas: Quotas,
}

/// The right to move the files of one message. Who gets none waits in its lane, so that files never
/// keep all lanes from those that have words to carry.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A file of a Matrix event that is to be hosted for the network.
#[derive(Debug)]
pub struct Leaving<'a> {
    /// Whose quota it counts against.
    pub login: &'a LoginId,
    /// Who fetches it from the homeserver.
    pub who: &'a ActAs,
    pub file: &'a Attachment,
    pub kind: MediaKind,
    /// What the event says of its length.
    pub claimed: Option<u64>,
}

/// A file that is hosted, once `change` is committed. `Debug` shows no key.
pub struct MovedOut {
    pub name: StorageRef,
    pub media_key: Zeroizing<[u8; MEDIA_KEY_BYTES]>,
    pub hashes: MediaHashes,
    /// Belongs into the commit of the message that names the file.
    pub change: Change,
}

/// A file of a message of the network that is to become an attachment.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// Who uploads it to the homeserver.
    pub who: &'a ActAs,
    pub from: &'a RemoteFile,
    pub file: &'a Described,
}

/// A file that lies on the homeserver.
#[derive(Debug)]
pub struct MovedIn {
    pub file: EncryptedFile,
    pub length: u64,
}

/// Why a file was not moved.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// It never will be: the person is told.
    #[error(transparent)]
    ForGood(MediaFailure),
    /// Where it lies nobody answers. That may be for good, if it lasts.
    #[error(transparent)]
    SourceAway(Failure),
    /// Nobody takes it at the moment, or something of our own is away: that passes.
    #[error(transparent)]
    Later(Failure),
}

impl NotMoved {
    /// What the person is told, if it is for good; otherwise what is to be tried again.
    pub(crate) fn trouble(self, gives_up: bool) -> Result<FileTrouble, Failure> {
        Ok(match self {
            Self::Later(failure) => return Err(failure),
            Self::SourceAway(failure) if !gives_up => return Err(failure),
            Self::SourceAway(_) => FileTrouble::Away,
            Self::ForGood(MediaFailure::Gone) => FileTrouble::Gone,
            Self::ForGood(MediaFailure::TooLarge { limit, whose }) => {
                FileTrouble::TooLarge { limit, whose }
            }
            Self::ForGood(MediaFailure::Damaged) => FileTrouble::Damaged,
            Self::ForGood(MediaFailure::NotAllowed) => FileTrouble::NotAllowed,
            Self::ForGood(MediaFailure::TooSlow) => FileTrouble::TooSlow,
            Self::ForGood(MediaFailure::Outside(failure)) => {
                tracing::warn!(%failure, "a file is refused");
                FileTrouble::Refused
            }
        })
    }
}

impl Mover {
    pub fn new(ports: Ports) -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self {
            ports,
            turns: turns(limits::MEDIA_AT_ONCE_MAX),
            wholes: turns(limits::WHOLE_FILES_AT_ONCE_MAX),
            quotas: Quotas::default(),
        }
    }

    /// `None` when enough files are on their way.
    pub fn turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        Some(Turn { _permit: permit })
    }

    /// Hosts a file under a fresh key and name. What was hosted for nothing, because the process died
    /// before the commit, is the cleaner's.
    pub async fn to_network(
        &self,
        _turn: &Turn,
        leaving: &Leaving<'_>,
    ) -> Result<MovedOut, NotMoved> {
        let ceiling = self.ceiling_here(leaving.login).await?;
        admit(&ceiling, leaving.claimed.unwrap_or(0))?;
        for attempt in 1..=limits::MEDIA_CUTS_MAX {
            match self.fetch_and_host(leaving).await {
                Ok(moved) => return Ok(moved),
                Err(Stopped::NotMoved(reason)) => return Err(reason),
                Err(Stopped::Cut(failure)) => cut_off(attempt, &failure),
            }
        }
        Err(NotMoved::ForGood(MediaFailure::Damaged))
    }

    async fn fetch_and_host(&self, leaving: &Leaving<'_>) -> Result<MovedOut, Stopped> {
        let Leaving { login, who, file, kind, claimed: _ } = leaving;
        let download = self.ports.homeserver.download_media(who, file.url()).await;
        let Download { length, bytes } = download.map_err(away)?;
        self.host(login, *kind, length, Opening::new(file), self.paced(bytes)).await
    }

    /// Removes a file that was hosted for a message which is not sent. What cannot be removed now is
    /// the cleaner's.
    pub(crate) async fn unhost(&self, name: &StorageRef) {
        self.quotas.forget(name);
        if let Err(failure) = self.ports.media.delete(name).await {
            tracing::warn!(?name, %failure, "a file that nobody needs was not removed");
        }
    }

    /// `length` is in the clear, if it is known.
    async fn host(
        &self,
        login: &LoginId,
        kind: MediaKind,
        length: Option<u64>,
        opening: Opening,
        bytes: MediaBytes,
    ) -> Result<MovedOut, Stopped> {
        let ports = &self.ports;
        let mut media_key = Zeroizing::new([0; MEDIA_KEY_BYTES]);
        ports.entropy.fill(&mut *media_key);
        let name = StorageRef::from_random(self.random());
        let (reserved, ceiling) = self.quotas.reserve(ports, login, &name, length).await?;
        let machine = Outward::new(opening, &media_key, kind, ceiling.bytes());
        let (flow, bytes) = Flow::start(bytes, machine, &ceiling, &ports.clock).await?;
        let hosting = ports.media.put(&name, bytes);
        let (hashes, length) = flow.carry("hosting a file", hosting).await?;
        if length != hashes.enc_length {
            let failure = Failure::later("hosting a file: the store has another length of it");
            return Err(NotMoved::Later(failure).into());
        }
        let now = ports.clock.now();
        reserved.keep(length, now);
        let change = Change::MediaHosted(HostedMedia {
            name: name.clone(),
            login: login.clone(),
            length,
            hosted_at: now,
            expires_at: now + limits::millis(ports.media_rules.keep),
        });
        Ok(MovedOut { name, media_key, hashes, change })
    }

    /// Uploads a file under a fresh key.
    pub async fn to_matrix(
        &self,
        _turn: &Turn,
        arriving: &Arriving<'_>,
    ) -> Result<MovedIn, NotMoved> {
        let ceiling = self.ceiling_at_homeserver().await?;
        admit(&ceiling, arriving.file.length)?;
        for attempt in 1..=limits::MEDIA_CUTS_MAX {
            match self.upload(arriving, &ceiling).await {
                Ok(moved) => return Ok(moved),
                Err(Stopped::NotMoved(reason)) => return Err(reason),
                Err(Stopped::Cut(failure)) => cut_off(attempt, &failure),
            }
        }
        Err(NotMoved::ForGood(MediaFailure::Damaged))
    }

    async fn upload(&self, arriving: &Arriving<'_>, ceiling: &Ceiling) -> Result<MovedIn, Stopped> {
        let Arriving { who, from, file } = arriving;
        let download = self.ports.network.download_media(from).await;
        let Download { length, bytes } = download.map_err(away)?;
        if length.is_some_and(|length| length != encrypted_len(file.length)) {
            tracing::debug!("a file of the network has another length than its message says");
            return Err(NotMoved::ForGood(MediaFailure::Damaged).into());
        }
        let machine = Inward::new(file, self.attachment_keys());
        let (bytes, clock) = (self.paced(bytes), &self.ports.clock);
        let (flow, bytes) = Flow::start(bytes, machine, ceiling, clock).await?;
        let uploading = self.ports.homeserver.upload_media(who, file.length, bytes);
        let (sealed, uri): (_, OwnedMxcUri) = flow.carry("uploading a file", uploading).await?;
        Ok(MovedIn { length: sealed.length, file: sealed.at(uri) })
    }

    async fn ceiling_here(&self, login: &LoginId) -> Result<Ceiling, NotMoved> {
        let used = quota::used(&self.ports, login).await.map_err(NotMoved::Later)?;
        Ok(Ceiling::to_network(&self.ports.media_rules, used))
    }

    async fn ceiling_at_homeserver(&self) -> Result<Ceiling, NotMoved> {
        let limit = self.ports.homeserver.media_limit().await.map_err(NotMoved::Later)?;
        Ok(Ceiling::to_matrix(&self.ports.media_rules, limit))
    }

    fn attachment_keys(&self) -> AttachmentKeys {
        AttachmentKeys::from_random(&Zeroizing::new(self.random()))
    }

    fn random<const BYTES: usize>(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        self.ports.entropy.fill(&mut bytes);
        bytes
    }
}

fn admit(ceiling: &Ceiling, length: u64) -> Result<(), NotMoved> {
    if ceiling.admits(length) { Ok(()) } else { Err(NotMoved::ForGood(too_large(ceiling))) }
}

fn too_large(ceiling: &Ceiling) -> MediaFailure {
    MediaFailure::TooLarge { limit: ceiling.limit, whose: ceiling.whose }
}

/// Why the source gave no file.
fn away(failure: MediaFailure) -> NotMoved {
    match failure {
        MediaFailure::Outside(failure) if failure.retry == Retry::Later => {
            NotMoved::SourceAway(failure)
        }
        failure => NotMoved::ForGood(failure),
    }
}

/// Why the destination did not take one.
fn not_taken(failure: MediaFailure) -> NotMoved {
    match failure {
        MediaFailure::Outside(failure) if failure.retry == Retry::Later => NotMoved::Later(failure),
        failure => NotMoved::ForGood(failure),
    }
}

fn cut_off(attempt: u32, failure: &Failure) {
    tracing::debug!(attempt, %failure, "a file was cut off");
}

impl fmt::Debug for MovedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, media_key: _, hashes: _, change: _ } = self;
        f.debug_struct("MovedOut").field("name", name).finish_non_exhaustive()
    }
}
