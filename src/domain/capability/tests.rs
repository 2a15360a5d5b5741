//! Drives the translation through every cell of the table, with a snapshot of each sample.

use std::collections::BTreeSet;

use causeway_wire::message::{Media, MediaContent, MediaFile, pad};
use proptest::{collection::vec, prelude::*};
use rand::{SeedableRng, rngs::StdRng};
use ruma::{EventId, user_id};
use serde_json::{Value, json};
use waproto::codec::message_to_vec;

use super::{
    samples::{Received, Sent, from_matrix, from_network},
    *,
};
use crate::domain::{
    document,
    ids::RemoteMessageId,
    markup,
    media::{OutgoingMedia, Reading, Uploaded, picture},
    outgoing::{About, Outgoing, outgoing},
    part::Part,
    text::{self, Incoming, NetworkMessage, Quoted},
};

/// A deletion is a redaction, which is no message: what becomes of it is decided where the redacted
/// message is looked up, and tested there.
const DECIDED_ELSEWHERE: [Kind; 1] = [Kind::Deletion];

/// What was seen to become of a sample.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    As(Appearance),
    Refused,
    Ignored,
}

fn expected(row: &Row, capability: Capability) -> Seen {
    match capability {
        Capability::Carried(appearance) | Capability::FallsBack(appearance, _) => {
            Seen::As(appearance)
        }
        Capability::Refused(_) => Seen::Refused,
        Capability::Ignored(_) => Seen::Ignored,
        Capability::Absent => unreachable!("{} has no sample in this direction", row.name),
    }
}

fn decide(event_type: &str, content: &Value) -> Outgoing {
    let person = user_id!("@p:example.org");
    outgoing(person, person, event_type, content)
}

fn media_file() -> MediaFile {
    MediaFile {
        direct_path: "/interop/whatsapp/download/12/abc/".to_owned(),
        url: None,
        media_key: [1; 32],
        media_key_at: 1,
        sha256: [2; 32],
        enc_sha256: [3; 32],
        length: 1234,
    }
}

/// As the runtime does it: a file that must be seen is seen, then its message is made.
fn moved(mut media: OutgoingMedia, bytes: Vec<u8>) -> (Media, String) {
    if let Reading::Whole { .. } = media.reading() {
        (media, _) = media.seen(bytes);
    }
    let losses = format!("{:?}", media.losses());
    let Ok(NetworkMessage::Media(media)) = media.message(media_file(), None) else {
        unreachable!("the file is one that the network takes")
    };
    (*media, losses)
}

fn appearance(kind: MediaContent) -> Appearance {
    match kind {
        MediaContent::Image => Appearance::Image,
        MediaContent::Video { round: true, .. } => Appearance::VideoNote,
        MediaContent::Video { gif: true, .. } => Appearance::Gif,
        MediaContent::Video { .. } => Appearance::Video,
        MediaContent::Audio { voice: true } => Appearance::Voice,
        MediaContent::Audio { voice: false } => Appearance::Audio,
        MediaContent::Document => Appearance::Document,
        MediaContent::Sticker { .. } => Appearance::Sticker,
    }
}

fn printed(media: &Media) -> String {
    let Media { kind, mimetype, caption, file_name, width, height, seconds, .. } = media;
    let thumbnail = picture::look(&media.thumbnail_jpeg).map(|look| (look.width, look.height));
    format!(
        "{kind:?} of {mimetype}\ncaption: {caption:?}\nname: {file_name:?}\nsize: {width} x {height}\n\
         seconds: {seconds}\nwaveform: {:?}\nthumbnail: {thumbnail:?}",
        media.waveform
    )
}

fn drive_sent(sample: Sent) -> (Seen, String) {
    let Sent { event_type, content, bytes, .. } = sample;
    let input = format!("{event_type} {content:#}");
    let (seen, output) = match decide(event_type, &content) {
        Outgoing::Nothing => (Seen::Ignored, "nothing".to_owned()),
        Outgoing::Refused(notice) => (Seen::Refused, format!("refused: {}", notice.text())),
        Outgoing::Reaction { target, emoji } => {
            (Seen::As(Appearance::Reaction), format!("{emoji} for {target}"))
        }
        Outgoing::Text { text, about, notices } => {
            let appearance = match about {
                About::None => Appearance::Text,
                About::Answers(_) => Appearance::Reply,
                About::Replaces(_) | About::Recaptions(_) => Appearance::Edit,
            };
            let formatted = content["formatted_body"].as_str();
            let losses = markup::to_network(content["body"].as_str().unwrap_or(""), formatted);
            let losses = losses.unwrap().losses;
            let told = format!("losses: {losses:?}, told: {notices:?}");
            (Seen::As(appearance), format!("{text}\nabout: {about:?}\n{told}"))
        }
        Outgoing::Media { media, about, notices } => {
            let (media, losses) = moved(*media, bytes);
            let output = format!(
                "{}\nabout: {about:?}\nlosses: {losses}, told: {notices:?}",
                printed(&media)
            );
            (Seen::As(appearance(media.kind)), output)
        }
    };
    (seen, format!("{input}\n--- becomes\n{output}"))
}

