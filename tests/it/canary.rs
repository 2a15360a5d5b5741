//! No plaintext outside memory: every message of a conversation holds a random marker, and afterwards
//! no byte of what the bridge keeps or logs holds it.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use matrix_sdk::Room;
use serde_json::json;

use crate::support::{
    bridge::Plan,
    emulator::Contact,
    files::Bytes,
    matrix_client::Person,
    place::{RunFolder, dice},
    world::{PHONE, World, logs_in, starts_chat},
};

/// A text that occurs nowhere by chance.
fn marker() -> String {
    format!("canary{:016x}{:016x}", dice(), dice())
}

/// The forms in which a text may lie in a file: as it is, in 16-bit units of either order, in
/// hexadecimal, and in base64, whose form depends on where in a longer text it stands.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect();
    let hex = text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let mut forms = vec![
        text.as_bytes().to_vec(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    for shift in 0..3 {
        let shifted = [&vec![b'.'; shift], text.as_bytes()].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            // The characters at both ends depend on the neighbors: only what lies between is the text's own.
            forms.push(encoded.as_bytes()[shift * 4 / 3 + 1..encoded.len() - 2].to_vec());
        }
    }
    forms
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every file below `folder`, with its content.
pub(crate) fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    Ok(found)
}

/// Fails if a form of the text occurs in one of the files.
pub(crate) fn must_not_occur(text: &str, files: &[(String, Vec<u8>)]) -> Result<()> {
    for form in forms(text) {
        for (name, content) in files {
            let shown = String::from_utf8_lossy(&form);
            ensure!(!holds(content, &form), "{text} stands in {name} as {shown:?}");
        }
    }
    Ok(())
}

#[test]
fn the_search_finds_every_form() -> Result<()> {
    let run = RunFolder::new("canary-search")?;
    let text = marker();
    let around = format!("some words, {text}; more words");
    let wide = |order: fn(u16) -> [u8; 2]| around.encode_utf16().flat_map(order).collect();
    let hidden: [Vec<u8>; 7] = [
        around.clone().into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        around.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
        STANDARD_NO_PAD.encode(&around).into_bytes(),
        STANDARD_NO_PAD.encode(format!(".{around}")).into_bytes(),
        URL_SAFE_NO_PAD.encode(format!("..{around}")).into_bytes(),
    ];
    for (number, content) in hidden.iter().enumerate() {
        let folder = run.path().join(format!("{number}/inner"));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("file"), content)?;
        let found = files(&run.path().join(number.to_string()))?;
        ensure!(must_not_occur(&text, &found).is_err(), "form {number} was not found");
        ensure!(must_not_occur(&marker(), &found).is_ok(), "a text that is not there was found");
    }
    Ok(())
}

/// Files full of the marker cross both ways, with the marker in what is said of them. What is hosted for the
/// network stays in the bridge's folder, which is searched.
async fn files_cross(
    world: &World,
    alice: &Person,
    room: &Room,
    bruno: &Contact,
    marker: &str,
) -> Result<()> {
    let bytes = marker.repeat(2_000).into_bytes();
    let uploaded = alice.uploads(Bytes::These(bytes.clone())).await?;
    let content = json!({"msgtype": "m.file", "body": format!("see {marker}"),
        "filename": format!("{marker}.pdf"), "file": uploaded.file,
        "info": {"size": bytes.len(), "mimetype": "application/pdf"}});
    alice.sends_content(room, content).await?;
    let got = bruno.gets("the file", |got| got.attachment.is_object()).await?;
    ensure!(got.text.contains(marker), "the words with the file did not come: {got:?}");
    bruno.opens(&got.id).await?;
    let hosted = files(&world.bridge.folder().join("media"))?;
    ensure!(hosted.iter().any(|(_, content)| content.len() > bytes.len()), "nothing is hosted");

    let path = world.run.path().join("sent");
    fs::write(&path, &bytes)?;
    let about = json!({"caption": format!("read {marker}"), "file_name": format!("{marker}.txt")});
    bruno.sends_file(alice.id().as_str(), "document", json!({"path": path}), about).await?;
    let seen = alice.reads(room.room_id(), &format!("read {marker}")).await?;
    let print = alice.downloads(&seen.content["file"]).await?;
    ensure!(print.size == bytes.len() as u64, "{print:?} arrived");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plaintext_reaches_the_disk_or_the_log() -> Result<()> {
    // As talkative as an operator who looks for a fault would make it.
    let plan = Plan { log: "debug,causeway=trace", ..Plan::default() };
    let mut world = World::start("canary", plan).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let marker = marker();
        for turn in 0..10 {
            let (question, answer) =
                (format!("question {marker} {turn}"), format!("answer {marker} {turn}"));
            alice.says(&room, &question).await?;
            bruno.reads(&question).await?;
            bruno.says(alice.id(), &answer).await?;
            alice.reads(room.room_id(), &answer).await?;
        }
        files_cross(&world, &alice, &room, &bruno, &marker).await?;
        // Ways that end in an error are where plaintext slips into logs.
        alice.asks(&management, &format!("{marker} is no command"), &["help"]).await?;
        world.network().fault(&serde_json::json!({"corrupt_next_ciphertext": 20})).await?;
        bruno.says(alice.id(), &format!("spoiled {marker}")).await?;
        alice.reads_words(room.room_id(), &["could not be decrypted"]).await?;

        // With everything open, so that what is not yet in the database's main file is seen as well.
        let mut kept = files(world.bridge.folder())?;
        let log = fs::read(world.bridge.log())?;
        let database = kept.iter().find(|(name, _)| name.ends_with("causeway.db"));
        ensure!(
            database.is_some_and(|(_, content)| !content.is_empty()),
            "no database was looked at"
        );
        ensure!(log.len() > 10_000, "the log holds next to nothing");
        kept.push(("the log".to_owned(), log.clone()));
        must_not_occur(&marker, &kept)?;
        let digits = PHONE.trim_start_matches('+');
        must_not_occur(digits, &[("the log".to_owned(), log)])?;

        world.bridge.stop().await?;
        must_not_occur(&marker, &files(world.bridge.folder())?)?;
        world.bridge.start().await
    };
    let told = told.await;
    world.report(told)
}
