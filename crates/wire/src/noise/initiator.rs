//! The client's side of the handshake.

use std::fmt;

use rand::CryptoRng;
use waproto::{
    buffa::MessageField,
    codec::{handshake_message_decode, handshake_message_to_vec},
    whatsapp::{
        HandshakeMessage,
        handshake_message::{ClientFinish, ClientHello},
    },
};

use super::{
    KeyPair, NoiseError, Transport,
    certificate::{self, Trust},
    symmetric::Symmetric,
};

/// A client that has not yet finished its handshake.
pub struct Initiator {
    symmetric: Symmetric,
    static_keys: KeyPair,
    ephemeral: KeyPair,
}

impl Initiator {
    /// Begins a handshake; `header` is the one that precedes the first frame.
    pub fn new<R: CryptoRng>(static_keys: KeyPair, header: [u8; 4], rng: &mut R) -> Self {
        let ephemeral = KeyPair::generate(rng);
        let mut symmetric = Symmetric::new(&header);
        symmetric.mix_hash(&ephemeral.public());
        Self { symmetric, static_keys, ephemeral }
    }

    /// The first message: our ephemeral key.
    pub fn hello(&self) -> Vec<u8> {
        let client_hello =
            ClientHello { ephemeral: Some(self.ephemeral.public().into()), ..Default::default() };
        handshake_message_to_vec(&HandshakeMessage {
            client_hello: MessageField::some(client_hello),
            ..Default::default()
        })
    }

    /// Reads the server's answer, verifies its certificate chain against `trust` at `now_s` (seconds
    /// of Unix time), and only then encrypts `client_payload`. Gives the last message and the channel.
    pub fn finish(
        mut self,
        server_hello: &[u8],
        trust: &Trust,
        now_s: u64,
        client_payload: &[u8],
    ) -> Result<(Vec<u8>, Transport), NoiseError> {
        let hello = handshake_message_decode(server_hello)
            .ok()
            .and_then(|message| message.server_hello.into_option())
            .ok_or(NoiseError::Malformed { what: "server hello" })?;
        let server_ephemeral: [u8; 32] = hello
            .ephemeral
            .and_then(|key| key.try_into().ok())
            .ok_or(NoiseError::Malformed { what: "ephemeral key of the server" })?;
        let sealed_static =
            hello.r#static.ok_or(NoiseError::Malformed { what: "static key of the server" })?;
        let sealed_chain =
            hello.payload.ok_or(NoiseError::Malformed { what: "certificate chain" })?;

        self.symmetric.mix_hash(&server_ephemeral);
        self.symmetric.mix_agreement(&self.ephemeral, &server_ephemeral)?;
        let server_static = self.symmetric.decrypt_key(&sealed_static)?;
        self.symmetric.mix_agreement(&self.ephemeral, &server_static)?;
        let chain = self.symmetric.decrypt(&sealed_chain)?;
        certificate::verify(&chain, &server_static, trust, now_s)?;

        let sealed_static = self.symmetric.encrypt(&self.static_keys.public())?;
        self.symmetric.mix_agreement(&self.static_keys, &server_ephemeral)?;
        let client_finish = ClientFinish {
            r#static: Some(sealed_static),
            payload: Some(self.symmetric.encrypt(client_payload)?),
            ..Default::default()
        };
        let message = handshake_message_to_vec(&HandshakeMessage {
            client_finish: MessageField::some(client_finish),
            ..Default::default()
        });
        let (write, read) = self.symmetric.split();
        Ok((message, Transport::new(&write, &read)))
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator").finish_non_exhaustive()
    }
}
