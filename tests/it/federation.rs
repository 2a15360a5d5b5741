//! A person of another homeserver: two Synapses that federate, the bridge at one of them, the person
//! at the other. For them everything is as for a person of the bridge's own homeserver.

use anyhow::{Result, ensure};

use crate::support::{
    bridge::{BOT, Plan},
    matrix_client::{Person, must_be_clean},
    place::free_url,
    synapse::{Synapse, federating_name},
    world::{PHONE, World, is_ghost, logs_in_with, starts_chat},
};

/// A bridge whose own homeserver federates with another one, and allows who `rule` names by it.
async fn two_homeservers(name: &str, rule: impl Fn(&str) -> String) -> Result<(World, Synapse)> {
    let (here, there) = (federating_name()?, federating_name()?);
    let plan = Plan { server_name: here, permissions: rule(&there), ..Plan::default() };
    let mut world = World::start(name, plan).await?;
    let elsewhere = Synapse::start_at(&world.run, &there, &free_url()?, None).await;
    match elsewhere {
        Ok(elsewhere) => Ok((world, elsewhere)),
        Err(error) => Err(world.run.failure(error)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_another_homeserver_talks_without_a_shield() -> Result<()> {
    let rule = |there: &str| format!("\"{there}\" = \"user\"");
    let (mut world, elsewhere) = two_homeservers("federation", rule).await?;
    let told = async {
        let fleur = Person::join(&elsewhere, "fleur").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in_with(&fleur, &world.synapse.user(BOT)?).await?;
        for message in fleur.saw(management.room_id()) {
            if message.sender != fleur.id() {
                must_be_clean(&message)?;
            }
        }
        let (room, ghost) = starts_chat(&fleur, &management, PHONE).await?;
        ensure!(ghost.server_name() != fleur.id().server_name(), "the ghost is of her homeserver");
        for turn in 0..3 {
            let (question, answer) = (format!("question {turn}"), format!("answer {turn}"));
            fleur.says(&room, &question).await?;
            let read = bruno.reads(&question).await?;
            let name = read.display_name.unwrap_or_default();
            ensure!(name == fleur.id().as_str(), "the contact saw it from {name:?}");
            let id = bruno.says(fleur.id(), &answer).await?;
            must_be_clean(&fleur.reads(room.room_id(), &answer).await?)?;
            bruno.learns_of(&id, "delivered").await?;
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
