//! Messages with files, against what both sides see of them: the file byte for byte, or a sentence that says why
//! not, and the lane goes on.

use std::{ops::Range, time::Duration};

use causeway::{
    domain::{
        attachment::{AttachmentDecryptor, AttachmentEncryptor, AttachmentKeys, EncryptedFile},
        ids::StorageRef,
        item::InboundReceiptKind,
        limits,
        media::IncomingMedia,
    },
    port::{Failure, MediaStore as _, Storage as _, media::MediaFailure},
    runtime::Answer,
};
use causeway_wire::{
    media::{Decryptor, Encryptor, Expected, MediaKind},
    message::{self, Media, MediaContent, MediaFile},
};
use futures_util::StreamExt as _;
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use waproto::{
    buffa::MessageField,
    codec::message_to_vec,
    whatsapp::{
        Message, MessageKey,
        message::{DocumentMessage, ProtocolMessage, protocol_message::Type},
    },
};

use super::{
    cut::{Cut, at_every_write},
    stage::{KEY, Stage},
    surroundings::Trouble,
};

const URI: &str = "mxc://example.org/document";
const PATH: &str = "/v/t62.7118-24/1_n.enc?oh=01_Q5";
const HOSTED: &str = "/interop/whatsapp/download/12/";

pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + 7) % 256).unwrap()).collect()
}

/// A document of the person, uploaded, and the event that shares it.
pub(super) fn document(stage: &mut Stage, room: &OwnedRoomId, clear: &[u8]) -> Value {
    let keys = AttachmentKeys::from_random(&[5; AttachmentKeys::RANDOM_BYTES]);
    let (mut encryptor, mut ciphertext) = (AttachmentEncryptor::new(keys), Vec::new());
    encryptor.update(clear, &mut ciphertext);
    let file = encryptor.finish().at(URI.into()).to_json();
    stage.homeserver.files.put(URI, ciphertext);
    let plain = json!({
        "msgtype": "m.file",
        "body": "report.pdf",
        "file": file,
        "info": {"mimetype": "application/pdf", "size": clear.len()},
    });
    stage.event(room, "m.room.encrypted", &json!({"room_key": KEY, "plain": plain}))
}

/// A document of the contact, uploaded, as the app sends it.
fn contacts_document(stage: &Stage, clear: &[u8]) -> Vec<u8> {
    let key = [7; 32];
    let (mut encryptor, mut ciphertext) = (Encryptor::new(&key, MediaKind::Document), Vec::new());
    encryptor.update(clear, &mut ciphertext).unwrap();
    let hashes = encryptor.finish(&mut ciphertext).unwrap();
    stage.network.files.put(PATH, ciphertext);
    message::encode_media(&Media {
        kind: MediaContent::Document,
        file: MediaFile {
            direct_path: PATH.to_owned(),
            url: None,
            media_key: key,
            media_key_at: 1,
            sha256: hashes.file_sha256,
            enc_sha256: hashes.file_enc_sha256,
            length: hashes.file_length,
        },
        mimetype: "application/pdf".to_owned(),
        caption: Some("the minutes".to_owned()),
        file_name: Some("minutes.pdf".to_owned()),
        width: 0,
        height: 0,
        seconds: 0,
        waveform: Vec::new(),
        thumbnail_jpeg: crate::media::jpeg(8, 8),
        quote: None,
    })
    .unwrap()
}

/// What the contact's app shows of files.
fn files(stage: &Stage) -> Vec<IncomingMedia> {
    stage.network.contact.lock().unwrap().files.clone()
}

/// The name under which a file of a message is hosted.
fn hosted_name(media: &IncomingMedia) -> StorageRef {
    let path = &media.file().direct_path;
    let name = path.strip_prefix(HOSTED).and_then(|name| name.strip_suffix('/')).unwrap();
    StorageRef::parse(name).unwrap()
}

/// What the contact's app makes of a file of the person.
async fn fetched(stage: &Stage, media: &IncomingMedia) -> Vec<u8> {
    let stored = stage.media.get(&hosted_name(media), None).await.unwrap().unwrap();
    let file = media.file();
    let expected = Expected { file_sha256: file.sha256, file_enc_sha256: Some(file.enc_sha256) };
    let (mut decryptor, mut clear) = (Decryptor::new(&file.media_key, media.keys()), Vec::new());
    let pieces: Vec<_> = stored.bytes.collect().await;
    for piece in pieces {
        decryptor.update(&piece.unwrap(), &mut clear).unwrap();
    }
    decryptor.finish(&expected, &mut clear).unwrap();
    assert_eq!(clear.len() as u64, file.length);
    clear
}

