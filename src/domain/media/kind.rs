//! Which file becomes what on the network: the table of types (network facts 2.5).

use causeway_wire::message::MediaContent;
use serde_json::Value;

use super::{
    GIF, MediaLoss, ROUND, VOICE,
    name::{essence, is_mimetype},
    to_network::Shape,
};

/// Pictures that the network takes as they are.
pub const IMAGES: [&str; 2] = ["image/jpeg", "image/png"];
/// Pictures that become one of those, as long as they do not move and are not too large.
pub const CONVERTED: [&str; 2] = ["image/webp", "image/gif"];
/// Videos that the network plays.
pub const VIDEOS: [&str; 2] = ["video/mp4", "video/3gpp"];
/// Sounds that the network plays.
pub const AUDIO: [&str; 5] = ["audio/ogg", "audio/mp4", "audio/mpeg", "audio/aac", "audio/amr"];

/// The type of sounds that the network shows as voice messages, as its own apps write it.
const VOICE_TYPE: &str = "audio/ogg; codecs=opus";
/// The type of a file of which nothing is known.
const ANYTHING: &str = "application/octet-stream";

/// What a file becomes.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) kind: MediaContent,
    pub(super) mimetype: String,
    pub(super) losses: Vec<MediaLoss>,
}

/// Decides by what the sender's client says. A picture is decided on again when it is seen.
pub(super) fn decide(shape: Shape, content: &Value, has_caption: bool) -> Decision {
    let claimed = content["info"]["mimetype"].as_str().filter(|claimed| is_mimetype(claimed));
    let claimed = claimed.unwrap_or(ANYTHING);
    let essence = essence(claimed);
    let canonical = canonical(&essence);
    let decision =
        |kind, mimetype: &str, losses| Decision { kind, mimetype: mimetype.to_owned(), losses };
    let document = |losses| decision(MediaContent::Document, claimed, losses);
    match shape {
        Shape::File => document(Vec::new()),
        Shape::Image | Shape::Sticker => decision(MediaContent::Image, canonical, Vec::new()),
        Shape::Video if VIDEOS.contains(&canonical) => {
            let flag = |name: &str| content["info"][name] == true;
            let round = flag(ROUND) && !has_caption;
            let losses = (flag(ROUND) && has_caption).then_some(MediaLoss::RoundAsVideo);
            let kind = MediaContent::Video { gif: flag(GIF) && !round, round };
            decision(kind, canonical, losses.into_iter().collect())
        }
        Shape::Audio if AUDIO.contains(&canonical) => {
            let wanted = is_voice(content);
            let voice = wanted && canonical == "audio/ogg";
            let losses = [
                (wanted && !voice).then_some(MediaLoss::VoiceAsSound),
                has_caption.then_some(MediaLoss::Caption),
            ];
            let mimetype = if voice { VOICE_TYPE } else { canonical };
            let losses = losses.into_iter().flatten().collect();
            decision(MediaContent::Audio { voice }, mimetype, losses)
        }
        Shape::Video | Shape::Audio => document(vec![MediaLoss::AsDocument]),
    }
}

/// MSC3245, in each form that it had.
pub(super) fn is_voice(content: &Value) -> bool {
    [VOICE, "org.matrix.msc3245.voice.v2", "m.voice"].iter().any(|mark| content[mark].is_object())
}

/// One name for a type that has several.
fn canonical(essence: &str) -> &str {
    match essence {
        "image/jpg" | "image/pjpeg" => "image/jpeg",
        "video/3gp" => "video/3gpp",
        "video/x-m4v" => "video/mp4",
        "audio/opus" | "audio/x-opus+ogg" => "audio/ogg",
        "audio/m4a" | "audio/x-m4a" => "audio/mp4",
        "audio/mp3" | "audio/x-mp3" => "audio/mpeg",
        "audio/x-aac" | "audio/aacp" => "audio/aac",
        other => other,
    }
}

/// The type of a file of the network: what its sender says if that fits what it is, else what it
/// would ordinarily be.
pub(super) fn shown_type(kind: MediaContent, claimed: &str) -> &str {
    let (class, ordinary) = match kind {
        MediaContent::Image => ("image/", "image/jpeg"),
        MediaContent::Video { .. } => ("video/", "video/mp4"),
        MediaContent::Audio { .. } => ("audio/", "audio/ogg"),
        MediaContent::Document | MediaContent::Sticker { .. } => ("", ANYTHING),
    };
    if is_mimetype(claimed) && essence(claimed).starts_with(class) { claimed } else { ordinary }
}
