//! Noise XX as the network speaks it, both ends, and the certificate chain that proves the server.
//!
//! It departs from the Noise specification: the empty payload of the first message is not mixed into
//! the hash, messages travel inside protobufs, and the prologue is the client header (network facts
//! 3.2, B1). Primitives come from libraries. It must not know what the client payload means.
//!
//! An initiator encrypts its payload, which carries the login token, only after the server's
//! certificate chain has been verified: there is no way to get the payload out earlier.

pub mod certificate;
mod initiator;
mod keys;
mod responder;
mod symmetric;
#[cfg(test)]
mod tests;
mod transport;

pub use certificate::{CertificateError, Trust as CertificateTrust};
pub use initiator::Initiator;
pub use keys::KeyPair;
pub use responder::Responder;
pub use transport::{Opener, Sealer, Transport};

/// Why a handshake or a message of the channel failed. The connection is over after any of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// Not the handshake message that is due, or a part of it is missing or of the wrong size.
    #[error("malformed handshake message: {what}")]
    Malformed {
        /// What was looked for.
        what: &'static str,
    },
    /// A ciphertext was changed, or the ends do not share keys, header or order.
    #[error("a message does not authenticate")]
    Authentication,
    /// A public key that gives every peer the same secret.
    #[error("a public key of the other side is degenerate")]
    DegenerateKey,
    /// The server could not prove to be whom we trust; the client payload was not sent.
    #[error("the server's certificate chain is not acceptable")]
    Certificate(#[from] CertificateError),
    /// All nonces of this direction are spent; reconnect.
    #[error("the channel has carried all messages it can")]
    Exhausted,
    /// A responder was driven in the wrong order.
    #[error("the handshake is not at this step")]
    OutOfOrder,
}
