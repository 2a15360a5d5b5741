//! What is carried, what falls back and what is refused: the one table. The documents and what rooms
//! tell their clients are made from it, and a test drives the translation through each of its cells.

mod room_features;
#[cfg(test)]
mod samples;
mod table;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

pub use room_features::{ROOM_FEATURES, room_features};
pub use table::TABLE;

/// What the network lets its partners do beside what everybody may, by its profile. Nothing of it is
/// public (network facts 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a text that was sent can be changed.
    pub edits: bool,
    /// Whether a message that was sent can be taken back.
    pub deletions: bool,
}

/// One kind of what people send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Text,
    Mention,
    Reply,
    Thread,
    Edit,
    Deletion,
    Reaction,
    CustomReaction,
    Image,
    ConvertedImage,
    OtherImage,
    Video,
    OtherVideo,
    Gif,
    VideoNote,
    Audio,
    OtherAudio,
    Voice,
    OtherVoice,
    Document,
    SoundCaption,
    Sticker,
    Location,
    LiveLocation,
    Poll,
    PollVote,
    Contact,
    Event,
    Business,
    Payment,
    Call,
    ViewOnce,
    Disappearing,
    Unknown,
}

/// What the other side gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Appearance {
    Text,
    Reply,
    Edit,
    Deletion,
    Reaction,
    Image,
    Video,
    Gif,
    VideoNote,
    Audio,
    Voice,
    Document,
    Sticker,
    Location,
    /// Words of the bridge.
    Notice,
}

/// What becomes of a kind in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// The other side gets the same.
    Carried(Appearance),
    /// The other side gets something else, as the words for people say.
    FallsBack(Appearance, &'static str),
    /// Nothing is sent, and the person is told; the words say why.
    Refused(&'static str),
    /// Nothing is sent and nothing is said, because nobody would miss it.
    Ignored(&'static str),
    /// There is no such thing on the side that it would come from.
    Absent,
}

/// A kind and what becomes of it in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub kind: Kind,
    /// What a person would call it.
    pub name: &'static str,
    pub to_network: Capability,
    pub to_matrix: Capability,
}

/// What becomes of a kind.
///
/// # Panics
/// Never: a test finds every kind in the table.
pub fn row(kind: Kind) -> &'static Row {
    TABLE.iter().find(|row| row.kind == kind).expect("every kind has a row")
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut table =
        "| what | from Matrix to WhatsApp | from WhatsApp to Matrix |\n| --- | --- | --- |\n"
            .to_owned();
    for Row { name, to_network, to_matrix, .. } in TABLE {
        writeln!(table, "| {name} | {} | {} |", to_network.cell(), to_matrix.cell())
            .expect("a string takes everything");
    }
    table
}

impl Capability {
    fn cell(self) -> String {
        match self {
            Self::Carried(_) => "carried".to_owned(),
            Self::FallsBack(_, how) => format!("falls back: {how}"),
            Self::Refused(why) => format!("refused: {why}"),
            Self::Ignored(why) => format!("ignored: {why}"),
            Self::Absent => "—".to_owned(),
        }
    }
}
