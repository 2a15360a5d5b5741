//! The server's side of the handshake on a connection, up to the client's payload. It must not know who may log in.

use causeway_wire::{
    jid::JidForm,
    node::{self, Node, NodeError},
    noise::{NoiseError, Opener, Responder, Sealer},
};
use thiserror::Error;

use super::connection::{ConnectionError, FrameReader, FrameWriter};
use crate::{entropy, network::Network};

/// Why a channel cannot be used any more.
#[derive(Debug, Error)]
pub(crate) enum ChannelError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Noise(#[from] NoiseError),
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// The reading half of a channel.
pub(crate) struct ChannelReader {
    frames: FrameReader,
    opener: Opener,
}

/// The writing half of a channel.
pub(crate) struct ChannelWriter {
    frames: FrameWriter,
    sealer: Sealer,
}

/// What a client showed in the handshake.
pub(crate) struct Hello {
    pub(crate) static_key: [u8; 32],
    pub(crate) payload: Vec<u8>,
    pub(crate) reader: ChannelReader,
    pub(crate) writer: ChannelWriter,
}

/// Shakes hands.
pub(crate) async fn shake_hands(
    network: &Network,
    (mut reader, mut writer, header): (FrameReader, FrameWriter, [u8; 4]),
) -> Result<Hello, ChannelError> {
    let chain = network.certificates.chain(network.faults.take_handshake());
    let mut responder =
        Responder::new(network.certificates.server_key(), chain, header, &mut entropy::rng());
    let hello = reader.next().await?;
    let answer = responder.respond(&hello)?;
    writer.send(&answer).await?;
    let finish = reader.next().await?;
    let (static_key, payload, transport) = responder.finish(&finish)?;
    let (sealer, opener) = transport.into_split();
    Ok(Hello {
        static_key,
        payload,
        reader: ChannelReader { frames: reader, opener },
        writer: ChannelWriter { frames: writer, sealer },
    })
}

impl ChannelReader {
    /// The next stanza. Nothing is lost if this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Result<Node, ChannelError> {
        let frame = self.frames.next().await?;
        Ok(node::decode(&self.opener.decrypt(&frame)?)?)
    }
}

impl ChannelWriter {
    /// Sends a stanza.
    pub(crate) async fn send(&mut self, node: &Node) -> Result<(), ChannelError> {
        let plain = node::encode(node, JidForm::Interop245WithServer)?;
        let sealed = self.sealer.encrypt(&plain)?;
        Ok(self.frames.send(&sealed).await?)
    }

    pub(crate) async fn close(self) {
        self.frames.close().await;
    }
}
