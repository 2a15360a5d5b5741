//! What a room tells its clients of the table: the state event `com.beeper.room_features`, which
//! bridges and clients share. There is no stable successor yet.

use causeway_wire::media::MAX_MEDIA_BYTES;
use serde_json::{Map, Value, json};

use super::{Capabilities, Capability, Kind, row};
use crate::domain::{
    markup::NETWORK_TEXT_CHARS_MAX,
    media::{AUDIO, CONVERTED, IMAGES, VIDEOS},
};

/// The type of the state event; its state key is empty.
pub const ROOM_FEATURES: &str = "com.beeper.room_features";

/// How well something is supported, in the numbers of that event.
const FULLY: i64 = 2;
const PARTLY: i64 = 1;
const DROPPED: i64 = -1;
const REJECTED: i64 = -2;

/// The content of the state event. `own_bytes_max` is the operator's limit on a file, beside the
/// network's; the network lets us do what it `can`.
pub fn room_features(own_bytes_max: u64, can: Capabilities) -> Value {
    let file_bytes_max = own_bytes_max.min(MAX_MEDIA_BYTES);
    let captioned = json!({"caption": FULLY, "max_caption_length": NETWORK_TEXT_CHARS_MAX});
    let uncaptioned = json!({"caption": level(Kind::SoundCaption).min(DROPPED)});
    let files = [
        (
            "m.image",
            &captioned,
            types(&[
                (&IMAGES, Kind::Image),
                (&CONVERTED, Kind::ConvertedImage),
                (&["image/*"], Kind::OtherImage),
            ]),
        ),
        ("m.video", &captioned, types(&[(&VIDEOS, Kind::Video), (&["video/*"], Kind::OtherVideo)])),
        (
            "m.audio",
            &uncaptioned,
            types(&[(&AUDIO, Kind::Audio), (&["audio/*"], Kind::OtherAudio)]),
        ),
        ("m.file", &captioned, types(&[(&["*/*"], Kind::Document)])),
        ("m.sticker", &json!({}), types(&[(&["image/*"], Kind::Sticker)])),
        (
            "org.matrix.msc3245.voice",
            &uncaptioned,
            types(&[(&["audio/ogg"], Kind::Voice), (&["audio/*"], Kind::OtherVoice)]),
        ),
        (
            "fi.mau.gif",
            &captioned,
            types(&[(&["video/mp4"], Kind::Gif), (&["image/gif"], Kind::OtherImage)]),
        ),
    ];
    let files = files.into_iter().map(|(name, words, types)| {
        let mut features = words.clone();
        features["mime_types"] = types;
        features["max_size"] = json!(file_bytes_max);
        (name.to_owned(), features)
    });
    json!({
        "formatting": formatting(),
        "file": files.collect::<Map<_, _>>(),
        "max_text_length": NETWORK_TEXT_CHARS_MAX,
        "location_message": level(Kind::Location),
        "poll": level(Kind::Poll),
        "thread": level(Kind::Thread),
        "reply": level(Kind::Reply),
        "edit": if can.edits { FULLY } else { level(Kind::Edit) },
        "delete": if can.deletions { FULLY } else { level(Kind::Deletion) },
        "reaction": level(Kind::Reaction),
        "reaction_count": 1,
        "custom_emoji_reactions": level(Kind::CustomReaction) > 0,
        "read_receipts": true,
        "typing_notifications": true,
    })
}

fn level(kind: Kind) -> i64 {
    match row(kind).to_network {
        Capability::Carried(_) => FULLY,
        Capability::FallsBack(..) => PARTLY,
        Capability::Ignored(_) => DROPPED,
        Capability::Refused(_) | Capability::Absent => REJECTED,
    }
}

fn types(kinds: &[(&[&str], Kind)]) -> Value {
    let each = |(types, kind): &(&[&str], Kind)| {
        let level = level(*kind);
        types.iter().map(|name| ((*name).to_owned(), json!(level))).collect::<Vec<_>>()
    };
    Value::Object(kinds.iter().flat_map(each).collect())
}

/// What `markup` makes of Matrix's HTML.
fn formatting() -> Value {
    let full = [
        "bold",
        "italic",
        "strikethrough",
        "inline_code",
        "code_block",
        "blockquote",
        "unordered_list",
        "ordered_list",
        "ordered_list.start",
    ];
    let part = [
        "inline_link",
        "user_link",
        "room_link",
        "event_link",
        "headers",
        "horizontal_line",
        "table",
        "custom_emoji",
        "details_summary",
    ];
    let none = [
        "underline",
        "superscript",
        "subscript",
        "color.foreground",
        "color.background",
        "spoiler",
        "spoiler.reason",
        "code_block.syntax_highlighting",
        "math",
        "at_room_mention",
        "ordered_list.jump_value",
    ];
    let levels = [(&full[..], FULLY), (&part[..], PARTLY), (&none[..], DROPPED)];
    let each = levels.into_iter().flat_map(|(names, level)| {
        names.iter().map(move |name| ((*name).to_owned(), json!(level)))
    });
    Value::Object(each.collect())
}
