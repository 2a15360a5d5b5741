//! Frames over a WebSocket or a bare TCP stream (network facts 3.1). What a frame holds is not known
//! here.

use causeway_wire::frame::{self, Decoder, MAX_FRAME};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use http::{HeaderValue, header::ORIGIN};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use url::Url;

use super::profile::NetworkProfile;
use crate::port::Failure;

/// Bytes read from a connection at once. A bridge holds one connection a login, so buffers are small.
const READ_BYTES: usize = 16 * 1024;

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The reading half.
pub(super) struct FrameReader {
    source: Source,
    decoder: Decoder,
}

enum Source {
    WebSocket(SplitStream<WebSocket>),
    Stream { half: OwnedReadHalf, buffer: Vec<u8> },
}

/// The writing half.
pub(super) struct FrameWriter {
    sink: Sink,
    /// What still has to precede the first frame.
    header: Option<[u8; 4]>,
}

enum Sink {
    WebSocket(SplitSink<WebSocket, Message>),
    Stream(OwnedWriteHalf),
}

/// Opens the connection that the profile names. It has no deadline of its own.
pub(super) async fn dial(profile: &NetworkProfile) -> Result<(FrameReader, FrameWriter), Failure> {
    let url = &profile.chat_url;
    let (source, sink) = match url.scheme() {
        "ws" | "wss" => dial_web_socket(url, profile.origin.as_deref()).await?,
        "tcp" => dial_stream(url).await?,
        other => return Err(Failure::never(format!("the network has no transport {other}"))),
    };
    let reader = FrameReader { source, decoder: Decoder::new() };
    Ok((reader, FrameWriter { sink, header: Some(profile.header) }))
}

async fn dial_web_socket(url: &Url, origin: Option<&str>) -> Result<(Source, Sink), Failure> {
    let malformed = || Failure::never("the network's address is no WebSocket address");
    let mut request = url.as_str().into_client_request().map_err(|_| malformed())?;
    if let Some(origin) = origin {
        let origin = HeaderValue::from_str(origin).map_err(|_| malformed())?;
        request.headers_mut().insert(ORIGIN, origin);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FRAME)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let (socket, _) = connect_async_with_config(request, Some(config), true)
        .await
        .map_err(|error| Failure::later("the network did not accept a WebSocket").because(error))?;
    let (sink, source) = socket.split();
    Ok((Source::WebSocket(source), Sink::WebSocket(sink)))
}

async fn dial_stream(url: &Url) -> Result<(Source, Sink), Failure> {
    let no_address = || Failure::never("the network's address needs a host and a port");
    let host = url.host_str().ok_or_else(no_address)?;
    let port = url.port().ok_or_else(no_address)?;
    // A URL writes an IPv6 address in brackets, a resolver wants it without.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let away = |error| Failure::later("the network did not accept a connection").because(error);
    let stream = TcpStream::connect((host, port)).await.map_err(away)?;
    stream.set_nodelay(true).map_err(away)?;
    let (half, sink) = stream.into_split();
    Ok((Source::Stream { half, buffer: vec![0; READ_BYTES] }, Sink::Stream(sink)))
}

impl FrameReader {
    /// The next frame; `None` when the other side has closed.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let frame = self.decoder.next_frame();
            if let Some(frame) =
                frame.map_err(|error| Failure::later("not a frame").because(error))?
            {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads once more; whether there may be more after it.
    async fn fill(&mut self) -> Result<bool, Failure> {
        match &mut self.source {
            Source::WebSocket(socket) => match socket.next().await {
                None | Some(Ok(Message::Close(_))) => return Ok(false),
                Some(Ok(Message::Binary(bytes))) => self.decoder.push(&bytes),
                Some(Ok(Message::Text(_))) => {
                    return Err(Failure::later("text came over the network's WebSocket"));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => {
                    return Err(Failure::later("the network's WebSocket broke").because(error));
                }
            },
            Source::Stream { half, buffer } => {
                let read = half.read(buffer).await;
                let read =
                    read.map_err(|error| Failure::later("the connection broke").because(error))?;
                self.decoder.push(&buffer[..read]);
                return Ok(read > 0);
            }
        }
        Ok(true)
    }
}

impl FrameWriter {
    /// Writes one frame, and what precedes the first.
    pub(super) async fn write(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let frame = frame::encode(payload)
            .map_err(|error| Failure::never("a stanza is too long to be sent").because(error))?;
        let bytes = match self.header.take() {
            Some(header) => [header.as_slice(), &frame].concat(),
            None => frame,
        };
        let away = "the connection broke while writing";
        match &mut self.sink {
            Sink::WebSocket(socket) => socket
                .send(Message::Binary(bytes.into()))
                .await
                .map_err(|error| Failure::later(away).because(error)),
            Sink::Stream(half) => {
                half.write_all(&bytes).await.map_err(|error| Failure::later(away).because(error))
            }
        }
    }

    /// Tells the other side that nothing more comes.
    pub(super) async fn close(&mut self) {
        let closed = match &mut self.sink {
            Sink::WebSocket(socket) => socket.close().await.is_ok(),
            Sink::Stream(half) => half.shutdown().await.is_ok(),
        };
        tracing::trace!(closed, "closed the writing half");
    }
}
