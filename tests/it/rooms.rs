//! Starting chats in the ways of Matrix, and what becomes of their rooms: a lookup by a client, an invited
//! contact, a second start, a room upgrade, leaving and coming back.

use anyhow::{Context as _, Result, ensure};
use matrix_sdk::Room;
use reqwest::{Method, StatusCode};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use crate::support::{
    bridge::Plan,
    matrix_client::{Person, must_be_clean},
    wait::{PATIENCE, until},
    world::{PHONE, World, is_ghost, logs_in, starts_chat},
};

/// One call of the client API as a person.
async fn call(
    world: &World,
    person: &Person,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value)> {
    let token = person.client().access_token().context("nobody is logged in")?;
    world.synapse.call(method, &format!("_matrix/client/v3/{path}"), &token, body).await
}

/// Looks a number up as a client would that has a field for it.
pub(crate) async fn looks_up(world: &World, person: &Person, number: &str) -> Result<OwnedUserId> {
    let number: String = url::form_urlencoded::byte_serialize(number.as_bytes()).collect();
    let path = format!("thirdparty/user/whatsapp?phone={number}");
    let (status, found) = call(world, person, Method::GET, &path, None).await?;
    ensure!(status.is_success(), "the lookup was answered with {status} {found}");
    let ghost = found[0]["userid"].as_str().with_context(|| format!("nobody: {found}"))?;
    Ok(ghost.try_into()?)
}

/// A state event's content, as the person's homeserver has it.
async fn state(
    world: &World,
    person: &Person,
    room: &RoomId,
    event_type: &str,
) -> Result<(StatusCode, Value)> {
    let path = format!("rooms/{room}/state/{event_type}/");
    call(world, person, Method::GET, &path, None).await
}

/// Waits until somebody has left a room.
async fn sees_leaving(world: &World, person: &Person, room: &RoomId, who: &UserId) -> Result<()> {
    until(&format!("{who} to leave"), PATIENCE, || async {
        let path = format!("rooms/{room}/state/m.room.member/{who}");
        let (_, member) = call(world, person, Method::GET, &path, None).await?;
        Ok((member["membership"] == "leave").then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_looked_up_invited_and_talked_to() -> Result<()> {
    let mut world = World::start("lookup", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let (status, protocols) =
            call(&world, &alice, Method::GET, "thirdparty/protocols", None).await?;
        ensure!(status.is_success() && protocols["whatsapp"]["user_fields"][0] == "phone");

        // Whoever has no login is told what to do, by the contact's ghost.
        let ghost = looks_up(&world, &alice, "06 12 34 56 78").await?;
        ensure!(is_ghost(&ghost), "{ghost} is no ghost");
        ensure!(ghost == looks_up(&world, &alice, PHONE).await?, "two ghosts for one number");
        let room = alice.create_chat_with(&ghost).await?;
        let said = alice.reads_words(room.room_id(), &["Send `login`"]).await?;
        must_be_clean(&said)?;
        sees_leaving(&world, &alice, room.room_id(), &ghost).await?;

        logs_in(&alice).await?;
        let room = alice.open_chat_with(&ghost).await?;
        let said = alice.reads_words(room.room_id(), &["chat is ready", "operates"]).await?;
        must_be_clean(&said)?;
        alice.says(&room, "found you").await?;
        bruno.reads("found you").await?;
        bruno.says(alice.id(), "how?").await?;
        must_be_clean(&alice.reads(room.room_id(), "how?").await?)?;
        let (status, legs) =
            state(&world, &alice, room.room_id(), "eu.causeway.encryption_legs").await?;
        ensure!(status.is_success() && legs["legs"][1]["protocol"] == "signal", "{legs}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_number_without_whatsapp_says_so() -> Result<()> {
    let mut world = World::start("lookup-nobody", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        world.network().person("+33698765432", "Claire", false).await?;
        logs_in(&alice).await?;
        for (number, words) in [
            ("+33611223344", ["not on WhatsApp", "country code"]),
            ("+33698765432", ["third-party chats", "Ask them"]),
        ] {
            let ghost = looks_up(&world, &alice, number).await?;
            let room = alice.create_chat_with(&ghost).await?;
            must_be_clean(&alice.reads_words(room.room_id(), &words).await?)?;
            sees_leaving(&world, &alice, room.room_id(), &ghost).await?;
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_leads_to_the_first_room() -> Result<()> {
    let mut world = World::start("one-room", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let (_, topic) = state(&world, &alice, room.room_id(), "m.room.topic").await?;
        ensure!(topic["topic"].as_str().is_some_and(|it| it.contains("operates")), "{topic}");

        let words = ["in it already", room.room_id().as_str()];
        alice.asks(&management, &format!("start {PHONE}"), &words).await?;
        let other = alice.create_chat_with(&ghost).await?;
        alice.reads_words(other.room_id(), &["already", room.room_id().as_str()]).await?;
        sees_leaving(&world, &alice, other.room_id(), &ghost).await?;
        alice.says(&room, "still here").await?;
        bruno.reads("still here").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_chat_comes_back_to_the_same_room() -> Result<()> {
    let mut world = World::start("coming-back", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "bye").await?;
        bruno.reads("bye").await?;
        room.leave().await?;
        let words = ["accept the invite", room.room_id().as_str()];
        alice.asks(&management, &format!("start {PHONE}"), &words).await?;
        let (again, _) = alice.accepts_invitation(is_ghost).await?;
        ensure!(again.room_id() == room.room_id(), "another room: {}", again.room_id());
        bruno.says(alice.id(), "welcome back").await?;
        must_be_clean(&alice.reads(again.room_id(), "welcome back").await?)?;
        alice.says(&again, "thanks").await?;
        bruno.reads("thanks").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// The person's client replaces a room by a new one and invites everybody, as clients do.
async fn upgrades(world: &World, person: &Person, room: &Room, ghost: &UserId) -> Result<Room> {
    let path = format!("rooms/{}/upgrade", room.room_id());
    let body = json!({"new_version": "12"});
    let (status, answer) = call(world, person, Method::POST, &path, Some(&body)).await?;
    ensure!(status.is_success(), "upgrading: {status} {answer}");
    let new = answer["replacement_room"].as_str().context("no new room")?;
    let new: OwnedRoomId = new.try_into()?;
    let invite = json!({"user_id": ghost});
    let path = format!("rooms/{new}/invite");
    let (status, answer) = call(world, person, Method::POST, &path, Some(&invite)).await?;
    ensure!(status.is_success(), "inviting: {status} {answer}");
    until("the new room to sync", PATIENCE, || async { Ok(person.client().get_room(&new)) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_goes_along_with_a_room_upgrade() -> Result<()> {
    let mut world = World::start("upgrade", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (old, ghost) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&old, "moving soon").await?;
        bruno.reads("moving soon").await?;
        let new = upgrades(&world, &alice, &old, &ghost).await?;
        alice.sees_member(&new, &ghost).await?;
        alice.reads_words(new.room_id(), &["chat is ready"]).await?;
        new.request_encryption_state().await?;
        alice.says(&new, "moved").await?;
        bruno.reads("moved").await?;
        bruno.says(alice.id(), "nice place").await?;
        must_be_clean(&alice.reads(new.room_id(), "nice place").await?)?;
        sees_leaving(&world, &alice, old.room_id(), &ghost).await?;
        let words = ["in it already", new.room_id().as_str()];
        alice.asks(&management, &format!("start {PHONE}"), &words).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
