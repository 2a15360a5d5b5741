//! From an open transport to a login: the Noise handshake, the client payload, `<success>`.
//!
//! The payload, which carries the identity token, is encrypted only after the server's certificate
//! chain has been verified; a server that fails this has received an ephemeral key and nothing else.

use causeway_wire::{
    node,
    noise::{CertificateTrust, Initiator, KeyPair, NoiseError, Opener, Sealer},
    stanza::{FailureStanza, Stanza, StreamError},
};
use rand::CryptoRng;

use super::{
    profile::NetworkProfile,
    transport::{FrameReader, FrameWriter},
};
use crate::port::{Failure, network::ConnectFailure};

/// Stanzas that may come before the answer to a login.
const STANZAS_BEFORE_LOGIN_MAX: usize = 16;

/// What a login is made of.
pub(super) struct Hello<'a> {
    pub(super) static_keys: KeyPair,
    /// The serialised client payload.
    pub(super) payload: &'a [u8],
    /// Seconds of Unix time, for the dates of certificates.
    pub(super) now_s: u64,
}

/// Logs in. It has no deadline of its own.
pub(super) async fn log_in<R: CryptoRng + Send>(
    profile: &NetworkProfile,
    hello: Hello<'_>,
    rng: &mut R,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(Sealer, Opener), ConnectFailure> {
    let initiator = Initiator::new(hello.static_keys, profile.header, rng);
    writer.write(&initiator.hello()).await.map_err(ConnectFailure::Away)?;
    let answer = next(reader).await?;
    let trust = CertificateTrust { root: profile.certificate_root };
    let (finish, transport) = initiator
        .finish(&answer, &trust, hello.now_s, hello.payload)
        .map_err(|error| untrusted(&error))?;
    writer.write(&finish).await.map_err(ConnectFailure::Away)?;

    let (sealer, mut opener) = transport.into_split();
    for _ in 0..STANZAS_BEFORE_LOGIN_MAX {
        let frame = next(reader).await?;
        let stanza = opener.decrypt(&frame).map_err(|error| away("its answer", error))?;
        let stanza = node::decode(&stanza).map_err(|error| away("its answer", error))?;
        match Stanza::parse(stanza) {
            Stanza::Success(_) => return Ok((sealer, opener)),
            Stanza::Failure(FailureStanza { reason }) => return Err(refused(reason)),
            Stanza::StreamError(StreamError::Code(code)) => return Err(refused(code)),
            Stanza::StreamError(_) | Stanza::StreamEnd => {
                let what = "the network ended the connection instead of answering the login";
                return Err(ConnectFailure::Away(Failure::later(what)));
            }
            other => tracing::debug!(?other, "a stanza came before the answer to the login"),
        }
    }
    Err(ConnectFailure::Away(Failure::later("the network does not answer the login")))
}

async fn next(reader: &mut FrameReader) -> Result<Vec<u8>, ConnectFailure> {
    let frame = reader.next().await.map_err(ConnectFailure::Away)?;
    frame
        .ok_or_else(|| ConnectFailure::Away(Failure::later("the network hung up during the login")))
}

/// The network could not prove that it is the network; why is for the operator to read.
fn untrusted(error: &NoiseError) -> ConnectFailure {
    let why = match error {
        NoiseError::Certificate(why) => why.to_string(),
        other => other.to_string(),
    };
    let text = format!("the server is not proven to be the network, nothing was sent to it: {why}");
    ConnectFailure::Untrusted(Failure::later(text))
}

fn away(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> ConnectFailure {
    let what = format!("the network answered the login, but {what} cannot be read");
    ConnectFailure::Away(Failure::later(what).because(error))
}

/// What the reason of a `<failure>` means for us (network facts 3.5). Which of them the network uses
/// for an enlistment that has run out is not public; 401 and 404 say it most plainly.
fn refused(reason: u16) -> ConnectFailure {
    let what = |text: &str| format!("the network refused the login: {text} ({reason})");
    match reason {
        401 | 404 => ConnectFailure::NotEnlisted(Failure::never(what("it does not know it"))),
        402 => ConnectFailure::Refused(Failure::never(what("it is banned for some time"))),
        403 => ConnectFailure::Refused(Failure::never(what("it is banned"))),
        405 => ConnectFailure::Refused(Failure::never(what("the protocol version is outdated"))),
        400 | 406 | 409 | 413 | 414 => {
            ConnectFailure::Refused(Failure::never(what("the identity token is not acceptable")))
        }
        _ => ConnectFailure::Away(Failure::later(what("not now"))),
    }
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn reasons_of_a_refused_login_are_told_apart() {
        let failure = || Failure::never("");
        for (reason, expected) in [
            (401, ConnectFailure::NotEnlisted(failure())),
            (402, ConnectFailure::Refused(failure())),
            (403, ConnectFailure::Refused(failure())),
            (405, ConnectFailure::Refused(failure())),
            (414, ConnectFailure::Refused(failure())),
            (500, ConnectFailure::Away(failure())),
            (503, ConnectFailure::Away(failure())),
            (515, ConnectFailure::Away(failure())),
            (999, ConnectFailure::Away(failure())),
        ] {
            assert_eq!(discriminant(&refused(reason)), discriminant(&expected), "{reason}");
        }
    }
}