fn shown(part: &Part) -> Appearance {
    let Part { event_type, content } = part;
    let info = |name: &str| content["info"][name] == true;
    match (*event_type, content["msgtype"].as_str()) {
        ("m.sticker", _) => Appearance::Sticker,
        (_, Some("m.image")) => Appearance::Image,
        (_, Some("m.video")) if info("fi.mau.gif") => Appearance::Gif,
        (_, Some("m.video")) if info("fi.mau.telegram.round_message") => Appearance::VideoNote,
        (_, Some("m.video")) => Appearance::Video,
        (_, Some("m.audio")) if content["org.matrix.msc3245.voice"].is_object() => {
            Appearance::Voice
        }
        (_, Some("m.audio")) => Appearance::Audio,
        (_, Some("m.file")) => Appearance::Document,
        (_, Some("m.location")) => Appearance::Location,
        (_, Some("m.notice")) => Appearance::Notice,
        _ if content["m.relates_to"]["rel_type"] == "m.replace" => Appearance::Edit,
        _ if content["m.relates_to"]["m.in_reply_to"].is_object() => Appearance::Reply,
        _ => Appearance::Text,
    }
}

fn parts_of(incoming: &Incoming, event: Option<&EventId>) -> Vec<Part> {
    let messages = |contents: Vec<Value>| contents.into_iter().map(Part::message).collect();
    match incoming {
        Incoming::Text(text) => messages(text.contents(event)),
        Incoming::Edit { text, .. } => messages(text.replacing(&Vec::from_iter(event)).contents),
        Incoming::Media(media) => {
            let thumbnail_file = media.thumbnail().map(|_| json!("thumbnail"));
            media.parts(&Uploaded { file: json!("file"), length: 1234, thumbnail_file }, event)
        }
        Incoming::Told(notice) => vec![Part::notice(notice)],
        Incoming::Reaction { .. }
        | Incoming::Deletion { .. }
        | Incoming::Nothing
        | Incoming::Malformed => Vec::new(),
    }
}

fn drive_received(sample: &Received) -> (Seen, String) {
    let padded = pad(message_to_vec(&sample.message), &mut StdRng::seed_from_u64(1));
    let incoming = text::incoming(&padded);
    let event = incoming.about().map(|_| ruma::event_id!("$old"));
    let parts = parts_of(&incoming, event);
    let (seen, output) = match &incoming {
        Incoming::Nothing | Incoming::Malformed => (Seen::Ignored, "nothing".to_owned()),
        Incoming::Reaction { target, emoji } => {
            (Seen::As(Appearance::Reaction), format!("{emoji:?} for {}", target.0))
        }
        Incoming::Deletion { target } => {
            (Seen::As(Appearance::Deletion), format!("of {}", target.0))
        }
        Incoming::Text(_) | Incoming::Media(_) | Incoming::Edit { .. } | Incoming::Told(_) => {
            let seen = parts.last().map(shown).expect("something is shown");
            let print = |part: &Part| format!("{} {:#}", part.event_type, part.content);
            (Seen::As(seen), parts.iter().map(print).collect::<Vec<_>>().join("\n"))
        }
    };
    (seen, format!("{}\n--- becomes\n{output}", sample.name))
}

#[test]
fn everything_sent_becomes_what_the_table_says() {
    let mut driven = BTreeSet::from(DECIDED_ELSEWHERE);
    for sample in from_matrix() {
        let (kind, name) = (sample.kind, sample.name);
        let (seen, output) = drive_sent(sample);
        assert_eq!(seen, expected(row(kind), row(kind).to_network), "{name}: {output}");
        insta::assert_snapshot!(format!("to_network_{name}"), output);
        driven.insert(kind);
    }
    let present = |row: &&Row| row.to_network != Capability::Absent;
    let all: BTreeSet<_> = TABLE.iter().filter(present).map(|row| row.kind).collect();
    assert_eq!(driven, all);
}

