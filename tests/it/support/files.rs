//! Files in a stock Matrix client, as a stream: matrix-sdk holds a whole file in memory, which is too
//! much for a large one. Encrypted and decrypted by matrix-sdk-crypto's own code for attachments, so what
//! passes was understood by somebody else than the bridge.

use std::{
    fmt,
    io::{self, Read},
};

use anyhow::{Context, Result, bail};
use matrix_sdk_crypto::{AttachmentDecryptor, AttachmentEncryptor, MediaEncryptionInfo};
use reqwest::{Body, Response, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{emulator::files::FileMark, matrix_client::Person};

/// Bytes of one piece on its way to the homeserver.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for the homeserver.
const PIECES_AHEAD: usize = 4;

/// What is in a file.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    These(Vec<u8>),
    /// So many pseudo-random bytes, which nobody stores.
    Sample {
        size: u64,
        seed: u64,
    },
}

impl Bytes {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::These(bytes) => bytes.len() as u64,
            Self::Sample { size, .. } => *size,
        }
    }

    fn reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::These(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Sample { size, seed } => {
                Box::new(SampleBytes { left: size, state: seed.wrapping_mul(2) + 1 })
            }
        }
    }
}

struct SampleBytes {
    left: u64,
    state: u64,
}

impl Read for SampleBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for chunk in buffer[..wanted].chunks_mut(8) {
            // Marsaglia's xorshift: enough for bytes that no two places share.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            chunk.copy_from_slice(&self.state.to_le_bytes()[..chunk.len()]);
        }
        self.left -= wanted as u64;
        Ok(wanted)
    }
}

/// What a file is, without its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) size: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}…", self.size, &self.sha256[..8])
    }
}

impl From<FileMark> for Print {
    fn from(mark: FileMark) -> Self {
        Self { size: mark.length, sha256: mark.sha256 }
    }
}

/// A file at the homeserver, encrypted.
#[derive(Clone, Debug)]
pub(crate) struct Uploaded {
    /// The `file` of an event.
    pub(crate) file: Value,
    pub(crate) print: Print,
}

/// Counts and hashes what is read through it.
struct Printing<R> {
    inner: R,
    size: u64,
    sha256: Sha256,
}

impl<R> Printing<R> {
    fn new(inner: R) -> Self {
        Self { inner, size: 0, sha256: Sha256::new() }
    }

    fn print(self) -> Print {
        Print { size: self.size, sha256: hex::encode(self.sha256.finalize()) }
    }
}

impl<R: Read> Read for Printing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.size += read as u64;
        self.sha256.update(&buffer[..read]);
        Ok(read)
    }
}

impl Person {
    /// Encrypts a file and uploads it.
    pub(crate) async fn uploads(&self, bytes: Bytes) -> Result<Uploaded> {
        let size = bytes.size();
        let (pieces, waiting) = mpsc::channel(PIECES_AHEAD);
        let encrypting = tokio::task::spawn_blocking(move || encrypt(bytes, &pieces));
        let url = self.client().homeserver().join("_matrix/media/v3/upload")?;
        let answer = self
            .http()?
            .post(url)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size)
            .body(Body::wrap_stream(futures_util::stream::unfold(waiting, async |mut waiting| {
                waiting.recv().await.map(|piece| (piece, waiting))
            })))
            .send()
            .await?;
        let answer: Value = taken(answer).await?.json().await?;
        let (info, print) = encrypting.await??;
        let mut file = serde_json::to_value(info)?;
        file["url"] =
            json!(answer["content_uri"].as_str().context("an upload without an address")?);
        Ok(Uploaded { file, print })
    }

    /// Downloads a file and decrypts it; fails if its hash is not the event's.
    pub(crate) async fn downloads(&self, file: &Value) -> Result<Print> {
        let uri = file["url"].as_str().context("a file without an address")?;
        let path = uri.strip_prefix("mxc://").context("an address that is no mxc")?;
        let url =
            self.client().homeserver().join("_matrix/client/v1/media/download/")?.join(path)?;
        let mut answer = taken(self.http()?.get(url).send().await?).await?;
        let info: MediaEncryptionInfo = serde_json::from_value(file.clone())?;
        let (pieces, waiting) = mpsc::channel(PIECES_AHEAD);
        let decrypting = tokio::task::spawn_blocking(move || decrypt(info, waiting));
        while let Some(piece) = answer.chunk().await? {
            // Whoever decrypts says why, should it have stopped.
            if pieces.send(piece.into()).await.is_err() {
                break;
            }
        }
        drop(pieces);
        decrypting.await?
    }

    /// A client that is allowed what this person is, and puts no limit on time.
    fn http(&self) -> Result<reqwest::Client> {
        let token = self.client().access_token().context("nobody is logged in")?;
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse()?);
        Ok(reqwest::Client::builder().no_proxy().default_headers(headers).build()?)
    }
}

type Piece = io::Result<Vec<u8>>;

fn encrypt(bytes: Bytes, to: &mpsc::Sender<Piece>) -> Result<(MediaEncryptionInfo, Print)> {
    let mut plain = Printing::new(bytes.reader());
    let mut encryptor = AttachmentEncryptor::new(&mut plain);
    loop {
        let mut piece = vec![0; PIECE];
        let read = encryptor.read(&mut piece)?;
        if read == 0 {
            break;
        }
        piece.truncate(read);
        to.blocking_send(Ok(piece)).context("the upload ended early")?;
    }
    let info = encryptor.finish();
    Ok((info, plain.print()))
}

fn decrypt(info: MediaEncryptionInfo, pieces: mpsc::Receiver<Vec<u8>>) -> Result<Print> {
    let mut encrypted = Arriving { pieces, piece: io::Cursor::default() };
    let mut plain = Printing::new(AttachmentDecryptor::new(&mut encrypted, info)?);
    io::copy(&mut plain, &mut io::sink())?;
    Ok(plain.print())
}

/// What arrives in pieces, for a thread that may wait for it.
struct Arriving {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

async fn taken(answer: Response) -> Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    bail!("the homeserver answered {status}: {}", answer.text().await?)
}
