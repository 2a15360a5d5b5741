//! Files of simulated people. Large ones are made in the emulator and answered for by their hash.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Contact, Control};

/// For a file of a gigabyte, on a machine that does much else.
const FILE_LIMIT: Duration = Duration::from_mins(5);

/// A file in the clear, by what tells it from any other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct FileMark {
    /// In hexadecimal.
    pub(crate) sha256: String,
    pub(crate) length: u64,
}

/// A file that a person sent.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SentFile {
    /// Of the message.
    pub(crate) id: String,
    /// Where the ciphertext is, for faults that are to strike this file.
    pub(crate) direct_path: String,
    #[serde(flatten)]
    pub(crate) mark: FileMark,
}

/// The description of a file that is made of nothing: `size` bytes that `seed` chooses.
pub(crate) fn sample(size: u64, seed: u64) -> Value {
    json!({"sample": {"size": size, "seed": seed}})
}

impl Contact {
    /// Sends a file to a Matrix id or a phone number. `file` is [`sample`], a path or base64; `about` has what else the
    /// emulator's `MediaOrder` takes: caption, file_name, waveform, lie …
    pub(crate) async fn sends_file(
        &self,
        to: &str,
        kind: &str,
        file: Value,
        about: Value,
    ) -> Result<SentFile> {
        let mut order = json!({"to": to, "kind": kind, "file": file});
        let more = about.as_object().context("the description of a file is an object")?;
        order.as_object_mut().context("an order is an object")?.extend(more.clone());
        let path = self.path("send_media");
        let call = self.control.call_within(FILE_LIMIT, Method::POST, &path, Some(&order));
        Ok(serde_json::from_value(call.await?)?)
    }

    /// Sends an encoded protobuf `Message`, in hexadecimal, as a stanza of type `kind`. Returns the id.
    pub(crate) async fn sends_raw(&self, to: &str, kind: &str, message: &str) -> Result<String> {
        let order = json!({"to": to, "kind": kind, "message": message});
        let sent = self.control.call(Method::POST, &self.path("send_raw"), Some(&order)).await?;
        Ok(sent["id"].as_str().context("the emulator named no message id")?.to_owned())
    }

    /// Has the person's phone download and check the file of a message that came.
    pub(crate) async fn opens(&self, id: &str) -> Result<FileMark> {
        let path = self.path(&format!("received/{id}/file"));
        let call = self.control.call_within(FILE_LIMIT, Method::GET, &path, None);
        Ok(serde_json::from_value(call.await?)?)
    }
}

impl Control {
    /// Lets `what` happen to the next download, or to the next of one file; see the emulator's `MediaFault`.
    pub(crate) async fn spoil_download(
        &self,
        what: Value,
        direct_path: Option<&str>,
    ) -> Result<()> {
        self.fault(&json!({"media": {"what": what, "direct_path": direct_path}})).await
    }

    /// Fails if an ordered fault has not happened yet.
    pub(crate) async fn all_faults_happened(&self) -> Result<()> {
        let waiting = self.call(Method::GET, "faults", None).await?;
        ensure!(waiting == json!([]), "these faults did not happen: {waiting}");
        Ok(())
    }
}
