//! A contact with a new phone, under each policy, on a real homeserver with a real Signal identity that is
//! another one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use matrix_sdk::Room;
use serde_json::json;

use crate::support::{
    bridge::Plan,
    emulator::Contact,
    matrix_client::Person,
    wait::{PATIENCE, until},
    world::{PHONE, World, logs_in, starts_chat},
};

/// Longer than a message takes.
const A_WHILE: Duration = Duration::from_secs(6);

/// The contact's phone is another one from now on.
async fn new_phone(world: &World) -> Result<()> {
    let phone = PHONE.trim_start_matches('+');
    world.network().fault(&json!({"changed_identity": {"phone": phone}})).await
}

/// Whom the network keeps away from the person.
async fn blocked(world: &World, person: &Person) -> Result<usize> {
    let login = world.network().login(person.id()).await?.context("the person is not enlisted")?;
    Ok(login["blocked"].as_array().context("no list of blocked people")?.len())
}

fn saw(person: &Person, room: &Room, words: &str) -> bool {
    person.saw(room.room_id()).iter().any(|message| message.body.contains(words))
}

struct Scene {
    alice: Person,
    bruno: Contact,
    management: Room,
    room: Room,
}

/// Two who have written to each other, and what the one wants of new keys.
async fn scene(world: &World, policy: &str) -> Result<Scene> {
    let alice = world.person("alice").await?;
    let bruno = world.contact(PHONE, "Bruno").await?;
    let management = logs_in(&alice).await?;
    let (room, _) = starts_chat(&alice, &management, PHONE).await?;
    alice.asks(&management, &format!("key-changes {policy}"), &["From now on"]).await?;
    alice.says(&room, "hello").await?;
    bruno.reads("hello").await?;
    bruno.says(alice.id(), "hi").await?;
    alice.reads(room.room_id(), "hi").await?;
    Ok(Scene { alice, bruno, management, room })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_is_told_and_read() -> Result<()> {
    let mut world = World::start("identity-notify", Plan::default()).await?;
    let told = async {
        let Scene { alice, bruno, management, room } = scene(&world, "notify").await?;
        let verify = format!("verify {PHONE}");
        alice.asks(&management, &verify, &["safety number"]).await?;
        alice.asks(&management, &format!("{verify} yes"), &["verified"]).await?;
        new_phone(&world).await?;
        bruno.says(alice.id(), "my new phone").await?;
        alice.reads(room.room_id(), "my new phone").await?;
        alice
            .reads_words(room.room_id(), &["security keys have changed", "no longer holds"])
            .await?;
        alice.says(&room, "congratulations").await?;
        bruno.reads("congratulations").await?;
        // A strict client of this person has cross-signed its device; it is all there is.
        alice.asks(&management, "status", &["All your Matrix devices are verified"]).await?;
        alice.asks(&management, "verify bot", &["master key"]).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_waits_until_it_is_confirmed() -> Result<()> {
    let mut world = World::start("identity-hold", Plan::default()).await?;
    let told = async {
        let Scene { alice, bruno, management, room } = scene(&world, "hold").await?;
        new_phone(&world).await?;
        bruno.says(alice.id(), "my new phone").await?;
        alice.reads_words(room.room_id(), &["security keys have changed", "`confirm`"]).await?;
        alice.says(&room, "is it you?").await?;
        alice.reads_words(room.room_id(), &["your message waits"]).await?;
        world.bridge.stop().await?;
        world.bridge.start().await?;
        bruno.says(alice.id(), "hello?").await?;
        tokio::time::sleep(A_WHILE).await;
        ensure!(!saw(&alice, &room, "my new phone") && !saw(&alice, &room, "hello?"), "shown");
        let got = bruno.got().await?;
        ensure!(got.iter().all(|message| message.text != "is it you?"), "sent: {got:?}");
        alice.asks(&management, &format!("confirm {PHONE}"), &["confirmed"]).await?;
        for text in ["my new phone", "hello?"] {
            alice.reads(room.room_id(), text).await?;
        }
        bruno.reads("is it you?").await?;
        bruno.says(alice.id(), "it is").await?;
        alice.reads(room.room_id(), "it is").await?;
        alice.asks(&management, "consent", &["you confirmed the new keys"]).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_is_blocked() -> Result<()> {
    let mut world = World::start("identity-block", Plan::default()).await?;
    let told = async {
        let Scene { alice, bruno, management, room } = scene(&world, "block").await?;
        new_phone(&world).await?;
        bruno.says(alice.id(), "let me in").await?;
        alice.reads_words(room.room_id(), &["they are blocked"]).await?;
        until("the network to know", PATIENCE, || async {
            Ok((blocked(&world, &alice).await? == 1).then_some(()))
        })
        .await?;
        alice.says(&room, "who are you?").await?;
        alice.reads_words(room.room_id(), &["You have blocked this contact"]).await?;
        tokio::time::sleep(A_WHILE).await;
        ensure!(!saw(&alice, &room, "let me in"), "shown");
        alice.asks(&management, &format!("unblock {PHONE}"), &["no longer blocked"]).await?;
        until("the network to know", PATIENCE, || async {
            Ok((blocked(&world, &alice).await? == 0).then_some(()))
        })
        .await?;
        alice.asks(&management, &format!("confirm {PHONE}"), &["confirmed"]).await?;
        alice.asks(&management, &format!("start {PHONE}"), &["chat is ready"]).await?;
        bruno.says(alice.id(), "thank you").await?;
        alice.reads(room.room_id(), "thank you").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
