//! What a client sends once before its first frame, and how a server reads it.

use super::{FrameError, length_of};

/// The client header: `WA`, protocol version 6, dictionary version 3. It is also the prologue of the
/// Noise handshake (network facts 3.1, B1).
pub const HEADER: [u8; 4] = [0x57, 0x41, 6, 3];

/// The most bytes of routing information accepted before the header.
pub const MAX_ROUTING: usize = 4 * 1024;

const ROUTING_MARK: [u8; 4] = [0x45, 0x44, 0, 1];

/// What stood before the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// The header as it was sent: the prologue that both ends of the handshake must agree on.
    pub header: [u8; 4],
    /// The routing information of the `ED 00 01` prefix, when the client sent one.
    pub routing: Option<Vec<u8>>,
}

impl Preamble {
    /// Reads the preamble at the start of `received`, with the number of bytes that it takes; `None`
    /// until there are enough of them.
    pub fn parse(received: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((first, rest)) = received.split_first_chunk() else { return Ok(None) };
        if *first != ROUTING_MARK {
            return Ok(Some((Self { header: checked(*first)?, routing: None }, first.len())));
        }
        let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let length = length_of(*length);
        if length > MAX_ROUTING {
            return Err(FrameError::RoutingTooLong { length });
        }
        let Some((routing, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        let Some((header, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let preamble = Self { header: checked(*header)?, routing: Some(routing.to_vec()) };
        Ok(Some((preamble, received.len() - rest.len())))
    }
}

fn checked(header: [u8; 4]) -> Result<[u8; 4], FrameError> {
    match header {
        [b'W', b'A', _, 3] => Ok(header),
        [b'W', b'A', _, version] => Err(FrameError::UnknownDictionary { version }),
        _ => Err(FrameError::NotThisProtocol),
    }
}
