//! Files, and other content than text, of a person in Baileys.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    super::{emulator::files::FileMark, place::dice, wait::PATIENCE},
    BaileysPerson, is,
};

/// For a file of a hundred megabytes, on a machine that does much else.
const FILE_LIMIT: Duration = Duration::from_mins(3);

impl BaileysPerson {
    /// Sends a file to a JID. `file` is `{"sample": …}` or `{"path": …}`; `about` has what else the driver's `send_file`
    /// takes: caption, file_name, seconds … Returns the event `sent`: id, file, peak_mb.
    pub(crate) async fn sends_file(
        &mut self,
        to: &str,
        kind: &str,
        file: Value,
        about: Value,
    ) -> Result<Value> {
        let mut order = json!({"do": "send_file", "to": to, "kind": kind, "file": file});
        let more = about.as_object().context("the description of a file is an object")?;
        order.as_object_mut().context("an order is an object")?.extend(more.clone());
        self.sends_order(order).await
    }

    /// Sends what Baileys' `sendMessage` takes: a location, contacts, a poll. Returns the event `sent`.
    pub(crate) async fn sends_content(&mut self, to: &str, content: Value) -> Result<Value> {
        self.sends_order(json!({"do": "send_content", "to": to, "content": content})).await
    }

    async fn sends_order(&mut self, mut order: Value) -> Result<Value> {
        let tag = format!("{:x}", dice());
        order["tag"] = tag.as_str().into();
        let errors = self.driver.events().iter().filter(|event| is("error")(event)).count();
        self.driver.tell(&order).await?;
        let ended = |event: &Value| event["event"] == "sent" && event["tag"] == tag;
        let failed = || self.driver.events().into_iter().filter(is("error")).nth(errors);
        let answered = |event: &Value| ended(event) || failed().as_ref() == Some(event);
        let answer = self.driver.event("Baileys to send", FILE_LIMIT, answered).await?;
        if is("error")(&answer) {
            bail!("Baileys did not send: {answer}");
        }
        Ok(answer)
    }

    /// Waits for the message with this id, which has a file. Returns what it says of it.
    pub(crate) async fn gets_file(&self, id: &str) -> Result<Value> {
        self.gets_file_that("with a certain id", |message| message["id"] == id).await
    }

    /// Waits for a message with a file that `wanted` accepts. Returns the event `message`: id, text, file.
    pub(crate) async fn gets_file_that(
        &self,
        what: &str,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Value> {
        let what = format!("Baileys to get a file {what}");
        let is_it =
            |event: &Value| is("message")(event) && event["file"].is_object() && wanted(event);
        self.driver.event(&what, PATIENCE, is_it).await
    }

    /// Downloads and decrypts the file of a message that came.
    pub(crate) async fn opens(&mut self, id: &str) -> Result<FileMark> {
        let before = self.driver.events().len();
        self.driver.tell(&json!({"do": "download", "id": id})).await?;
        let ended = |event: &Value| {
            event["id"] == id && (is("downloaded")(event) || is("undownloaded")(event))
        };
        let answered = |event: &Value| {
            ended(event) && self.driver.events().iter().skip(before).any(|later| later == event)
        };
        let answer = self.driver.event("Baileys to download", FILE_LIMIT, answered).await?;
        if is("undownloaded")(&answer) {
            bail!("Baileys did not download: {answer}");
        }
        Ok(serde_json::from_value(answer)?)
    }
}
