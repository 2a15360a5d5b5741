//! The whole life of a person on a real homeserver, from the first word to the last, and then the search for them in
//! everything that the bridge keeps.

use std::fs;

use anyhow::{Context, Result, ensure};
use matrix_sdk::{
    Room, RoomMemberships,
    media::{MediaFormat, MediaRequestParameters},
    ruma::events::room::{EncryptedFile, MediaSource},
};
use reqwest::{Method, StatusCode};
use ruma::RoomAliasId;
use serde_json::{Value, json};
use sqlx::any::AnyPoolOptions;

use crate::{
    canary::{files, must_not_occur},
    support::{
        bridge::Plan,
        emulator::Contact,
        files::Bytes,
        matrix_client::{Person, must_be_clean},
        wait::{PATIENCE, until},
        world::{PHONE, World, bot, logs_in, starts_chat},
    },
};

const OTHER_PHONE: &str = "+33612345679";

/// What the bridge's log says when somebody was erased.
const ERASED: &str = "everything of a person is deleted";

/// Waits until somebody is erased.
pub(crate) async fn is_erased(world: &World) -> Result<()> {
    until("the end of the erasure", PATIENCE, || async {
        Ok(fs::read_to_string(world.bridge.log())?.contains(ERASED).then_some(()))
    })
    .await
}

/// Waits until the person is alone in a room.
async fn is_alone(person: &Person, room: &Room) -> Result<()> {
    until("everybody else to leave the room", PATIENCE, || async {
        room.mark_members_missing();
        let members = room.members(RoomMemberships::JOIN).await?;
        Ok(members.iter().all(|member| member.user_id() == person.id()).then_some(()))
    })
    .await
}

