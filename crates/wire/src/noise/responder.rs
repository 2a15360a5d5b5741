//! The server's side of the handshake.

use std::fmt;

use rand::CryptoRng;
use waproto::{
    buffa::MessageField,
    codec::{handshake_message_decode, handshake_message_to_vec},
    whatsapp::{HandshakeMessage, handshake_message::ServerHello},
};

use super::{KeyPair, NoiseError, Transport, symmetric::Symmetric};

/// A server that has not yet finished one client's handshake.
pub struct Responder {
    symmetric: Symmetric,
    static_keys: KeyPair,
    ephemeral: KeyPair,
    chain: Vec<u8>,
    responded: bool,
}

impl Responder {
    /// Awaits a client; `header` is the one that it sent. The chain is passed on unread, so that a
    /// test's server can show a wrong one.
    pub fn new<R: CryptoRng>(
        static_keys: KeyPair,
        cert_chain_bytes: Vec<u8>,
        header: [u8; 4],
        rng: &mut R,
    ) -> Self {
        Self {
            symmetric: Symmetric::new(&header),
            static_keys,
            ephemeral: KeyPair::generate(rng),
            chain: cert_chain_bytes,
            responded: false,
        }
    }

    /// Reads the first message and answers it with our keys and the certificate chain.
    pub fn respond(&mut self, client_hello: &[u8]) -> Result<Vec<u8>, NoiseError> {
        if std::mem::replace(&mut self.responded, true) {
            return Err(NoiseError::OutOfOrder);
        }
        let client_ephemeral: [u8; 32] = handshake_message_decode(client_hello)
            .ok()
            .and_then(|message| message.client_hello.into_option())
            .and_then(|hello| hello.ephemeral?.try_into().ok())
            .ok_or(NoiseError::Malformed { what: "client hello" })?;

        self.symmetric.mix_hash(&client_ephemeral);
        self.symmetric.mix_hash(&self.ephemeral.public());
        self.symmetric.mix_agreement(&self.ephemeral, &client_ephemeral)?;
        let sealed_static = self.symmetric.encrypt(&self.static_keys.public())?;
        self.symmetric.mix_agreement(&self.static_keys, &client_ephemeral)?;
        let server_hello = ServerHello {
            ephemeral: Some(self.ephemeral.public().into()),
            r#static: Some(sealed_static),
            payload: Some(self.symmetric.encrypt(&self.chain)?),
            ..Default::default()
        };
        Ok(handshake_message_to_vec(&HandshakeMessage {
            server_hello: MessageField::some(server_hello),
            ..Default::default()
        }))
    }

    /// Reads the last message: who the client is, what it says, and the channel to it.
    pub fn finish(
        mut self,
        client_finish: &[u8],
    ) -> Result<([u8; 32], Vec<u8>, Transport), NoiseError> {
        if !self.responded {
            return Err(NoiseError::OutOfOrder);
        }
        let finish = handshake_message_decode(client_finish)
            .ok()
            .and_then(|message| message.client_finish.into_option())
            .ok_or(NoiseError::Malformed { what: "client finish" })?;
        let sealed_static =
            finish.r#static.ok_or(NoiseError::Malformed { what: "static key of the client" })?;
        let sealed_payload =
            finish.payload.ok_or(NoiseError::Malformed { what: "client payload" })?;

        let client_static = self.symmetric.decrypt_key(&sealed_static)?;
        self.symmetric.mix_agreement(&self.ephemeral, &client_static)?;
        let client_payload = self.symmetric.decrypt(&sealed_payload)?;
        let (read, write) = self.symmetric.split();
        Ok((client_static, client_payload, Transport::new(&write, &read)))
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("responded", &self.responded).finish_non_exhaustive()
    }
}
