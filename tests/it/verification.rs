//! A person verifies the bot and a ghost in their client, and both sides know it afterwards.

use anyhow::{Context, Result, ensure};
use matrix_sdk::{
    Room, encryption::verification::SasVerification,
    ruma::events::key::verification::VerificationMethod,
};
use ruma::UserId;

use crate::support::{
    bridge::Plan,
    matrix_client::Person,
    wait::{PATIENCE, until},
    world::{PHONE, World, bot, logs_in, starts_chat},
};

/// The person's client asks, and both sides get as far as to have a code.
async fn begins(person: &Person, with: &UserId) -> Result<SasVerification> {
    let identity = person.client().encryption().request_user_identity(with).await?;
    let identity = identity.context("no identity")?;
    ensure!(!identity.is_verified(), "verified before anybody compared anything");
    let methods = vec![VerificationMethod::SasV1];
    let request = identity.request_verification_with_methods(methods).await?;
    until("the request to be accepted", PATIENCE, || async {
        ensure!(!request.is_cancelled(), "refused: {:?}", request.cancel_info());
        Ok(request.is_ready().then_some(()))
    })
    .await?;
    let sas = request.start_sas().await?.context("no emoji verification")?;
    until("the code", PATIENCE, || async {
        ensure!(!sas.is_cancelled(), "cancelled: {:?}", sas.cancel_info());
        Ok(sas.can_be_presented().then_some(()))
    })
    .await?;
    Ok(sas)
}

/// The person compares the code of their client with the one in the management room.
async fn compares(person: &Person, management: &Room, sas: &SasVerification) -> Result<()> {
    let emoji = sas.emoji().context("no emoji")?;
    let code = emoji.map(|emoji| format!("{} {}", emoji.symbol, emoji.description)).join(", ");
    person.reads_words(management.room_id(), &[&code, "`match`"]).await.map(drop)
}

async fn is_verified(person: &Person, other: &UserId) -> Result<bool> {
    let identity = person.client().encryption().get_user_identity(other).await?;
    Ok(identity.context("no identity")?.is_verified())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_verifies_the_bot_and_a_contacts_user() -> Result<()> {
    let mut world = World::start("verification", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        // As clients do with an invitation to a direct chat; they verify somebody in theirs.
        room.set_is_direct(true).await?;
        for other in [bot()?, ghost] {
            alice.asks(&management, "match", &["no code to compare"]).await?;
            let sas = begins(&alice, &other).await?;
            compares(&alice, &management, &sas).await?;
            sas.confirm().await?;
            ensure!(!sas.is_done(), "the bridge confirmed without being told to");
            alice.asks(&management, "match", &["Good"]).await?;
            until("both to be done", PATIENCE, || async {
                ensure!(!sas.is_cancelled(), "cancelled: {:?}", sas.cancel_info());
                Ok(sas.is_done().then_some(()))
            })
            .await?;
            // The client believes its own signature when the homeserver has told it.
            until("the signature", PATIENCE, || async {
                Ok(is_verified(&alice, &other).await?.then_some(()))
            })
            .await?;
            alice.reads_words(management.room_id(), &["You have verified"]).await?;
        }
        alice.says(&room, "now I know it is you").await?;
        bruno.reads("now I know it is you").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_differs_verifies_nobody() -> Result<()> {
    let mut world = World::start("verification-differs", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let management = logs_in(&alice).await?;
        let bot = bot()?;
        let sas = begins(&alice, &bot).await?;
        compares(&alice, &management, &sas).await?;
        alice.asks(&management, "differ", &["I have cancelled it"]).await?;
        until("the end", PATIENCE, || async { Ok(sas.is_cancelled().then_some(())) }).await?;
        ensure!(!is_verified(&alice, &bot).await?, "verified all the same");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
