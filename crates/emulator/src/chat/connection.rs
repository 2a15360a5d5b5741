//! One accepted connection as a stream of bytes, be it a WebSocket or raw TCP, and the frames on it. It must not know what
//! is in a frame. A message of a WebSocket may hold a part of a frame or many (network facts B2).

use std::{io, time::Duration};

use causeway_wire::frame::{Decoder, FrameError, Preamble};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

/// Bytes read from a raw stream at once.
const READ_BYTES: usize = 16 * 1024;
/// Bytes of one WebSocket message.
const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A peer that does not read for so long is given up.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause before looking again whether the first bytes are there.
const PEEK_INTERVAL: Duration = Duration::from_millis(5);
/// The first bytes of an HTTP upgrade.
const HTTP_GET: [u8; 4] = *b"GET ";

/// Why a connection ended without a word.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer does not read")]
    Stuck,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    WebSocket(#[from] tungstenite::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

enum Source {
    Raw(OwnedReadHalf, Box<[u8; READ_BYTES]>),
    WebSocket(SplitStream<WebSocketStream<TcpStream>>),
}

enum Sink {
    Raw(OwnedWriteHalf),
    WebSocket(SplitSink<WebSocketStream<TcpStream>, Message>),
}

/// The reading half: whole frames.
pub(crate) struct FrameReader {
    source: Source,
    decoder: Decoder,
}

/// The writing half: whole frames.
pub(crate) struct FrameWriter {
    sink: Sink,
}

/// Finds out what the peer speaks and reads up to the first frame. Gives the header that it sent.
pub(crate) async fn open(
    stream: TcpStream,
) -> Result<(FrameReader, FrameWriter, [u8; 4]), ConnectionError> {
    let mut first = [0; 4];
    loop {
        match stream.peek(&mut first).await? {
            0 => return Err(ConnectionError::Closed),
            count if count == first.len() => break,
            _ => {}
        }
        // Peeked bytes count as readable, so there is nothing to await but time.
        tokio::time::sleep(PEEK_INTERVAL).await;
    }
    let (source, sink) = if first == HTTP_GET {
        let config = WebSocketConfig::default()
            .max_message_size(Some(WEBSOCKET_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(WEBSOCKET_MESSAGE_BYTES_MAX));
        let (sink, source) = accept_async_with_config(stream, Some(config)).await?.split();
        (Source::WebSocket(source), Sink::WebSocket(sink))
    } else {
        stream.set_nodelay(true)?;
        let (source, sink) = stream.into_split();
        (Source::Raw(source, Box::new([0; READ_BYTES])), Sink::Raw(sink))
    };
    let mut reader = FrameReader { source, decoder: Decoder::new() };
    let mut received = Vec::new();
    let (preamble, length) = loop {
        received.extend(reader.source.read().await?);
        if let Some(found) = Preamble::parse(&received)? {
            break found;
        }
    };
    reader.decoder.push(&received[length..]);
    Ok((reader, FrameWriter { sink }, preamble.header))
}

impl Source {
    async fn read(&mut self) -> Result<Vec<u8>, ConnectionError> {
        match self {
            Self::Raw(half, buffer) => match half.read(&mut buffer[..]).await? {
                0 => Err(ConnectionError::Closed),
                count => Ok(buffer[..count].to_vec()),
            },
            Self::WebSocket(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                    Some(Ok(Message::Close(_))) | None => return Err(ConnectionError::Closed),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                }
            },
        }
    }
}

impl FrameReader {
    /// The next frame. Nothing is lost if this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>, ConnectionError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            let bytes = self.source.read().await?;
            self.decoder.push(&bytes);
        }
    }
}

impl FrameWriter {
    /// Sends a frame.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        let frame = causeway_wire::frame::encode(payload)?;
        let write = async {
            match &mut self.sink {
                Sink::Raw(half) => half.write_all(&frame).await.map_err(ConnectionError::from),
                Sink::WebSocket(sink) => {
                    sink.send(Message::Binary(frame.into())).await.map_err(ConnectionError::from)
                }
            }
        };
        tokio::time::timeout(WRITE_TIME_MAX, write).await.map_err(|_| ConnectionError::Stuck)?
    }

    /// Says goodbye as far as the transport knows how to.
    pub(crate) async fn close(mut self) {
        let farewell = async {
            match &mut self.sink {
                Sink::Raw(half) => half.shutdown().await.is_ok(),
                Sink::WebSocket(sink) => sink.close().await.is_ok(),
            }
        };
        if !tokio::time::timeout(WRITE_TIME_MAX, farewell).await.unwrap_or(false) {
            tracing::debug!("the peer was gone before the farewell");
        }
    }
}
