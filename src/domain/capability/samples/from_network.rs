use image::ImageFormat;
use waproto::{
    buffa::MessageField,
    whatsapp::{
        ContextInfo, Message, MessageKey,
        message::{
            AudioMessage, CallLogMessage, ContactMessage, DocumentMessage, EventMessage,
            ExtendedTextMessage, FutureProofMessage, GroupInviteMessage, ImageMessage, ListMessage,
            LiveLocationMessage, LocationMessage, PinInChatMessage, PollCreationMessage,
            PollUpdateMessage, ProtocolMessage, ReactionMessage, SendPaymentMessage,
            StickerMessage, VideoMessage, call_log_message::CallOutcome, poll_creation_message,
            protocol_message::Type,
        },
    },
};

use super::{super::Kind, Received, pictures::picture};

fn received(kind: Kind, name: &'static str, message: Message) -> Received {
    Received { kind, name, message }
}

/// A field that is set.
#[expect(clippy::unnecessary_wraps, reason = "that is what fields are")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn text(body: &str) -> Message {
    Message { conversation: some(body), ..Default::default() }
}

fn quoting(quoted: Message) -> MessageField<ContextInfo> {
    MessageField::some(ContextInfo {
        stanza_id: some("OLD"),
        quoted_message: MessageField::some(quoted),
        ..Default::default()
    })
}

fn key() -> MessageField<MessageKey> {
    MessageField::some(MessageKey { id: some("OLD"), ..Default::default() })
}

fn wrapped(message: Message) -> MessageField<FutureProofMessage> {
    MessageField::some(FutureProofMessage { message: MessageField::some(message) })
}

fn words() -> Vec<Received> {
    let reply = ExtendedTextMessage {
        text: some("*yes*"),
        context_info: quoting(text("sure?")),
        ..Default::default()
    };
    let react = ReactionMessage { key: key(), text: some("👍"), ..Default::default() };
    let step = |kind, edited| {
        let step = ProtocolMessage {
            key: key(),
            r#type: Some(kind),
            edited_message: edited,
            ..Default::default()
        };
        Message { protocol_message: MessageField::some(step), ..Default::default() }
    };
    let reply = Message { extended_text_message: MessageField::some(reply), ..Default::default() };
    let react = Message { reaction_message: MessageField::some(react), ..Default::default() };
    let disappearing = Message { ephemeral_message: wrapped(text("psst")), ..Default::default() };
    vec![
        received(Kind::Text, "text", text("hello *world* 🎉")),
        received(Kind::Mention, "mention", text("@4912345 hi")),
        received(Kind::Reply, "reply", reply),
        received(Kind::Reaction, "reaction", react),
        received(Kind::Edit, "edit", step(Type::MESSAGE_EDIT, MessageField::some(text("new")))),
        received(Kind::Deletion, "deletion", step(Type::REVOKE, MessageField::default())),
        received(Kind::Disappearing, "disappearing", disappearing),
    ]
}

fn image(mimetype: &str) -> ImageMessage {
    ImageMessage {
        mimetype: some(mimetype),
        direct_path: some("/v/t1"),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        file_length: Some(1234),
        width: Some(640),
        height: Some(480),
        jpeg_thumbnail: Some(picture(ImageFormat::Jpeg, 255)),
        ..Default::default()
    }
}

fn of_image(image: ImageMessage) -> Message {
    Message { image_message: MessageField::some(image), ..Default::default() }
}

fn video(mimetype: &str, gif: bool) -> MessageField<VideoMessage> {
    MessageField::some(VideoMessage {
        mimetype: some(mimetype),
        direct_path: some("/v/t1"),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        file_length: Some(1234),
        width: Some(640),
        height: Some(480),
        seconds: Some(7),
        gif_playback: Some(gif),
        ..Default::default()
    })
}

fn audio(mimetype: &str, voice: bool) -> Message {
    let audio = AudioMessage {
        mimetype: some(mimetype),
        direct_path: some("/v/t1"),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        file_length: Some(1234),
        seconds: Some(7),
        ptt: Some(voice),
        waveform: voice.then(|| (0..64).collect()),
        ..Default::default()
    };
    Message { audio_message: MessageField::some(audio), ..Default::default() }
}

fn document(name: &str) -> DocumentMessage {
    DocumentMessage {
        mimetype: some("application/pdf"),
        file_name: some(name),
        direct_path: some("/v/t1"),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        file_length: Some(1234),
        ..Default::default()
    }
}

fn sticker(mimetype: &str, animated: bool) -> Message {
    let sticker = StickerMessage {
        mimetype: some(mimetype),
        direct_path: some("/v/t1"),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        width: Some(512),
        height: Some(512),
        is_animated: Some(animated),
        ..Default::default()
    };
    Message { sticker_message: MessageField::some(sticker), ..Default::default() }
}

