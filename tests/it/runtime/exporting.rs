//! What a person gets when they want a copy of what is kept of them.

use causeway::{
    domain::attachment::{Attachment, EncryptedFile, Opening},
    port::{Clock as _, Storage as _},
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{
    cleaning::{host, name},
    homeserver::PERSON,
    stage::{MANAGEMENT_ROOM, Stage},
};

/// Opens the file that stands last in the rooms.
pub(super) fn opened(stage: &Stage) -> Value {
    let content = stage.homeserver.contents().pop().unwrap();
    assert_eq!(content["msgtype"], "m.file");
    let file = EncryptedFile::parse(&content["file"]).unwrap();
    let bytes = stage.homeserver.uploads().pop().unwrap();
    let mut opening = Opening::new(&Attachment::Encrypted(file));
    let mut clear = Vec::new();
    opening.update(&bytes, &mut clear);
    opening.finish().unwrap();
    assert_eq!(content["info"]["size"], clear.len());
    serde_json::from_slice(&clear).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_holds_everything_and_only_the_person_can_read_it() {
    let (mut stage, room) = Stage::connected().await;
    stage.has_management_room().await;
    let event = stage.text(&room, "a secret word");
    stage.push(vec![event], &[]).await;
    stage.until("the text", || stage.screen().len() == 1).await;
    host(&stage, &name(1), vec![1; 10], stage.clock.now() + 1_000_000).await;
    stage.ask("pause +33 6 12 34 56 78").await;
    let shown = stage.homeserver.shown().len();
    let answer = stage.ask("export").await;
    assert!(answer.contains("everything that I keep of you"), "{answer}");
    stage.until("the file", || stage.homeserver.shown().len() > shown).await;

    let sent = stage.homeserver.sends().pop().unwrap();
    assert_eq!(
        (sent.event_type.as_str(), sent.room.as_str()),
        ("m.room.encrypted", MANAGEMENT_ROOM)
    );
    let export = opened(&stage);
    assert_eq!(export["person"], PERSON);
    assert_eq!(export["management_room"], MANAGEMENT_ROOM);
    assert_eq!(export["login"]["state"], "active");
    assert_eq!(export["login"]["read_receipts"], true);
    let contact = &export["contacts"][0];
    assert!(contact["whatsapp_id"].as_str().unwrap().starts_with("33612345678"), "{contact}");
    assert_eq!(
        (contact["consent"].as_str(), contact["room"].as_str()),
        (Some("paused"), Some(room.as_str()))
    );
    let acts: Vec<_> = export["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["act"].as_str().unwrap())
        .collect();
    assert_eq!(acts, ["opted-in", "approved", "paused"]);
    assert_eq!(export["messages"][0]["direction"], "to_whatsapp");
    assert_eq!(export["messages"][0]["event"], "$event1");
    assert_eq!(export["hosted_files"][0]["length"], 10);
    assert_eq!(export["counts"]["messages"], 1);
    assert_eq!(export["rooms"].as_array().unwrap().len(), 2);
    let whole = export.to_string();
    assert!(!whole.contains("a secret word") && !whole.contains(name(1).as_str()), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_holds_the_safety_numbers_and_what_was_said_of_them() {
    let (mut stage, room) = Stage::connected().await;
    stage.has_management_room().await;
    let event = stage.text(&room, "hello");
    stage.push(vec![event], &[]).await;
    stage.until("the text", || stage.screen().len() == 1).await;
    let shown = stage.ask("verify +33 6 12 34 56 78").await;
    let digits: String = shown.split("```").nth(1).unwrap().split_whitespace().collect();
    for verdict in ["no", "", "yes"] {
        stage.ask(&format!("verify +33 6 12 34 56 78 {verdict}")).await;
    }
    let shown = stage.homeserver.shown().len();
    stage.ask("export").await;
    stage.until("the file", || stage.homeserver.shown().len() > shown).await;
    let contact = opened(&stage)["contacts"][0].clone();
    let number = json!({"digits": digits, "is_verified": true, "is_pending": false});
    assert_eq!(contact["safety_number"], number);
    let comparisons = contact["comparisons"].as_array().unwrap();
    let results: Vec<_> = comparisons.iter().map(|it| it["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["different", "same"]);
    assert!(comparisons.iter().all(|it| it["at"].is_string() && it["event"] == "$asked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_sent_into_encrypted_rooms_alone() {
    let (stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    stage.homeserver.make_unencrypted(&OwnedRoomId::try_from(MANAGEMENT_ROOM).unwrap());
    let answer = stage.ask("export").await;
    assert!(answer.contains("invite me to an encrypted room"), "{answer}");
    assert!(stage.homeserver.uploads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_takes_no_such_file_is_told_of() {
    let (stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    stage.homeserver.limit_media(100);
    let answer = stage.ask("export").await;
    assert!(answer.contains("does not take the file"), "{answer}");
    assert!(stage.storage().erasures().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_still_gets_what_is_left_of_them() {
    let (stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    stage.ask("logout").await;
    let shown = stage.homeserver.shown().len();
    stage.ask("export").await;
    stage.until("the file", || stage.homeserver.shown().len() > shown).await;
    let export = opened(&stage);
    assert_eq!(export["login"], Value::Null);
    assert_eq!(export["decisions"].as_array().unwrap().len(), 3);
}
