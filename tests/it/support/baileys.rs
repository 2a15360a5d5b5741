//! A WhatsApp person in Baileys, unmodified from npm: another implementation of the network's client and of
//! its Signal sessions, linked to the emulated network as a companion device.

mod files;

use std::{fs, os::unix::fs::symlink};

use anyhow::{Context, Result};
use reqwest::Method;
use ruma::UserId;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    bridge::NetworkPlace,
    dialogue::Dialogue,
    emulator::{Control, Emulator},
    place::{RunFolder, checkout, installed},
    wait::{PATIENCE, until},
};

/// A logged-in person in Baileys.
#[derive(Debug)]
pub(crate) struct BaileysPerson {
    control: Control,
    driver: Dialogue,
}

impl BaileysPerson {
    /// Makes a person with this number, starts Baileys, and links it as WhatsApp's own web client is
    /// linked: it shows a QR code, which the person's phone scans.
    pub(crate) async fn join(network: &Emulator, run: &RunFolder, phone: &str) -> Result<Self> {
        let control = network.control().clone();
        let person = json!({"phone": phone, "name": "Bailey", "kind": "paired"});
        control.call(Method::POST, "people", Some(&person)).await?;

        // The program of the checkout beside the installed libraries, in a folder that nobody else writes to. Baileys keeps
        // files there while it moves them.
        let place = run.path().join(format!("baileys-{phone}"));
        fs::create_dir_all(&place)?;
        for file in ["driver.mjs", "media.mjs"] {
            fs::copy(checkout().join("tests/peers/baileys").join(file), place.join(file))?;
        }
        symlink(installed("peers/baileys/node_modules")?, place.join("node_modules"))?;
        let mut command = Command::new("node");
        command.arg("driver.mjs").current_dir(&place).env("TMPDIR", &place);
        let mut driver = Dialogue::start("Baileys", command, &run.log("baileys"))?;
        let NetworkPlace { chat, root_key, media, .. } = network.place();
        let connect =
            json!({"do": "connect", "url": chat, "root_key_hex": root_key, "media_url": media});
        driver.tell(&connect).await?;

        let shown = driver.event("a QR code", PATIENCE, is("qr")).await?;
        let path = format!("people/{}/pair", phone.trim_start_matches('+'));
        control.call(Method::POST, &path, Some(&json!({"qr": shown["qr"]}))).await?;
        driver.event("Baileys to be linked", PATIENCE, is("open")).await?;
        Ok(Self { control, driver })
    }

    /// Under which JID this client knows a Matrix person.
    pub(crate) async fn jid_of(&self, person: &UserId) -> Result<String> {
        let login =
            self.control.login(person).await?.context("nobody is enlisted under this id")?;
        Ok(login["alias_pn"].as_str().context("a login without an alias")?.to_owned())
    }

    /// Writes to a Matrix person, under the alias that a client without interop ids sees.
    pub(crate) async fn says(&mut self, to: &UserId, text: &str) -> Result<()> {
        let to = self.jid_of(to).await?;
        self.driver.tell(&json!({"do": "send", "to": to, "text": text})).await
    }

    /// Writes the same and gives the id of the message.
    pub(crate) async fn sends(&mut self, to: &UserId, text: &str) -> Result<String> {
        self.tell(to, json!({"do": "send", "text": text, "tag": text})).await?;
        let is_it = |event: &Value| event["event"] == "sent" && event["tag"] == text;
        let sent = self.driver.event("Baileys to send a text", PATIENCE, is_it).await?;
        Ok(sent["id"].as_str().context("no id")?.to_owned())
    }

    /// Reacts to a message, or takes that back with an empty `emoji`.
    pub(crate) async fn reacts(&mut self, to: &UserId, id: &str, emoji: &str) -> Result<()> {
        self.tell(to, json!({"do": "react", "id": id, "emoji": emoji})).await
    }

    /// Answers a message.
    pub(crate) async fn replies(&mut self, to: &UserId, id: &str, text: &str) -> Result<()> {
        self.tell(to, json!({"do": "reply", "id": id, "text": text})).await
    }

    /// Corrects a message of its own.
    pub(crate) async fn edits(&mut self, to: &UserId, id: &str, text: &str) -> Result<()> {
        self.tell(to, json!({"do": "edit", "id": id, "text": text})).await
    }

