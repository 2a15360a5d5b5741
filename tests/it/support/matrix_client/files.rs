//! Files of a person in a stock Matrix client.

use anyhow::{Context, Result};
use causeway::domain::attachment::{AttachmentEncryptor, AttachmentKeys};
use matrix_sdk::{
    Room,
    attachment::AttachmentConfig,
    media::{MediaFormat, MediaRequestParameters},
    ruma::{EventId, OwnedEventId, events::room::MediaSource},
};
use reqwest::header::CONTENT_LENGTH;
use serde_json::{Value, json};

use super::Person;

impl Person {
    /// Sends a document, as the client does it: encrypted and uploaded first.
    pub(crate) async fn sends_document(
        &self,
        room: &Room,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<OwnedEventId> {
        let kind = "application/pdf".parse()?;
        let sent = room.send_attachment(name, &kind, bytes, AttachmentConfig::new()).await?;
        Ok(sent.event_id)
    }

    /// Sends a document of no bytes. The SDK does not say how long its upload is then, and Synapse wants to know.
    pub(crate) async fn sends_empty_document(&self, room: &Room, name: &str) -> Result<()> {
        let url = self.client.homeserver().join("/_matrix/media/v3/upload")?;
        let token = self.client.access_token().context("a client without a token")?;
        let request = reqwest::Client::builder().no_proxy().build()?.post(url);
        let request = request.bearer_auth(token).header(CONTENT_LENGTH, 0).body("");
        let uploaded: Value =
            serde_json::from_slice(&request.send().await?.error_for_status()?.bytes().await?)?;
        let uri = uploaded["content_uri"].as_str().context("no URI")?;
        let keys = AttachmentKeys::from_random(&[9; AttachmentKeys::RANDOM_BYTES]);
        let file = AttachmentEncryptor::new(keys).finish().at(uri.into()).to_json();
        let info = json!({"mimetype": "application/pdf", "size": 0});
        let content = json!({"msgtype": "m.file", "body": name, "file": file, "info": info});
        room.send_raw("m.room.message", content).await?;
        Ok(())
    }

    /// Downloads and decrypts the file of an event.
    pub(crate) async fn opens(&self, room: &Room, event: &EventId) -> Result<Vec<u8>> {
        let event = room.event(event, None).await?;
        let event: Value = serde_json::from_str(event.raw().json().get())?;
        let file = serde_json::from_value(event["content"]["file"].clone());
        let source = MediaSource::Encrypted(Box::new(file.context("an event without a file")?));
        let request = MediaRequestParameters { source, format: MediaFormat::File };
        Ok(self.client.media().get_media_content(&request, false).await?)
    }
}
