//! The table itself.

use super::{
    Appearance::{
        Audio, Deletion, Document, Edit, Gif, Image, Location, Notice, Reaction, Reply, Sticker,
        Text, Video, VideoNote, Voice,
    },
    Capability::{self, Absent, Carried, FallsBack, Ignored, Refused},
    Kind, Row,
};

const fn row(kind: Kind, name: &'static str, to_network: Capability, to_matrix: Capability) -> Row {
    Row { kind, name, to_network, to_matrix }
}

/// Every kind, in the order in which people would look for it.
pub const TABLE: &[Row] = &[
    row(Kind::Text, "text, with formatting", Carried(Text), Carried(Text)),
    row(
        Kind::Mention,
        "mentions",
        FallsBack(Text, "the name as text"),
        FallsBack(Text, "the text as it was written"),
    ),
    row(Kind::Reply, "replies", Carried(Reply), Carried(Reply)),
    row(Kind::Thread, "threads", FallsBack(Reply, "a reply to the thread's last message"), Absent),
    row(
        Kind::Edit,
        "edits",
        FallsBack(
            Edit,
            "a new message that quotes the old one, with a mark; carried if the profile has `edits`",
        ),
        Carried(Edit),
    ),
    row(
        Kind::Deletion,
        "deletions",
        Refused(
            "the contact keeps a copy, and the person is told; carried if the profile has `deletes`",
        ),
        Carried(Deletion),
    ),
    row(Kind::Reaction, "reactions", Carried(Reaction), Carried(Reaction)),
    row(Kind::CustomReaction, "reactions that are no emoji", Refused("WhatsApp has none"), Absent),
    row(Kind::Image, "images: JPEG, PNG", Carried(Image), Carried(Image)),
    row(
        Kind::ConvertedImage,
        "images: WebP, GIF that do not move",
        FallsBack(Image, "converted to JPEG or PNG"),
        Carried(Image),
    ),
    row(
        Kind::OtherImage,
        "images that move, or of another format",
        FallsBack(Document, "a document"),
        Carried(Image),
    ),
    row(Kind::Video, "videos: MP4, 3GPP", Carried(Video), Carried(Video)),
    row(
        Kind::OtherVideo,
        "videos of another format",
        FallsBack(Document, "a document"),
        Carried(Video),
    ),
    row(Kind::Gif, "GIFs (videos that play by themselves)", Carried(Gif), Carried(Gif)),
    row(Kind::VideoNote, "video notes (round videos)", Carried(VideoNote), Carried(VideoNote)),
    row(Kind::Audio, "sounds: Ogg, MP3, M4A, AAC, AMR", Carried(Audio), Carried(Audio)),
    row(
        Kind::OtherAudio,
        "sounds of another format",
        FallsBack(Document, "a document"),
        Carried(Audio),
    ),
    row(Kind::Voice, "voice messages: Ogg Opus", Carried(Voice), Carried(Voice)),
    row(
        Kind::OtherVoice,
        "voice messages of another format",
        FallsBack(Audio, "a sound"),
        Carried(Voice),
    ),
    row(Kind::Document, "documents", Carried(Document), Carried(Document)),
    row(
        Kind::SoundCaption,
        "words with a sound",
        FallsBack(Audio, "only the sound, and the person is told"),
        Absent,
    ),
    row(Kind::Sticker, "stickers", FallsBack(Image, "an image"), Carried(Sticker)),
    row(
        Kind::Location,
        "locations",
        FallsBack(Text, "a text with a link to a map"),
        Carried(Location),
    ),
    row(
        Kind::LiveLocation,
        "live locations",
        Ignored("clients send them many times a minute"),
        FallsBack(Location, "the first place, and that it moves on"),
    ),
    row(
        Kind::Poll,
        "polls",
        FallsBack(Text, "a text with numbered answers, and the person is told"),
        FallsBack(Text, "a text with numbered answers"),
    ),
    row(
        Kind::PollVote,
        "votes in polls",
        Ignored("the poll was a text"),
        FallsBack(Notice, "a notice: only WhatsApp's apps can read votes"),
    ),
    row(Kind::Contact, "contact cards", Absent, FallsBack(Text, "a text with names and numbers")),
    row(Kind::Event, "events, invitations", Absent, FallsBack(Notice, "a notice with their words")),
    row(
        Kind::Business,
        "lists, buttons and other messages of businesses",
        Absent,
        FallsBack(Notice, "a notice with their words"),
    ),
    row(Kind::Payment, "payments", Absent, FallsBack(Notice, "a notice that names it")),
    row(
        Kind::Call,
        "calls",
        Ignored("clients show by themselves that nobody answers"),
        FallsBack(Notice, "a notice that names it"),
    ),
    row(
        Kind::ViewOnce,
        "messages to be seen once",
        Absent,
        FallsBack(Image, "shown with a notice that it stays"),
    ),
    row(Kind::Disappearing, "disappearing messages", Absent, FallsBack(Text, "shown; they stay")),
    row(
        Kind::Unknown,
        "anything else",
        Refused("with a notice that names it"),
        FallsBack(Notice, "a notice that names it, with its words if it has any"),
    ),
];
