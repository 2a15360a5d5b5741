use image::ImageFormat;
use serde_json::{Value, json};

use super::{
    super::Kind,
    Sent,
    pictures::{moving_gif, picture},
};

const MESSAGE: &str = "m.room.message";

fn sent(kind: Kind, name: &'static str, content: Value) -> Sent {
    Sent { kind, name, event_type: MESSAGE, content, bytes: Vec::new() }
}

fn file(msgtype: &str, name: &str, mimetype: &str) -> Value {
    json!({
        "msgtype": msgtype,
        "body": name,
        "file": {"url": "mxc://example.org/abc", "v": "v2"},
        "info": {"mimetype": mimetype, "size": 1234},
    })
}

fn with(mut content: Value, fields: &[(&str, Value)]) -> Value {
    for (pointer, value) in fields {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        content.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    content
}

fn image(name: &'static str, kind: Kind, mimetype: &str, bytes: Vec<u8>) -> Sent {
    Sent { bytes, ..sent(kind, name, file("m.image", "picture", mimetype)) }
}

fn words() -> Vec<Sent> {
    let text = |body: &str| json!({"msgtype": "m.text", "body": body});
    let formatted = |body: &str, html: &str| {
        json!({"msgtype": "m.text", "body": body, "format": "org.matrix.custom.html",
            "formatted_body": html})
    };
    let related = |relation: Value| with(text("yes"), &[("/m.relates_to", relation)]);
    let answer = json!({"m.in_reply_to": {"event_id": "$old"}});
    let thread = json!({"rel_type": "m.thread", "event_id": "$root", "is_falling_back": true,
        "m.in_reply_to": {"event_id": "$last"}});
    let edit = json!({"msgtype": "m.text", "body": "* new", "m.new_content": text("new"),
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$old"}});
    let react = |key: &str| Sent {
        event_type: "m.reaction",
        ..sent(
            if key.is_ascii() { Kind::CustomReaction } else { Kind::Reaction },
            if key.is_ascii() { "reaction_of_words" } else { "reaction" },
            json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$old", "key": key}}),
        )
    };
    vec![
        sent(Kind::Text, "text", text("hello 🎉 مرحبا")),
        sent(
            Kind::Text,
            "text_formatted",
            formatted("bold", "<strong>bold</strong> <u>line</u> <span data-mx-spoiler>s</span>"),
        ),
        sent(Kind::Text, "emote", json!({"msgtype": "m.emote", "body": "waves"})),
        sent(
            Kind::Mention,
            "mention",
            formatted("Ann: hi", "<a href=\"https://matrix.to/#/@ann:example.org\">Ann</a>: hi"),
        ),
        sent(Kind::Reply, "reply", related(answer)),
        sent(Kind::Thread, "thread", related(thread)),
        sent(Kind::Edit, "edit", edit),
        react("👍"),
        react("+1"),
    ]
}

fn pictures() -> Vec<Sent> {
    let captioned = with(
        file("m.image", "*look*", "image/jpeg"),
        &[
            ("/filename", json!("IMG_1.jpg")),
            ("/format", json!("org.matrix.custom.html")),
            ("/formatted_body", json!("<strong>look</strong>")),
            ("/m.relates_to", json!({"m.in_reply_to": {"event_id": "$old"}})),
        ],
    );
    let mut captioned = sent(Kind::Image, "image_with_words_as_a_reply", captioned);
    captioned.bytes = picture(ImageFormat::Jpeg, 255);
    let large = with(
        file("m.image", "large.jpg", "image/jpeg"),
        &[("/info/size", json!(100_000_000)), ("/info/w", json!(9000)), ("/info/h", json!(6000))],
    );
    let sticker = |name, bytes| Sent {
        event_type: "m.sticker",
        bytes,
        ..sent(
            Kind::Sticker,
            name,
            json!({"body": "a cat", "url": "mxc://example.org/abc", "info": {"mimetype": "image/webp"}}),
        )
    };
    vec![
        image("image_jpeg", Kind::Image, "image/jpeg", picture(ImageFormat::Jpeg, 255)),
        image("image_png", Kind::Image, "image/png", picture(ImageFormat::Png, 100)),
        image("image_of_a_wrong_type", Kind::Image, "image/png", picture(ImageFormat::Jpeg, 255)),
        captioned,
        sent(Kind::Image, "image_too_large_to_look_at", large),
        image("image_webp", Kind::ConvertedImage, "image/webp", picture(ImageFormat::WebP, 255)),
        image(
            "image_webp_with_transparency",
            Kind::ConvertedImage,
            "image/webp",
            picture(ImageFormat::WebP, 100),
        ),
        image(
            "image_gif_that_is_still",
            Kind::ConvertedImage,
            "image/gif",
            picture(ImageFormat::Gif, 255),
        ),
        image("image_gif_that_moves", Kind::OtherImage, "image/gif", moving_gif()),
        image("image_svg", Kind::OtherImage, "image/svg+xml", b"<svg></svg>".to_vec()),
        image("image_that_is_empty", Kind::OtherImage, "image/jpeg", Vec::new()),
        sticker("sticker", picture(ImageFormat::WebP, 100)),
        sticker("sticker_that_moves", moving_gif()),
    ]
}

fn films_and_sounds() -> Vec<Sent> {
    let film = |mimetype: &str| {
        with(
            file("m.video", "film.mp4", mimetype),
            &[("/info/w", json!(640)), ("/info/h", json!(480)), ("/info/duration", json!(7400))],
        )
    };
    let round = |content| with(content, &[("/info/fi.mau.telegram.round_message", json!(true))]);
    let captioned =
        |content: Value| with(content, &[("/filename", json!("a.bin")), ("/body", json!("words"))]);
    let sound = |mimetype: &str| {
        with(file("m.audio", "sound.mp3", mimetype), &[("/info/duration", json!(7000))])
    };
    let voice = |mimetype: &str| {
        with(
            sound(mimetype),
            &[
                ("/org.matrix.msc3245.voice", json!({})),
                (
                    "/org.matrix.msc1767.audio",
                    json!({"duration": 7000, "waveform": [0, 512, 1024]}),
                ),
            ],
        )
    };
    vec![
        sent(Kind::Video, "video", film("video/mp4")),
        sent(Kind::Video, "video_with_words", captioned(film("video/3gpp"))),
        sent(Kind::OtherVideo, "video_webm", film("video/webm")),
        sent(Kind::Gif, "gif", with(film("video/mp4"), &[("/info/fi.mau.gif", json!(true))])),
        sent(Kind::VideoNote, "video_note", round(film("video/mp4"))),
        sent(Kind::Video, "video_note_with_words", captioned(round(film("video/mp4")))),
        sent(Kind::Audio, "audio_mp3", sound("audio/mp3")),
        sent(Kind::OtherAudio, "audio_flac", sound("audio/flac")),
        sent(Kind::SoundCaption, "audio_with_words", captioned(sound("audio/ogg"))),
        sent(Kind::Voice, "voice", voice("audio/ogg")),
        sent(Kind::OtherVoice, "voice_m4a", voice("audio/mp4")),
        sent(Kind::Document, "document", file("m.file", "../report.pdf", "application/pdf")),
        sent(Kind::Document, "document_with_words", captioned(file("m.file", "", "image/jpeg"))),
    ]
}

fn others() -> Vec<Sent> {
    let location = json!({"msgtype": "m.location", "body": "Home", "geo_uri": "geo:52.5,13.4;u=10",
        "org.matrix.msc3488.location": {"uri": "geo:52.5,13.4;u=10", "description": "Home"}});
    let other = |kind, name, event_type, content| Sent { event_type, ..sent(kind, name, content) };
    let poll = json!({"org.matrix.msc3381.poll.start": {
        "question": {"org.matrix.msc1767.text": "when?"},
        "answers": [{"id": "a", "org.matrix.msc1767.text": "now"},
            {"id": "b", "org.matrix.msc1767.text": "later"}]}});
    let stable = json!({"m.poll": {"question": {"m.text": [{"body": "when?"}]},
        "answers": [{"m.id": "a", "m.text": [{"body": "now"}]}]}});
    let beacon = json!({"org.matrix.msc3488.location": {"uri": "geo:1,2"}});
    vec![
        sent(Kind::Location, "location", location),
        other(Kind::LiveLocation, "live_location", "org.matrix.msc3672.beacon", beacon),
        other(Kind::Poll, "poll", "org.matrix.msc3381.poll.start", poll),
        other(Kind::Poll, "poll_stable", "m.poll.start", stable),
        other(Kind::PollVote, "poll_vote", "org.matrix.msc3381.poll.response", json!({})),
        other(Kind::Call, "call", "m.call.invite", json!({"call_id": "1"})),
        sent(Kind::Unknown, "unknown", json!({"msgtype": "org.example.odd", "body": "odd"})),
        sent(Kind::Unknown, "file_without_address", json!({"msgtype": "m.file", "body": "a"})),
    ]
}

pub(crate) fn from_matrix() -> Vec<Sent> {
    [words(), pictures(), films_and_sounds(), others()].into_iter().flatten().collect()
}
