//! People of another homeserver: two Synapses that federate, the bridge at one of them, the people at
//! the other. For them everything is as for people of the bridge's own homeserver.

use anyhow::{Result, ensure};
use matrix_sdk::{
    Room,
    ruma::api::client::room::create_room::v3::{Request as CreateRoom, RoomPreset},
};
use serde_json::{Value, json};

use crate::{
    rooms::looks_up,
    support::{
        bridge::{BOT, Plan},
        emulator::Contact,
        matrix_client::{Person, must_be_clean},
        place::free_url,
        synapse::{Synapse, federating_name},
        wait::{PATIENCE, until},
        world::{PHONE, World, logs_in_with, starts_chat},
    },
};

/// A bridge whose own homeserver federates with another one, and has the rules that `rules` makes for
/// the other one's name.
async fn two_homeservers(name: &str, rules: impl Fn(&str) -> String) -> Result<(World, Synapse)> {
    let (here, there) = (federating_name()?, federating_name()?);
    let plan = Plan { server_name: here, permissions: rules(&there), ..Plan::default() };
    let mut world = World::start(name, plan).await?;
    let elsewhere = Synapse::start_at(&world.run, &there, &free_url()?, None).await;
    match elsewhere {
        Ok(elsewhere) => Ok((world, elsewhere)),
        Err(error) => Err(world.run.failure(error)),
    }
}

/// One turn of talk, encrypted on both legs.
async fn talk(person: &Person, room: &Room, contact: &Contact, about: &str) -> Result<()> {
    let (question, answer) = (format!("question {about}"), format!("answer {about}"));
    person.says(room, &question).await?;
    let read = contact.reads(&question).await?;
    let name = read.display_name.unwrap_or_default();
    ensure!(name == person.id().as_str(), "the contact saw it from {name:?}");
    let id = contact.says(person.id(), &answer).await?;
    must_be_clean(&person.reads(room.room_id(), &answer).await?)?;
    contact.learns_of(&id, "delivered").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_another_homeserver_talks_without_a_shield() -> Result<()> {
    let rules = |there: &str| format!("\"{there}\" = \"user\"");
    let (mut world, elsewhere) = two_homeservers("federation", rules).await?;
    let told = async {
        let fleur = Person::join(&elsewhere, "fleur").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in_with(&fleur, &world.synapse.user(BOT)?).await?;
        let (room, ghost) = starts_chat(&fleur, &management, PHONE).await?;
        ensure!(ghost.server_name() != fleur.id().server_name(), "the ghost is of her homeserver");
        for turn in 0..3 {
            talk(&fleur, &room, &bruno, &turn.to_string()).await?;
        }
        for message in fleur.saw(management.room_id()) {
            if message.sender != fleur.id() {
                must_be_clean(&message)?;
            }
        }

        // A rule for another homeserver allows nobody of the bridge's own.
        let alice = world.person("alice").await?;
        let refused = alice.open_chat_with(&world.synapse.user(BOT)?).await?;
        alice.asks(&refused, "login", &["has not allowed you"]).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// Waits until the bridge has heard that the person left their chat: from server to server an invitation
/// may overtake that, and while they are in the one room the contact stays there.
async fn knows_of_the_leave(person: &Person, management: &Room) -> Result<()> {
    until("the leave to be heard of", PATIENCE, || async {
        let answer = person.asks(management, "contacts", &["your contacts"]).await?;
        Ok(answer.body.contains("may ask to write to you").then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_another_homeserver_invites_a_contact_into_rooms_of_theirs() -> Result<()> {
    let rules = |_: &str| "\"*\" = \"user\"".to_owned();
    let (mut world, elsewhere) = two_homeservers("federated-invite", rules).await?;
    let told = async {
        let fleur = Person::join(&elsewhere, "fleur").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in_with(&fleur, &world.synapse.user(BOT)?).await?;
        // The lookup is one of the bridge's own homeserver: somebody there tells her the id.
        let alice = world.person("alice").await?;
        let ghost = looks_up(&world, &alice, PHONE).await?;
        let first = fleur.open_chat_with(&ghost).await?;
        must_be_clean(&fleur.reads_words(first.room_id(), &["chat is ready"]).await?)?;
        talk(&fleur, &first, &bruno, "by a number").await?;

        // Now he is a contact of hers, whose chat moves with her.
        first.leave().await?;
        knows_of_the_leave(&fleur, &management).await?;
        let second = fleur.open_chat_with(&ghost).await?;
        must_be_clean(&fleur.reads_words(second.room_id(), &["chat is ready"]).await?)?;
        talk(&fleur, &second, &bruno, "by an acquaintance").await
    };
    let told = told.await;
    world.report(told)
}

/// Says in a policy room that `who` is banned, or (with an empty content) no longer.
async fn rules_on(list: &Room, content: Value) -> Result<()> {
    list.send_state_event_raw("m.policy.rule.user", "rule:fleur", content).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_room_of_another_homeserver_pauses_whom_it_bans() -> Result<()> {
    let rules = |there: &str| format!("\"*\" = \"user\"\npolicy_rooms = [\"#deny-list:{there}\"]");
    let (mut world, elsewhere) = two_homeservers("policy", rules).await?;
    let told = async {
        let moderator = Person::join(&elsewhere, "moderator").await?;
        let mut request = CreateRoom::new();
        request.preset = Some(RoomPreset::PublicChat);
        request.room_alias_name = Some("deny-list".to_owned());
        let list = moderator.client().create_room(request).await?;
        moderator.sees_member(&list, &world.synapse.user(BOT)?).await?;

        let fleur = Person::join(&elsewhere, "fleur").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in_with(&fleur, &world.synapse.user(BOT)?).await?;
        let (room, _) = starts_chat(&fleur, &management, PHONE).await?;
        talk(&fleur, &room, &bruno, "before").await?;

        let ban = json!({"entity": "@fl*r:*", "recommendation": "m.ban", "reason": "spam"});
        rules_on(&list, ban).await?;
        let is_pause = |body: &str| body.contains("is paused") && body.contains("spam");
        fleur.sees(management.room_id(), "the pause", |message| is_pause(&message.body)).await?;
        fleur.says(&room, "while banned").await?;
        fleur
            .sees(room.room_id(), "why it was not sent", |message| {
                message.body.starts_with("That message was not sent.")
            })
            .await?;
        bruno.says(fleur.id(), "for later").await?;

        rules_on(&list, json!({})).await?;
        must_be_clean(&fleur.reads(room.room_id(), "for later").await?)?;
        fleur.asks(&management, "status", &["you are connected"]).await?;
        talk(&fleur, &room, &bruno, "after").await?;
        let got = bruno.got().await?;
        ensure!(got.len() == 2, "the contact got {got:?}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