    /// Deletes a message of its own, for everyone.
    pub(crate) async fn deletes(&mut self, to: &UserId, id: &str) -> Result<()> {
        self.tell(to, json!({"do": "delete", "id": id})).await
    }

    async fn tell(&mut self, to: &UserId, mut order: Value) -> Result<()> {
        let login = self.control.login(to).await?.context("nobody is enlisted under this id")?;
        order["to"] = login["alias_pn"].clone();
        self.driver.tell(&order).await
    }

    /// Waits until the latest reaction to a message is this one; an empty one is none any more.
    pub(crate) async fn sees_reaction(&self, id: &str, emoji: &str) -> Result<()> {
        until(&format!("Baileys to see the reaction {emoji:?}"), PATIENCE, || async {
            let events = self.driver.events();
            let mut seen = events.iter().filter(|e| is("reaction")(e) && e["target"] == id);
            Ok(seen.next_back().filter(|latest| latest["emoji"] == emoji).map(drop))
        })
        .await
    }

    /// Waits until a message says something else.
    pub(crate) async fn sees_edited(&self, id: &str, text: &str) -> Result<()> {
        let edited =
            |event: &Value| is("edited")(event) && event["id"] == id && event["text"] == text;
        self.driver.event(&format!("Baileys to see {text:?}"), PATIENCE, edited).await.map(drop)
    }

    /// Waits until a message is deleted.
    pub(crate) async fn sees_deleted(&self, id: &str) -> Result<()> {
        let deleted = |event: &Value| is("deleted")(event) && event["id"] == id;
        self.driver.event("Baileys to see a deletion", PATIENCE, deleted).await.map(drop)
    }

    /// Says that messages of a Matrix person were read.
    pub(crate) async fn says_read(&mut self, by: &UserId, ids: &[String]) -> Result<()> {
        self.tell(by, json!({"do": "read", "ids": ids})).await
    }

    /// Types ("composing"), records ("recording") or stops ("paused").
    pub(crate) async fn types(&mut self, to: &UserId, state: &str) -> Result<()> {
        self.tell(to, json!({"do": "typing", "state": state})).await
    }

    /// Waits until the latest that Baileys shows of anybody's presence is this.
    pub(crate) async fn sees_typing(&self, state: &str) -> Result<()> {
        until(&format!("Baileys to see {state:?}"), PATIENCE, || async {
            let seen = self.driver.events().into_iter().rfind(is("typing"));
            Ok(seen.filter(|seen| seen["state"] == state).map(drop))
        })
        .await
    }

    /// Whether a receipt ("delivered", "read") came for a message.
    pub(crate) fn knows_of(&self, id: &str, receipt: &str) -> bool {
        let events = self.driver.events();
        let of_it =
            |e: &&Value| e["ids"].as_array().is_some_and(|ids| ids.iter().any(|it| it == id));
        events.iter().filter(|e| is("receipt")(e)).filter(of_it).any(|e| e["kind"] == receipt)
    }

    /// Waits for that receipt.
    pub(crate) async fn learns_of(&self, id: &str, receipt: &str) -> Result<()> {
        until(&format!("the receipt {receipt:?} for message {id}"), PATIENCE, || async {
            Ok(self.knows_of(id, receipt).then_some(()))
        })
        .await
    }

    /// Waits until this very text has come. Gives what Baileys says of it.
    pub(crate) async fn reads(&self, text: &str) -> Result<Value> {
        let what = format!("Baileys to read {text:?}");
        let is_it = |event: &Value| event["event"] == "message" && event["text"] == text;
        self.driver.event(&what, PATIENCE, is_it).await
    }

    /// Every text that came, in order.
    pub(crate) fn got(&self) -> Vec<String> {
        let events = self.driver.events().into_iter().filter(is("message"));
        events.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
    }

    /// How many messages came that Baileys could not read.
    pub(crate) fn unreadable(&self) -> usize {
        self.driver.events().iter().filter(|event| is("undecrypted")(event)).count()
    }
}

fn is(name: &'static str) -> impl Fn(&Value) -> bool + Send + Sync {
    move |event| event["event"] == name
}