/// What the person's client makes of a file of the contact.
fn opened(stage: &Stage, content: &Value) -> Vec<u8> {
    let file = EncryptedFile::parse(&content["file"]).unwrap();
    let uploads = stage.homeserver.uploads();
    let number: usize = file.url.as_str().rsplit_once("upload").unwrap().1.parse().unwrap();
    let (mut decryptor, mut clear) = (AttachmentDecryptor::new(&file), Vec::new());
    decryptor.update(&uploads[number], &mut clear);
    decryptor.finish().unwrap();
    assert_eq!(content["info"]["size"], clear.len());
    clear
}

/// The content of the last message: what is said of the fate of one is none.
fn last_content(stage: &Stage) -> Value {
    let sends = stage.homeserver.sends();
    let last = sends.iter().rev().find(|sent| sent.content["plain"].is_object());
    last.unwrap().content["plain"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_the_person_reaches_the_contact() {
    let (mut stage, room) = Stage::connected().await;
    for (number, size) in [0, 1, 65_536, 200_000].into_iter().enumerate() {
        let event = document(&mut stage, &room, &bytes(size));
        stage.push(vec![event], &[]).await;
        stage.until("the document", || files(&stage).len() == number + 1).await;
        let media = files(&stage).pop().unwrap();
        assert_eq!(fetched(&stage, &media).await, bytes(size));
        let row = stage.storage().hosted_media(&hosted_name(&media)).await.unwrap().unwrap();
        assert_eq!(row.length, causeway_wire::media::encrypted_len(size as u64));
    }
    assert_eq!(stage.media.list().await.unwrap().len(), 4, "each is hosted once");
    assert!(stage.homeserver.shown().is_empty(), "no notices");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_the_contact_reaches_the_room() {
    let (stage, _room) = Stage::connected().await;
    for (number, size) in [0, 1, 65_536, 200_000].into_iter().enumerate() {
        stage.network.contact_says(contacts_document(&stage, &bytes(size)));
        stage.until("the document", || stage.homeserver.shown().len() == number + 1).await;
        let content = last_content(&stage);
        assert_eq!(content["msgtype"], "m.file");
        assert_eq!(content["filename"], "minutes.pdf");
        assert_eq!(content["body"], "the minutes");
        assert_eq!(opened(&stage, &content), bytes(size));
    }
}

/// The contact's app changes the words with a file.
fn recaptions(id: &str, caption: Option<&str>) -> Vec<u8> {
    let document = DocumentMessage { caption: caption.map(str::to_owned), ..Default::default() };
    let edited = Message { document_message: MessageField::some(document), ..Default::default() };
    let key = MessageKey { from_me: Some(true), id: Some(id.to_owned()), ..Default::default() };
    let step = ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: MessageField::some(edited),
        ..Default::default()
    };
    message_to_vec(&Message { protocol_message: MessageField::some(step), ..Default::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_corrects_the_words_with_a_document() {
    let (stage, _) = Stage::connected().await;
    stage.network.contact_says(contacts_document(&stage, b"minutes"));
    // At once, so that the file is still on its way.
    stage.network.contact_says(recaptions("C1", Some("*the* minutes")));
    stage.network.contact_says(recaptions("C1", None));
    stage.until("two edits", || stage.homeserver.shown().len() == 3).await;
    let contents = stage.homeserver.contents();
    let event = stage.homeserver.shown_ids()[0].clone();
    for (edit, body) in [(&contents[1], "*the* minutes"), (&contents[2], "minutes.pdf")] {
        assert_eq!(edit["m.relates_to"], json!({"rel_type": "m.replace", "event_id": event}));
        let now = &edit["m.new_content"];
        assert_eq!((&now["body"], &now["file"]), (&json!(body), &contents[0]["file"]));
        assert_eq!((&now["filename"], &now["msgtype"]), (&json!("minutes.pdf"), &json!("m.file")));
    }
    // Of what the bridge does not know, the words are shown.
    stage.network.contact_says(recaptions("elsewhere", Some("lost words")));
    stage.network.contact_says(recaptions("elsewhere", None));
    stage.until("them", || stage.homeserver.shown().len() == 5).await;
    let shown = stage.homeserver.shown();
    assert!(shown[3].ends_with(" lost words"), "{shown:?}");
    assert!(shown[4].contains("cannot show yet (edit)"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_read_is_hosted_again_under_another_key() {
    let (mut stage, room) = Stage::connected().await;
    let event = document(&mut stage, &room, &bytes(1000));
    stage.push(vec![event], &[]).await;
    stage.until("the document", || files(&stage).len() == 1).await;
    let first = files(&stage).pop().unwrap();
    let (id, _) = stage.network.envelopes()[0].clone();
    stage.network.contact.lock().unwrap().reinstall(12);
    stage.network.contact.lock().unwrap().forget(&id);
    stage.network.post_receipt(id, InboundReceiptKind::Retry { count: 1 });
    stage.until("the document again", || !files(&stage).is_empty()).await;
    let second = files(&stage).pop().unwrap();
    assert_eq!(fetched(&stage, &second).await, bytes(1000));
    assert_ne!(first.file().media_key, second.file().media_key);
    assert_ne!(hosted_name(&first), hosted_name(&second));
    let row = stage.storage().hosted_media(&hosted_name(&second)).await.unwrap();
    assert!(row.is_some(), "or nobody could fetch it");
}

/// Waits for a notice in the room, and sends a text behind it.
async fn told(stage: &mut Stage, room: &OwnedRoomId, words: &str) {
    let notices = |stage: &Stage| stage.homeserver.shown();
    stage.until(words, || notices(stage).iter().any(|text| text.contains(words))).await;
    let said = stage.screen().len();
    let text = stage.text(room, "and now?");
    stage.push(vec![text], &[]).await;
    stage.until("the lane goes on", || stage.screen().len() == said + 1).await;
    assert!(stage.set_aside.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_sent_is_told_and_the_lane_goes_on() {
    let (mut stage, room) = Stage::connected().await;
    let event = document(&mut stage, &room, b"damaged");
    stage.homeserver.files.put(URI, b"somethi".to_vec());
    stage.push(vec![event], &[]).await;
    told(&mut stage, &room, "could not be decrypted").await;

    let event = document(&mut stage, &room, b"gone");
    stage.homeserver.files.serve(URI, || Err(MediaFailure::Gone));
    stage.push(vec![event], &[]).await;
    told(&mut stage, &room, "no longer has that file").await;

    let event = document(&mut stage, &room, &bytes(1_000_001));
    stage.push(vec![event], &[]).await;
    told(&mut stage, &room, "larger than this bridge carries (at most 976.5 KiB)").await;

    let mut event = document(&mut stage, &room, b"without a key");
    event["content"]["plain"]["file"]["key"] = json!(null);
    stage.push(vec![event], &[]).await;
    told(&mut stage, &room, "could not be decrypted").await;
    assert!(files(&stage).is_empty());
    assert!(stage.media.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_full_is_told() {
    let (mut stage, room) = Stage::connected().await;
    for number in 1..=2 {
        let event = document(&mut stage, &room, &bytes(1_000_000));
        stage.push(vec![event], &[]).await;
        stage.until("the document", || files(&stage).len() == number).await;
    }
    let event = document(&mut stage, &room, &bytes(1_000_000));
    stage.push(vec![event], &[]).await;
    told(&mut stage, &room, "Together with the files that you sent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_homeserver_is_away_is_waited_for_and_then_told() {
    let (mut stage, room) = Stage::connected().await;
    let event = document(&mut stage, &room, b"late");
    stage.homeserver.files.serve(URI, || Err(Failure::later("away").into()));
    stage.push(vec![event], &[]).await;
    stage.pass(Duration::from_secs(40)).await;
    assert!(stage.homeserver.shown().is_empty(), "it may come yet");
    stage.clock.advance(limits::MEDIA_SOURCE_WAIT.after);
    told(&mut stage, &room, "could not be fetched from where it was uploaded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_waits_while_nobody_takes_it() {
    let (mut stage, room) = Stage::connected().await;
    *stage.media.trouble.lock().unwrap() = Some(Trouble::Later);
    let event = document(&mut stage, &room, b"patient");
    stage.push(vec![event], &[]).await;
    stage.clock.advance(2 * limits::MEDIA_SOURCE_WAIT.after);
    stage.pass(Duration::from_secs(2)).await;
    assert!(stage.homeserver.shown().is_empty(), "it is no fault of the file");
    *stage.media.trouble.lock().unwrap() = None;
    stage.clock.advance(limits::ITEM_BACKOFF.max);
    stage.until("the document", || files(&stage).len() == 1).await;
}

/// How a download is refused, and words of what is told then.
type Unkind = (fn() -> MediaFailure, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_the_contact_that_cannot_be_shown_is_told_with_its_words() {
    let (mut stage, room) = Stage::connected().await;
    let encoded = contacts_document(&stage, b"minutes");
    let unkind: [Unkind; 3] = [
        (|| MediaFailure::Gone, "that WhatsApp no longer has"),
        (|| MediaFailure::NotAllowed, "does not lie on WhatsApp's servers"),
        (|| Failure::never("refused").into(), "was refused on the way"),
    ];
    for (number, (failure, words)) in unkind.into_iter().enumerate() {
        stage.network.files.serve(PATH, move || Err(failure()));
        stage.network.contact_says(encoded.clone());
        told(&mut stage, &room, words).await;
        let captions =
            stage.homeserver.shown().iter().filter(|text| *text == "the minutes").count();
        assert_eq!(captions, number + 1, "the words are shown all the same");
    }
    stage.network.files.put(PATH, vec![0; 42]);
    stage.network.contact_says(encoded.clone());
    told(&mut stage, &room, "arrived damaged").await;
    stage.homeserver.limit_media(6);
    stage.network.contact_says(encoded);
    told(&mut stage, &room, "larger than your homeserver takes (at most 6 bytes)").await;
    assert!(stage.homeserver.uploads().is_empty());
}

/// A document in each direction, and the process dies at the cut. Says whether it died.
async fn check(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    let event = document(&mut stage, &room, &bytes(1000));
    let encoded = contacts_document(&stage, &bytes(2000));
    stage.begin(cut).await;
    let mut died = false;
    while stage.offer("1", vec![event.clone()], &[]).await != Some(Answer::Acknowledge) {
        died = true;
        stage.begin(Cut::Never).await;
    }
    let seen = |stage: &Stage| files(stage).len() == 1;
    stage.until("the person's", || stage.is_dead() || seen(&stage)).await;
    if stage.is_dead() {
        died = true;
        stage.begin(Cut::Never).await;
        stage.until("the person's", || seen(&stage)).await;
    }
    stage.network.contact_says(encoded);
    let shown = |stage: &Stage| stage.homeserver.shown().len() == 1;
    stage.until("the contact's", || stage.is_dead() || shown(&stage)).await;
    if stage.is_dead() {
        died = true;
        stage.begin(Cut::Never).await;
        stage.until("the contact's", || shown(&stage)).await;
    }
    stage.pass(Duration::from_secs(2)).await;
    if stage.is_dead() {
        died = true;
        stage.begin(Cut::Never).await;
        stage.pass(Duration::from_secs(2)).await;
    }
    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    assert_eq!(stage.homeserver.shown(), ["the minutes"], "{cut:?}: once, and no notices");
    assert_eq!(opened(&stage, &last_content(&stage)), bytes(2000), "{cut:?}");
    let media = files(&stage);
    assert_eq!(media.len(), 1, "{cut:?}");
    assert_eq!(fetched(&stage, &media[0]).await, bytes(1000), "{cut:?}");
    let row = stage.storage().hosted_media(&hosted_name(&media[0])).await.unwrap();
    assert!(row.is_some(), "{cut:?}: what was sent can be fetched");
    died
}

/// The story writes about so often; more cuts than that change nothing.
const WRITES: Range<u64> = 5..40;

#[tokio::test(flavor = "multi_thread")]
async fn documents_survive_a_death_before_every_write() {
    at_every_write(Cut::Before, WRITES, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_survive_a_death_after_every_write() {
    at_every_write(Cut::After, WRITES, check).await;
}
