//! Frames: what cuts the byte stream of a connection into Noise messages.
//!
//! A frame is a 24-bit big-endian length and that many bytes; a client sends a four-byte header once
//! before its first frame (network facts 3.1). It must not know what is inside a frame.

mod preamble;
#[cfg(test)]
mod tests;

pub use preamble::{HEADER, MAX_ROUTING, Preamble};

/// The most bytes that one frame may carry. The format allows 2^24 - 1; the largest honest frame
/// here is a long text fanned out to a person's devices, well below this.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// The most bytes that a [`Decoder`] holds back for its caller.
pub const MAX_BUFFERED: usize = 2 * (MAX_FRAME + LENGTH_BYTES);

const LENGTH_BYTES: usize = 3;

/// Why bytes are no frame. The connection cannot go on after any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame announces, or a payload has, more than [`MAX_FRAME`] bytes.
    #[error("a frame of {length} bytes, the limit is {MAX_FRAME}")]
    TooLong {
        /// The length announced or asked for.
        length: usize,
    },
    /// More than [`MAX_BUFFERED`] bytes were pushed before the frames in them were taken.
    #[error("more than {MAX_BUFFERED} bytes wait to be cut into frames")]
    Overflow,
    /// The stream does not begin as this protocol does.
    #[error("the stream does not begin with the header of this protocol")]
    NotThisProtocol,
    /// The client packs its nodes with a dictionary that this codec does not have.
    #[error("dictionary version {version}, only version 3 is spoken here")]
    UnknownDictionary {
        /// The fourth byte of the header.
        version: u8,
    },
    /// The routing prefix announces more than [`MAX_ROUTING`] bytes.
    #[error("a routing prefix of {length} bytes, the limit is {MAX_ROUTING}")]
    RoutingTooLong {
        /// The length announced.
        length: usize,
    },
}

/// Puts the length before `payload`.
pub fn encode(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let length = payload.len();
    if length > MAX_FRAME {
        return Err(FrameError::TooLong { length });
    }
    let length = u32::try_from(length).expect("MAX_FRAME fits 24 bits").to_be_bytes();
    let mut frame = Vec::with_capacity(LENGTH_BYTES + payload.len());
    frame.extend_from_slice(&length[1..]);
    frame.extend_from_slice(payload);
    Ok(frame)
}

/// Reassembles frames from a stream that arrives in pieces of any size.
///
/// Take every finished frame with [`Decoder::next_frame`] after each [`Decoder::push`]. Once it has
/// reported an error it reports the same one for ever: there is no way to find the next frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffered: Vec<u8>,
    taken: usize,
    broken: Option<FrameError>,
}

impl Decoder {
    /// A decoder for a stream whose preamble, if any, has been taken off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what the connection delivered.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        self.buffered.drain(..self.taken);
        self.taken = 0;
        if self.buffered.len() + bytes.len() > MAX_BUFFERED {
            self.break_off(FrameError::Overflow);
        } else {
            self.buffered.extend_from_slice(bytes);
        }
    }

    /// The next whole frame, or `None` until more bytes have been pushed.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let Some((length, rest)) = self.buffered[self.taken..].split_first_chunk() else {
            return Ok(None);
        };
        let length = length_of(*length);
        if length > MAX_FRAME {
            return Err(self.break_off(FrameError::TooLong { length }));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let frame = payload.to_vec();
        self.taken += LENGTH_BYTES + length;
        Ok(Some(frame))
    }

    fn break_off(&mut self, error: FrameError) -> FrameError {
        self.buffered = Vec::new();
        self.taken = 0;
        self.broken = Some(error);
        error
    }
}

fn length_of([a, b, c]: [u8; LENGTH_BYTES]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}
