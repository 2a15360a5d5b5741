//! What a person's client is told of others besides messages: how far they read, whether they type, and
//! what became of the person's own messages.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use matrix_sdk::{
    Room,
    ruma::{
        EventId, UserId,
        api::client::receipt::create_receipt::v3::ReceiptType,
        events::{AnySyncEphemeralRoomEvent, AnySyncTimelineEvent, receipt::ReceiptThread},
        serde::Raw,
    },
};
use serde_json::Value;

use super::{
    matrix_client::Person,
    wait::{PATIENCE, until},
};

/// Collects for as long as the person's client lives.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    /// Ephemeral and timeline events with their room, as they came.
    came: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Signs {
    /// From now on.
    pub(crate) fn of(person: &Person) -> Self {
        let came = Arc::<Mutex<Vec<_>>>::default();
        let keep = |came: &Arc<Mutex<Vec<_>>>, room: &Room, json: &str| {
            let event = serde_json::from_str(json).unwrap_or_default();
            let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
            came.push((room.room_id().to_string(), event));
        };
        let client = person.client();
        let ephemeral = Arc::clone(&came);
        client.add_event_handler(async move |event: Raw<AnySyncEphemeralRoomEvent>, room: Room| {
            keep(&ephemeral, &room, event.json().get());
        });
        let timeline = Arc::clone(&came);
        client.add_event_handler(async move |event: Raw<AnySyncTimelineEvent>, room: Room| {
            keep(&timeline, &room, event.json().get());
        });
        Self { came }
    }

    /// Everything of a room so far, oldest first.
    pub(crate) fn all(&self, room: &Room, kind: &str) -> Vec<Value> {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let of_room =
            came.iter().filter(|(of, event)| of == room.room_id() && event["type"] == kind);
        of_room.map(|(_, event)| event.clone()).collect()
    }

    /// Waits until a user's public receipt stands at this event.
    pub(crate) async fn sees_read(&self, room: &Room, by: &UserId, event: &EventId) -> Result<()> {
        until(&format!("{by} to have read {event}"), PATIENCE, || async {
            let receipts = self.all(room, "m.receipt");
            let read = |receipt: &Value| {
                receipt["content"][event.as_str()]["m.read"][by.as_str()].is_object()
            };
            Ok(receipts.iter().any(read).then_some(()))
        })
        .await
    }

    /// Waits until a user is shown as typing, or no more.
    pub(crate) async fn sees_typing(&self, room: &Room, by: &UserId, typing: bool) -> Result<()> {
        until(&format!("{by} typing: {typing}"), PATIENCE, || async {
            let latest = self.all(room, "m.typing").pop().unwrap_or_default();
            let users = latest["content"]["user_ids"].as_array().cloned().unwrap_or_default();
            Ok((users.iter().any(|user| user == by.as_str()) == typing).then_some(()))
        })
        .await
    }
}

/// The person reads up to an event and says so.
pub(crate) async fn reads_aloud(room: &Room, event: &EventId) -> Result<()> {
    let (kind, thread) = (ReceiptType::Read, ReceiptThread::Unthreaded);
    Ok(room.send_single_receipt(kind, thread, event.to_owned()).await?)
}

/// The person reads up to an event and keeps it to themselves.
pub(crate) async fn reads_privately(room: &Room, event: &EventId) -> Result<()> {
    let (kind, thread) = (ReceiptType::ReadPrivate, ReceiptThread::Unthreaded);
    Ok(room.send_single_receipt(kind, thread, event.to_owned()).await?)
}
