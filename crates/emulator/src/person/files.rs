//! How a simulated person's phone moves files: encrypts and uploads, downloads and decrypts, in pieces. It must not know
//! messages, nor how the service looks from outside.

use std::{io, ops::Range, path::PathBuf, pin::Pin};

use bytes::Bytes;
use causeway_wire::media::{Decryptor, Encryptor, Expected, MediaError};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::{fs::File, io::AsyncReadExt as _};

use super::{
    content::{Attachment, Kind, RemoteFile},
    sample::{Sample, SampleBytes},
};
use crate::{
    entropy,
    media::{
        Flaws, MEDIA_HOST, MediaStore, Missing, StoreError, storage_reference, stream,
        upload_folder,
    },
    network::Network,
};

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;

/// Where the bytes of a file to be sent come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Path(PathBuf),
    Bytes(Vec<u8>),
    Sample(Sample),
}

/// Why a file could not be uploaded.
#[derive(Debug, Error)]
pub(crate) enum UploadError {
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a file could not be downloaded.
#[derive(Debug, Error)]
pub(crate) enum DownloadError {
    #[error("the media service has no such file: {0}")]
    Missing(#[from] Missing),
    #[error("the path is none of the media service's")]
    Path,
    #[error("the partner's server answered with status {0}")]
    Status(u16),
    #[error("the partner's server cannot be asked")]
    Partner(#[from] reqwest::Error),
    #[error("the download broke off")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the file has {found} bytes, its message says {said}")]
    Length { found: u64, said: u64 },
}

/// A file that was downloaded and proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Downloaded {
    pub(crate) sha256: [u8; 32],
    pub(crate) length: u64,
}

enum Reader {
    File(File),
    Bytes(Vec<u8>, Range<usize>),
    Sample(SampleBytes),
}

impl Reader {
    async fn open(source: &Source) -> io::Result<Self> {
        Ok(match source {
            Source::Path(path) => Self::File(File::open(path).await?),
            Source::Bytes(bytes) => Self::Bytes(bytes.clone(), 0..bytes.len()),
            Source::Sample(sample) => Self::Sample(sample.bytes()),
        })
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::File(file) => {
                let mut piece = Vec::with_capacity(PIECE);
                file.take(PIECE as u64).read_to_end(&mut piece).await?;
                piece
            }
            Self::Bytes(bytes, left) => {
                let piece = left.start..left.end.min(left.start + PIECE);
                left.start = piece.end;
                bytes[piece].to_vec()
            }
            Self::Sample(bytes) => bytes.next(PIECE),
        })
    }
}

/// Encrypts a file under a fresh key and uploads it.
pub(crate) async fn upload(
    store: &MediaStore,
    kind: Kind,
    source: &Source,
) -> Result<RemoteFile, UploadError> {
    let media_key = entropy::bytes();
    let mut encryptor = Encryptor::new(&media_key, kind.keys());
    let mut reader = Reader::open(source).await.map_err(UploadError::Read)?;
    let mut upload = store.begin().await?;
    let mut sealed = Vec::new();
    loop {
        let piece = reader.next().await.map_err(UploadError::Read)?;
        if piece.is_empty() {
            break;
        }
        encryptor.update(&piece, &mut sealed)?;
        upload.write(&sealed).await?;
        sealed.clear();
    }
    let hashes = encryptor.finish(&mut sealed)?;
    upload.write(&sealed).await?;
    let folder = upload_folder(kind.upload()).expect("every kind has a folder");
    let stored = upload.finish(folder, &hashes.file_enc_sha256).await?;
    Ok(RemoteFile {
        url: Some(format!("https://{MEDIA_HOST}{}", stored.direct_path)),
        direct_path: stored.direct_path,
        media_key,
        sha256: hashes.file_sha256,
        enc_sha256: hashes.file_enc_sha256,
        length: hashes.file_length,
    })
}

/// Downloads and decrypts the file of a message, which proves it. The bytes themselves are not kept.
pub(crate) async fn download(
    network: &Network,
    attachment: &Attachment,
) -> Result<Downloaded, DownloadError> {
    let Attachment { kind, file, .. } = attachment;
    let mut pieces = open(network, &file.direct_path).await?;
    let mut decryptor = Decryptor::new(&file.media_key, kind.keys());
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut clear = Vec::new();
    while let Some(piece) = pieces.next().await {
        decryptor.update(&piece?, &mut clear)?;
        hash.update(&clear);
        length += clear.len() as u64;
        clear.clear();
    }
    let expected = Expected { file_sha256: file.sha256, file_enc_sha256: Some(file.enc_sha256) };
    decryptor.finish(&expected, &mut clear)?;
    hash.update(&clear);
    length += clear.len() as u64;
    if length != file.length {
        return Err(DownloadError::Length { found: length, said: file.length });
    }
    Ok(Downloaded { sha256: hash.finalize().into(), length })
}

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Asks the service for the ciphertext. Ordered faults do not strike here.
async fn open(network: &Network, direct_path: &str) -> Result<Pieces, DownloadError> {
    let integrator = network.with(|world| world.integrator_number());
    let hosted = format!("/interop/whatsapp/download/{integrator}/");
    if let Some(rest) = direct_path.strip_prefix(&hosted) {
        let reference = storage_reference(rest).ok_or(DownloadError::Path)?;
        let answer = network.media.partner.fetch(reference, None).await?;
        if !answer.status.is_success() {
            return Err(DownloadError::Status(answer.status.as_u16()));
        }
        return Ok(Box::pin(answer.bytes()));
    }
    let (path, query) = direct_path.split_once('?').unwrap_or((direct_path, ""));
    let (place, stored) = network.media.store.find(path, query)?;
    Ok(Box::pin(stream(&place, 0..stored.length, Flaws::default()).await?))
}
