//! Files across the bridge, byte for byte, and what a person is told of one that cannot be shown. With Baileys and a
//! simulated person on the other side.

use anyhow::{Context, Result, ensure};
use matrix_sdk::Room;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    emulator::{
        Contact,
        files::{FileMark, sample},
    },
    matrix_client::{Person, must_be_clean},
    world::{PHONE, World, logs_in, starts_chat},
};

const LENGTHS: [u64; 5] = [0, 1, 65_535, 65_536, 65_537];

fn mark(bytes: &[u8]) -> FileMark {
    FileMark { sha256: hex::encode(Sha256::digest(bytes)), length: bytes.len() as u64 }
}

fn bytes(length: u64) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((31 * index + length) % 256).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_every_length_cross_the_bridge_unchanged() -> Result<()> {
    let mut world = World::start("files-lengths", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let jid = bailey.jid_of(alice.id()).await?;
        for length in LENGTHS {
            let name = format!("to-{length}.pdf");
            if length == 0 {
                alice.sends_empty_document(&room, &name).await?;
            } else {
                alice.sends_document(&room, &name, bytes(length)).await?;
            }
            let is_it = |message: &Value| message["file"]["file_name"] == name.as_str();
            let got = bailey.gets_file_that(&name, is_it).await?;
            let opened = bailey.opens(got["id"].as_str().context("no id")?).await?;
            ensure!(opened == mark(&bytes(length)), "{name} arrived as {opened:?}");

            let name = format!("from-{length}.pdf");
            let about = json!({"file_name": name, "mimetype": "application/pdf"});
            let sent = bailey.sends_file(&jid, "document", sample(length, length), about).await?;
            let sent: FileMark = serde_json::from_value(sent["file"].clone())?;
            let seen = alice.reads(room.room_id(), &name).await?;
            must_be_clean(&seen)?;
            ensure!(seen.kind == "m.file", "{name} is shown as {}", seen.kind);
            let opened = mark(&alice.opens(&room, &seen.event).await?);
            ensure!(opened == sent, "{name}: {sent:?} arrived as {opened:?}");
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// Has a file of the contact go wrong, and reads what is told of it. The next message comes.
async fn goes_wrong(
    world: &World,
    (alice, room, contact): (&Person, &Room, &Contact),
    (fault, count): (Value, u32),
    words: &[&str],
) -> Result<()> {
    let what = fault.to_string();
    let order = json!({"media": {"what": fault, "count": count}});
    world.network().fault(&order).await?;
    contact.sends_file(alice.id().as_str(), "document", sample(70_000, 3), json!({})).await?;
    alice.reads_words(room.room_id(), words).await.with_context(|| what.clone())?;
    let text = format!("after {what}");
    contact.says(alice.id(), &text).await?;
    alice.reads(room.room_id(), &text).await?;
    world.network().all_faults_happened().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_wrong_is_told_and_the_next_message_comes() -> Result<()> {
    let mut world = World::start("files-faults", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let contact = world.contact(PHONE, "Anna").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "hello").await?;
        contact.reads("hello").await?;
        let who = (&alice, &room, &contact);
        goes_wrong(&world, who, (json!("tampered"), 1), &["arrived damaged"]).await?;
        goes_wrong(&world, who, (json!({"status": 404}), 1), &["no longer has"]).await?;
        let inside = json!({"redirect": "http://169.254.169.254/latest/meta-data"});
        goes_wrong(&world, who, (inside, 1), &["does not lie on whatsapp's servers"]).await?;
        // Half of it, as often as it is asked for.
        goes_wrong(&world, who, (json!("truncated"), 3), &["arrived damaged"]).await?;

        // Half of it once: the next attempt brings the whole.
        world.network().spoil_download(json!("truncated"), None).await?;
        let about = json!({"file_name": "again.pdf"});
        let to = alice.id().as_str();
        let sent = contact.sends_file(to, "document", sample(70_000, 4), about).await?;
        let seen = alice.reads(room.room_id(), "again.pdf").await?;
        ensure!(mark(&alice.opens(&room, &seen.event).await?) == sent.mark, "another file came");
        world.network().all_faults_happened().await
    };
    let told = told.await;
    world.report(told)
}
