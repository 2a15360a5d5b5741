//! A person in matrix-nio: the second implementation of a Matrix client, one without cross-signing.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    dialogue::Dialogue,
    files::Print,
    matrix_client::{PASSWORD, user},
    place::{RunFolder, checkout, installed},
    synapse::Synapse,
    wait::PATIENCE,
};

/// A logged-in person in matrix-nio.
#[derive(Debug)]
pub(crate) struct NioPerson {
    id: String,
    driver: Dialogue,
}

impl NioPerson {
    /// Makes an account and logs in.
    pub(crate) async fn join(synapse: &Synapse, run: &RunFolder, name: &str) -> Result<Self> {
        synapse.register(name, PASSWORD).await?;
        let store = run.path().join(format!("nio-{name}"));
        fs::create_dir_all(&store)?;
        let mut command = Command::new(installed("nio")?.join("bin/python"));
        command.arg(driver_program());
        let log = run.log(&format!("nio-{name}"));
        let mut driver = Dialogue::start(&format!("nio ({name})"), command, &log)?;
        let login = json!({
            "do": "login", "homeserver": synapse.url(), "user": name, "password": PASSWORD,
            "store": store,
        });
        driver.ask(&login, PATIENCE).await?;
        Ok(Self { id: user(name)?.to_string(), driver })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Opens an encrypted direct chat with somebody and waits until they are in it.
    pub(crate) async fn open_chat_with(&mut self, other: &str) -> Result<String> {
        let opened = self.driver.ask(&json!({"do": "open_chat", "with": other}), PATIENCE).await?;
        let room = opened["room"].as_str().context("no room in the answer")?.to_owned();
        self.driver
            .event(&format!("{other} to join"), PATIENCE, |event| {
                event["event"] == "joined" && event["room"] == *room && event["who"] == other
            })
            .await?;
        Ok(room)
    }

    /// Waits for an invitation by somebody whom `wanted` accepts, and accepts it. Returns the room.
    pub(crate) async fn accepts_invitation(
        &mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync,
    ) -> Result<String> {
        let invitation = self
            .driver
            .event("an invitation", PATIENCE, |event| {
                event["event"] == "invited" && event["by"].as_str().is_some_and(&wanted)
            })
            .await?;
        self.driver.ask(&json!({"do": "join", "room": invitation["room"]}), PATIENCE).await?;
        Ok(invitation["room"].as_str().context("an invitation without a room")?.to_owned())
    }

    pub(crate) async fn says(&mut self, room: &str, text: &str) -> Result<()> {
        let said = json!({"do": "say", "room": room, "text": text});
        self.driver.ask(&said, PATIENCE).await.map(drop)
    }

    /// Waits for a text from somebody else that holds all of these words, whatever their case.
    /// Returns the event: `decrypted` says whether it came encrypted.
    pub(crate) async fn reads_words(&self, room: &str, words: &[&str]) -> Result<Value> {
        self.reads_within(PATIENCE, room, words).await
    }

    /// The same, with another patience.
    pub(crate) async fn reads_within(
        &self,
        limit: Duration,
        room: &str,
        words: &[&str],
    ) -> Result<Value> {
        self.driver
            .event(&format!("a text with the words {words:?}"), limit, |event| {
                let body = event["body"].as_str().unwrap_or_default().to_lowercase();
                event["event"] == "message"
                    && event["room"] == room
                    && event["sender"] != *self.id
                    && words.iter().all(|word| body.contains(&word.to_lowercase()))
            })
            .await
    }

    /// Sends a file of `kind` ("m.image" …), encrypted by matrix-nio. `file` has the rest of what the
    /// driver's command `send_file` takes: file, name, mimetype, voice.
    pub(crate) async fn sends_file(
        &mut self,
        room: &str,
        kind: &str,
        file: &Value,
    ) -> Result<Print> {
        let mut order = json!({"do": "send_file", "room": room, "kind": kind});
        let more = file.as_object().context("the description of a file is an object")?;
        order.as_object_mut().context("an order is an object")?.extend(more.clone());
        print_of(&self.driver.ask(&order, PATIENCE).await?)
    }

    /// Waits for a file of `kind` from somebody else, of which matrix-nio has checked the hash and which
    /// it has decrypted. Returns the event and what the file is.
    pub(crate) async fn sees_file(
        &self,
        room: &str,
        kind: &str,
        voice: bool,
    ) -> Result<(Value, Print)> {
        let event = self
            .driver
            .event(&format!("a file of kind {kind} (voice: {voice})"), PATIENCE, |event| {
                event["event"] == "message"
                    && event["room"] == room
                    && event["sender"] != *self.id
                    && event["kind"] == kind
                    && event["voice"] == voice
            })
            .await?;
        ensure!(event["error"].is_null(), "matrix-nio cannot have the file: {event}");
        let print = print_of(&event)?;
        Ok((event, print))
    }
}

fn print_of(told: &Value) -> Result<Print> {
    let size = told["size"].as_u64().context("a file without a size")?;
    let sha256 = told["sha256"].as_str().context("a file without a hash")?.to_owned();
    Ok(Print { size, sha256 })
}

fn driver_program() -> PathBuf {
    checkout().join("tests/peers/nio/driver.py")
}