#[test]
fn everything_received_becomes_what_the_table_says() {
    let mut driven = BTreeSet::new();
    for sample in from_network() {
        let Received { kind, name, .. } = sample;
        let (seen, output) = drive_received(&sample);
        assert_eq!(seen, expected(row(kind), row(kind).to_matrix), "{name}: {output}");
        insta::assert_snapshot!(format!("to_matrix_{name}"), output);
        driven.insert(kind);
    }
    let present = |row: &&Row| row.to_matrix != Capability::Absent;
    let all: BTreeSet<_> = TABLE.iter().filter(present).map(|row| row.kind).collect();
    assert_eq!(driven, all);
}

#[test]
fn what_the_room_says_of_files_is_what_becomes_of_them() {
    let able = room_features(u64::MAX, Capabilities { edits: true, deletions: true });
    assert_eq!((&able["edit"], &able["delete"]), (&json!(2), &json!(2)));
    let can = Capabilities::default();
    let features = room_features(u64::MAX, can);
    let largest = |own| room_features(own, can)["file"]["m.file"]["max_size"].as_u64();
    assert_eq!((largest(5), largest(u64::MAX)), (Some(5), Some(2 * 1024 * 1024 * 1024)));
    for sample in from_matrix() {
        let Sent { kind, event_type, ref content, .. } = sample;
        let claimed = content["info"]["mimetype"].as_str().unwrap_or_default().to_owned();
        let voice = content["org.matrix.msc3245.voice"].is_object();
        let name = match content["msgtype"].as_str() {
            Some("m.audio") if voice => "org.matrix.msc3245.voice",
            Some(name @ ("m.image" | "m.video" | "m.audio" | "m.file")) => name,
            _ if event_type == "m.sticker" => "m.sticker",
            _ => continue,
        };
        // What cannot be told from the type alone, or is no file.
        if matches!(kind, Kind::Unknown | Kind::SoundCaption) || sample.name.contains("mp3") {
            continue;
        }
        let types = &features["file"][name]["mime_types"];
        let class = format!("{}/*", claimed.split('/').next().unwrap());
        let found = [&types[&claimed], &types[&class], &types["*/*"]];
        let said = found.into_iter().find_map(Value::as_i64).unwrap();
        let carried = matches!(row(kind).to_network, Capability::Carried(_));
        let as_claimed = !sample.name.contains("wrong_type") && !sample.name.contains("empty");
        assert!(!as_claimed || (said == 2) == carried, "{}: {said}", sample.name);
    }
    insta::assert_snapshot!("room_features", format!("{features:#}"));
}

#[test]
fn every_kind_has_one_row() {
    let kinds: BTreeSet<_> = TABLE.iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), TABLE.len());
    assert_eq!(TABLE.iter().map(|row| row.kind).max(), Some(Kind::Unknown));
    assert_eq!(TABLE.len(), Kind::Unknown as usize + 1);
}

/// `CAUSEWAY_BLESS=1` writes the table into the documents instead.
#[test]
fn the_documents_hold_the_table() {
    let start = "the table of src/domain/capability: made by its tests";
    for name in ["README.md", "ARCHITECTURE.md"] {
        document::check(name, start, "end of the table", &markdown());
    }
}

