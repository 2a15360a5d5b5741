//! Files that people send each other, in what both sides say of them: which file becomes what, with
//! which words, sizes and pictures. It must not know how a file is moved, encrypted or kept, or where.

mod caption;
mod kind;
mod name;
pub mod picture;
mod to_matrix;
mod to_network;
mod waveform;

pub use caption::recaptioned;
pub use causeway_wire::message::{MediaContent, MediaFile};
pub use kind::{AUDIO, CONVERTED, IMAGES, VIDEOS};
pub use to_matrix::{IncomingMedia, Uploaded};
pub use to_network::{OutgoingMedia, Reading, Shape, Source, caption};

/// Marks a video that plays by itself and without end, as clients and bridges do.
const GIF: &str = "fi.mau.gif";

/// Marks a video that is shown in a circle: the one mark for it that is in use on Matrix.
const ROUND: &str = "fi.mau.telegram.round_message";

/// Marks a voice message (MSC3245).
const VOICE: &str = "org.matrix.msc3245.voice";

/// What a voice message says of itself (MSC1767, as it was first written and as clients send it).
const AUDIO_DETAILS: &str = "org.matrix.msc1767.audio";

/// Something about a file that could not be carried. The file itself always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaLoss {
    /// The network shows no such file: it arrives as a document.
    AsDocument,
    /// Recorded in a format that the network plays as a sound and not as a voice message.
    VoiceAsSound,
    /// A picture that moves arrives as one that does not.
    Still,
    /// A video note with words arrives as a video.
    RoundAsVideo,
    /// The network has no place for words with a sound.
    Caption,
}