fn files() -> Vec<Received> {
    let captioned = ImageMessage {
        caption: some("*look*"),
        context_info: quoting(text("show me")),
        ..image("image/jpeg")
    };
    let of_video = |field| Message { video_message: field, ..Default::default() };
    let of_document =
        |document| Message { document_message: MessageField::some(document), ..Default::default() };
    let wordy = of_document(DocumentMessage { caption: some("read"), ..document("a.pdf") });
    let lost = ImageMessage { media_key: None, caption: some("look"), ..image("image/jpeg") };
    let once = Message {
        view_once_message_v2: wrapped(of_image(image("image/jpeg"))),
        ..Default::default()
    };
    let wordy = Message { document_with_caption_message: wrapped(wordy), ..Default::default() };
    let note = Message { ptv_message: video("video/mp4", false), ..Default::default() };
    vec![
        received(Kind::Image, "image", of_image(image("image/jpeg"))),
        received(Kind::Image, "image_with_words_as_a_reply", of_image(captioned)),
        received(Kind::ConvertedImage, "image_webp", of_image(image("image/webp"))),
        received(Kind::OtherImage, "image_that_says_it_is_a_page", of_image(image("text/html"))),
        received(Kind::Video, "video", of_video(video("video/mp4", false))),
        received(Kind::OtherVideo, "video_webm", of_video(video("video/webm", false))),
        received(Kind::Gif, "gif", of_video(video("video/mp4", true))),
        received(Kind::VideoNote, "video_note", note),
        received(Kind::Audio, "audio", audio("audio/mpeg", false)),
        received(Kind::OtherAudio, "audio_flac", audio("audio/flac", false)),
        received(Kind::Voice, "voice", audio("audio/ogg; codecs=opus", true)),
        received(Kind::OtherVoice, "voice_m4a", audio("audio/mp4", true)),
        received(Kind::Document, "document", of_document(document("../re\u{202e}fdp.exe"))),
        received(Kind::Document, "document_with_words", wordy),
        received(Kind::Sticker, "sticker", sticker("image/webp", true)),
        received(Kind::Document, "sticker_of_another_format", sticker("application/was", true)),
        received(Kind::ViewOnce, "view_once", once),
        received(Kind::Unknown, "image_that_cannot_be_fetched", of_image(lost)),
    ]
}

fn places_and_people() -> Vec<Received> {
    let place = LocationMessage {
        degrees_latitude: Some(52.5),
        degrees_longitude: Some(13.4),
        name: some("Home"),
        address: some("1 Street"),
        accuracy_in_meters: Some(10),
        ..Default::default()
    };
    let live = LiveLocationMessage {
        degrees_latitude: Some(52.5),
        degrees_longitude: Some(13.4),
        ..Default::default()
    };
    let card = ContactMessage {
        display_name: some("Ann"),
        vcard: some("BEGIN:VCARD\nFN:Ann\nTEL;waid=49123:+49 123\nEND:VCARD"),
        ..Default::default()
    };
    let call = CallLogMessage {
        is_video: Some(true),
        call_outcome: Some(CallOutcome::MISSED),
        ..Default::default()
    };
    let place = Message { location_message: MessageField::some(place), ..Default::default() };
    let live = Message { live_location_message: MessageField::some(live), ..Default::default() };
    let card = Message { contact_message: MessageField::some(card), ..Default::default() };
    let call = Message { call_log_messsage: MessageField::some(call), ..Default::default() };
    vec![
        received(Kind::Location, "location", place),
        received(Kind::LiveLocation, "live_location", live),
        received(Kind::Contact, "contact", card),
        received(Kind::Call, "call", call),
    ]
}

fn polls_and_events() -> Vec<Received> {
    let option =
        |name| poll_creation_message::Option { option_name: some(name), ..Default::default() };
    let poll = PollCreationMessage {
        name: some("when?"),
        options: vec![option("now"), option("*later*")],
        ..Default::default()
    };
    let event =
        EventMessage { name: some("Party"), start_time: Some(1_800_000_000), ..Default::default() };
    let invite = GroupInviteMessage { group_name: some("Cooks"), ..Default::default() };
    let list = ListMessage { title: some("Menu"), ..Default::default() };
    let poll = Message { poll_creation_message_v3: MessageField::some(poll), ..Default::default() };
    let vote = MessageField::some(PollUpdateMessage::default());
    let vote = Message { poll_update_message: vote, ..Default::default() };
    let event = Message { event_message: MessageField::some(event), ..Default::default() };
    let invite = Message { group_invite_message: MessageField::some(invite), ..Default::default() };
    let list = Message { list_message: MessageField::some(list), ..Default::default() };
    let payment = MessageField::some(SendPaymentMessage::default());
    let payment = Message { send_payment_message: payment, ..Default::default() };
    let pin = MessageField::some(PinInChatMessage::default());
    let pin = Message { pin_in_chat_message: pin, ..Default::default() };
    vec![
        received(Kind::Poll, "poll", poll),
        received(Kind::PollVote, "poll_vote", vote),
        received(Kind::Event, "event", event),
        received(Kind::Event, "group_invite", invite),
        received(Kind::Business, "list", list),
        received(Kind::Payment, "payment", payment),
        received(Kind::Unknown, "unknown", pin),
    ]
}

pub(crate) fn from_network() -> Vec<Received> {
    [words(), files(), places_and_people(), polls_and_events()].into_iter().flatten().collect()
}