/// Any JSON, with the names that the translation looks for more often than chance would have them.
fn json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(
        &[
            "msgtype",
            "body",
            "filename",
            "info",
            "file",
            "url",
            "mimetype",
            "duration",
            "geo_uri",
            "m.relates_to",
            "rel_type",
            "event_id",
            "m.new_content",
            "m.poll",
            "question",
            "answers",
            "m.text",
            "waveform",
            "org.matrix.msc1767.audio",
            "org.matrix.msc3245.voice",
            "size",
            "thumbnail_file",
            "thumbnail_info",
            "w",
            "h",
            "org.matrix.msc3488.location",
            "uri",
        ][..],
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(
            &[
                "m.image",
                "m.video",
                "m.audio",
                "m.file",
                "m.location",
                "m.text",
                "m.replace",
                "$1",
                "image/webp",
                "audio/ogg",
                "video/mp4",
                "mxc://a.b/c",
                "geo:1,2",
                "m.thread"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((names.clone(), inner), 0..8).prop_map(|fields| {
                Value::Object(
                    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_event_is_decided_on(
        content in json(),
        event_type in prop::sample::select(
            &["m.room.message", "m.sticker", "m.reaction", "m.poll.start", "m.message", "x"][..]
        ),
        bytes in vec(any::<u8>(), 0..50),
    ) {
        if let Outgoing::Media { media, .. } = decide(event_type, &content) {
            moved(*media, bytes);
        }
    }

    #[test]
    fn any_message_is_shown(field in 1_u16..130, bytes in vec(any::<u8>(), 0..100), event: bool) {
        let tag = field << 3 | 2;
        let [low, high] = [tag & 0x7f | 0x80, tag >> 7].map(|byte| u8::try_from(byte).unwrap());
        let mut message = vec![low, high, u8::try_from(bytes.len()).unwrap()];
        message.extend(bytes);
        let incoming = text::incoming(&pad(message, &mut StdRng::seed_from_u64(1)));
        parts_of(&incoming, event.then_some(ruma::event_id!("$1")));
    }

    #[test]
    fn words_and_quotations_survive_the_way_there_and_back(
        body in "[^*_~`>\\-0-9\\s\\p{C}][^*_~`\\p{C}]{0,200}",
        quoted in "[a-z]{1,20}",
    ) {
        let body = body.trim_end().to_owned();
        let content = json!({"msgtype": "m.text", "body": body,
            "m.relates_to": {"m.in_reply_to": {"event_id": "$old"}}});
        let Outgoing::Text { text, about, .. } = decide("m.room.message", &content) else {
            unreachable!("it is a text")
        };
        prop_assert_eq!(about, About::Answers(ruma::owned_event_id!("$old")));
        let quote = Quoted {
            id: RemoteMessageId("OLD".to_owned()),
            sender: None,
            text: Some(quoted.clone()),
        };
        let message = NetworkMessage::Text { text, quote: Some(quote) };
        let padded = text::network_plaintext(&message, &mut StdRng::seed_from_u64(1));
        let incoming = text::incoming(&padded);
        let related = &parts_of(&incoming, Some(ruma::event_id!("$old")))[0].content;
        prop_assert_eq!(&related["body"], &body);
        prop_assert_eq!(&related["m.relates_to"], &content["m.relates_to"]);
        let unrelated = &parts_of(&incoming, None)[0].content["body"];
        prop_assert_eq!(unrelated, &format!("> {quoted}\n{body}"));
    }

    #[test]
    fn a_mention_survives_as_a_name(name in "[A-Z][a-z]{1,20}( [A-Z][a-z]{1,20})?") {
        let html = format!("<a href=\"https://matrix.to/#/@a:example.org\">{name}</a>: hello");
        let content = json!({"msgtype": "m.text", "body": format!("{name}: hello"),
            "format": "org.matrix.custom.html", "formatted_body": html,
            "m.mentions": {"user_ids": ["@a:example.org"]}});
        let Outgoing::Text { text, .. } = decide("m.room.message", &content) else {
            unreachable!("it is a text")
        };
        let message = NetworkMessage::Text { text, quote: None };
        let padded = text::network_plaintext(&message, &mut StdRng::seed_from_u64(1));
        let shown = &parts_of(&text::incoming(&padded), None)[0].content["body"];
        prop_assert!(shown.as_str().unwrap().contains(&name), "{shown}");
    }

    #[test]
    fn the_words_with_a_file_survive_the_way_there_and_back(
        body in "[^*_~`>\\-0-9\\s\\p{C}][^*_~`\\p{C}]{0,200}",
    ) {
        let body = body.trim_end().to_owned();
        let content = json!({"msgtype": "m.file", "body": body, "filename": "a.\u{1f980}.pdf",
            "file": {"url": "mxc://a.b/c"}, "info": {"mimetype": "application/pdf"}});
        let Outgoing::Media { media, .. } = decide("m.room.message", &content) else {
            unreachable!("it is a file")
        };
        let message = media.message(media_file(), None).unwrap();
        let padded = text::network_plaintext(&message, &mut StdRng::seed_from_u64(1));
        let shown = &parts_of(&text::incoming(&padded), None)[0].content;
        prop_assert_eq!(&shown["body"], &body);
        prop_assert_eq!(&shown["filename"], "a.\u{1f980}.pdf");
        prop_assert_eq!(&shown["info"]["mimetype"], "application/pdf");
    }
}
