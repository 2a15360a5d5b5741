//! A first session with the bot as it is in truth: a real homeserver, an encrypted client in its strictest setting,
//! and the words of `docs/first-session.md`. The client must see every answer encrypted, without a warning, and
//! formatted where the document is.

use anyhow::{Result, ensure};
use matrix_sdk::Client;

use crate::{
    support::{
        bridge::Plan,
        emulator::Contact,
        matrix_client::{PASSWORD, Person, must_be_clean},
        world::{World, bot, is_ghost},
    },
    transcript::{DEVICE, NAME, PHONE, SESSION, Step, Transcript},
};

/// A second device of a person, which they leave unverified. It is there as soon as its keys are.
async fn has_another_device(world: &World, person: &Person) -> Result<()> {
    let client = Client::builder().homeserver_url(world.synapse.url()).build().await?;
    let login = client.matrix_auth().login_username(person.id().localpart(), PASSWORD);
    login.device_id(DEVICE).send().await?;
    client.sync_once(matrix_sdk::config::SyncSettings::new()).await?;
    Ok(())
}

async fn talks(alice: &Person, anna: &Contact) -> Result<()> {
    let (room, _) = alice.accepts_invitation(is_ghost).await?;
    alice.says(&room, "hello").await?;
    anna.reads("hello").await?;
    let id = anna.says(alice.id(), "hi").await?;
    must_be_clean(&alice.reads(room.room_id(), "hi").await?)?;
    // Until then their name may be on its way.
    anna.learns_of(&id, "delivered").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_client_has_the_first_session_of_the_documents() -> Result<()> {
    let mut world = World::start("first-session", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        has_another_device(&world, &alice).await?;
        let anna = world.contact(PHONE, NAME).await?;
        let management = alice.open_chat_with(&bot()?).await?;
        let mut told = Transcript::new();
        let mut links = 0;
        for (thought, step) in SESSION {
            let Step::Asks(typed) = step else {
                talks(&alice, &anna).await?;
                told.did(thought);
                continue;
            };
            let answer = alice.asks(&management, typed, &[]).await?;
            must_be_clean(&answer)?;
            ensure!(answer.kind == "m.notice", "{typed}: the bot said {}", answer.kind);
            let html = answer.html.unwrap_or_default();
            if answer.body.contains('`') || answer.body.contains("\n- ") {
                ensure!(!html.is_empty(), "{typed}: no formatting in {:?}", answer.body);
            }
            links += html.matches("<a href=\"https://matrix.to/#/@whatsapp_").count();
            told.asked(thought, typed, &answer.body, alice.id().server_name().as_str());
        }
        ensure!(links == 1, "a contact without a name is a link, once; there were {links}");
        told.check()
    };
    let told = told.await;
    world.report(told)
}