/// Asks for a copy, and opens it as a stock client does.
async fn takes_a_copy(alice: &Person, management: &Room) -> Result<Value> {
    alice.asks(management, "export", &["everything that i keep of you"]).await?;
    let message =
        alice.sees(management.room_id(), "the file", |message| message.kind == "m.file").await?;
    must_be_clean(&message)?;
    let file: EncryptedFile = serde_json::from_value(message.content["file"].clone())?;
    let source = MediaSource::Encrypted(Box::new(file));
    let request = MediaRequestParameters { source, format: MediaFormat::File };
    let bytes = alice.client().media().get_media_content(&request, false).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Whether the homeserver knows a room by an alias. It brings what is said there to whoever has the alias's
/// namespace.
async fn is_alias(world: &World, person: &Person, alias: &RoomAliasId) -> Result<bool> {
    let token = person.client().access_token().context("nobody is logged in")?;
    let alias: String = url::form_urlencoded::byte_serialize(alias.as_bytes()).collect();
    let path = format!("_matrix/client/v3/directory/room/{alias}");
    let (status, answer) = world.synapse.call(Method::GET, &path, &token, None).await?;
    ensure!(status.is_success() || status == StatusCode::NOT_FOUND, "{status}: {answer}");
    Ok(status.is_success())
}

/// What alice does with her connection, from the first word on.
async fn lives(alice: &Person, management: &Room, bruno: &Contact) -> Result<Room> {
    alice.asks(management, "help", &["`login`", "`export`", "`erase everything`"]).await?;
    alice.asks(management, "login", &["agree"]).await?;
    alice.asks(management, "agree", &["you are connected"]).await?;
    let (room, ghost) = starts_chat(alice, management, PHONE).await?;
    alice.says(&room, "good morning").await?;
    bruno.reads("good morning").await?;
    bruno.says(alice.id(), "and to you").await?;
    alice.reads(room.room_id(), "and to you").await?;
    let bytes = vec![7; 10_000];
    let uploaded = alice.uploads(Bytes::These(bytes.clone())).await?;
    let content = json!({"msgtype": "m.file", "body": "a.pdf", "filename": "a.pdf",
        "file": uploaded.file, "info": {"size": bytes.len(), "mimetype": "application/pdf"}});
    alice.sends_content(&room, content).await?;
    bruno.gets("the file", |got| got.attachment.is_object()).await?;
    alice.asks(management, &format!("pause {ghost}"), &["paused"]).await?;
    bruno.says(alice.id(), "are you there?").await?;
    alice
        .asks(management, "consent", &["you agreed to connect", "you approved", "you paused"])
        .await?;
    Ok(room)
}

fn check_copy(export: &Value, alice: &Person, room: &Room) -> Result<()> {
    ensure!(export["person"] == alice.id().as_str(), "{export}");
    ensure!(export["login"]["state"] == "active", "{export}");
    let contact = &export["contacts"][0];
    let digits = PHONE.trim_start_matches('+');
    ensure!(contact["whatsapp_id"].as_str().is_some_and(|id| id.contains(digits)), "{contact}");
    ensure!(contact["consent"] == "paused" && contact["room"] == room.room_id().as_str());
    let count = |what: &str| export[what].as_array().map_or(0, Vec::len);
    ensure!(count("messages") == 3, "{export}");
    ensure!(count("hosted_files") == 1, "{export}");
    ensure!(count("decisions") == 3, "{export}");
    ensure!(count("rooms") == 2, "{export}");
    ensure!(!export.to_string().contains("good morning"), "a copy of what is not kept");
    Ok(())
}

/// Everything by which alice can be found: ids of hers, of her rooms and devices.
async fn names(world: &World, alice: &Person, rooms: [&Room; 2]) -> Result<Vec<String>> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", world.bridge.folder().join("causeway.db").display());
    let database = AnyPoolOptions::new().max_connections(1).connect(&url).await?;
    let login: String = sqlx::query_scalar("select id from login where person = $1")
        .bind(alice.id().as_str())
        .fetch_one(&database)
        .await?;
    database.close().await;
    let device = alice.client().encryption().get_own_device().await?.context("no device")?;
    let key = device.curve25519_key().context("a device without a key")?.to_base64();
    let mut names = vec![alice.id().to_string(), login, key, device.device_id().to_string()];
    names.extend(rooms.map(|room| room.room_id().to_string()));
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life_ends_with_a_database_that_knows_nothing_of_it() -> Result<()> {
    let mut world = World::start("life", Plan::default()).await?;
    let told = async {
        // Somebody else, of whom nothing may be missing at the end.
        let bob = world.person("bob").await?;
        let berta = world.contact(OTHER_PHONE, "Berta").await?;
        let (his, _) = starts_chat(&bob, &logs_in(&bob).await?, OTHER_PHONE).await?;
        bob.says(&his, "before").await?;
        berta.reads("before").await?;

        let alice = world.person("alice").await?;
        let management = alice.open_chat_with(&bot()?).await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let room = lives(&alice, &management, &bruno).await?;
        let export = takes_a_copy(&alice, &management).await?;
        check_copy(&export, &alice, &room)?;

        let alias = room.canonical_alias().context("the chat's room has no alias")?;
        ensure!(is_alias(&world, &alice, &alias).await?, "{alias} names no room");
        let names = names(&world, &alice, [&management, &room]).await?;
        let kept = files(world.bridge.folder())?;
        for name in &names {
            ensure!(must_not_occur(name, &kept).is_err(), "the search does not find {name}");
        }
        ensure!(!files(&world.bridge.folder().join("media"))?.is_empty(), "nothing is hosted");
        alice.asks(&management, "erase", &["`erase everything`", "cannot be undone"]).await?;
        alice.asks(&management, "erase everything", &["last message"]).await?;
        for room in [&management, &room] {
            is_alone(&alice, room).await?;
        }
        is_erased(&world).await?;
        ensure!(!is_alias(&world, &alice, &alias).await?, "{alias} is still there");
        ensure!(world.network().login(alice.id()).await?.is_none(), "the network still knows her");
        // Nobody of ours hears this, and nothing of it is kept.
        alice.says(&management, "hello?").await?;
        alice.says(&room, "hello?").await?;
        // What the homeserver still brings of it is worked on before this.
        bob.says(&his, "meanwhile").await?;
        berta.reads("meanwhile").await?;

        world.bridge.stop().await?;
        let kept = files(world.bridge.folder())?;
        for name in &names {
            must_not_occur(name, &kept)?;
        }
        ensure!(must_not_occur(bob.id().as_str(), &kept).is_err(), "nobody is found any more");
        ensure!(files(&world.bridge.folder().join("media"))?.is_empty(), "a file is still hosted");
        world.bridge.start().await?;

        bob.says(&his, "after").await?;
        berta.reads("after").await?;
        berta.says(bob.id(), "as ever").await?;
        bob.reads(his.room_id(), "as ever").await?;
        begins_anew(&alice, &bruno).await
    };
    let told = told.await;
    world.report(told)
}

/// The same contact again, whose Matrix user was kept without knowing whose it was.
async fn begins_anew(alice: &Person, bruno: &Contact) -> Result<()> {
    let management = logs_in(alice).await?;
    alice.asks(&management, "contacts", &["nobody yet"]).await?;
    let (room, _) = starts_chat(alice, &management, PHONE).await?;
    alice.says(&room, "a new beginning").await?;
    bruno.reads("a new beginning").await?;
    bruno.says(alice.id(), "indeed").await?;
    must_be_clean(&alice.reads(room.room_id(), "indeed").await?)
}
