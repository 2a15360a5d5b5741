//! What one simulated person read and what happened to what they sent, for the control face. It must not know keys.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use tokio::sync::watch;

use super::content::{About, Attachment};
use crate::limits::RECEIVED_MAX;

/// A message as the person saw it.
#[derive(Clone, Serialize)]
pub(crate) struct Received {
    /// Counts from 1 in the order in which this person read.
    pub(crate) order: u64,
    pub(crate) id: String,
    /// JID as this person sees it.
    pub(crate) from: String,
    pub(crate) display_name: Option<String>,
    /// Of a file, the caption.
    pub(crate) text: String,
    /// The id of the message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quotes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attachment: Option<ShownFile>,
    #[serde(rename = "received_at_ms")]
    pub(crate) at_ms: u64,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({}, {})", self.order, self.id)
    }
}

/// What is shown of a file: all but its key.
#[derive(Clone)]
pub(crate) struct ShownFile(pub(crate) Arc<Attachment>);

impl Serialize for ShownFile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Attachment { kind, about, file } = &*self.0;
        let About { mimetype, caption, file_name, width, height, seconds, waveform, thumbnail } =
            about;
        let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("kind", kind)?;
        map.serialize_entry("mimetype", mimetype)?;
        map.serialize_entry("caption", caption)?;
        map.serialize_entry("file_name", file_name)?;
        map.serialize_entry("width", width)?;
        map.serialize_entry("height", height)?;
        map.serialize_entry("seconds", seconds)?;
        map.serialize_entry("waveform", &base64(waveform))?;
        map.serialize_entry("thumbnail", &base64(thumbnail))?;
        map.serialize_entry("length", &file.length)?;
        map.serialize_entry("direct_path", &file.direct_path)?;
        map.end()
    }
}

/// Counts of what went by.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counters {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Messages with a spent ratchet counter: acknowledged and not shown.
    pub(crate) duplicates: u64,
    pub(crate) undecryptable: u64,
    pub(crate) retries_asked: u64,
    pub(crate) retries_answered: u64,
    /// Readable messages without text or file: acknowledged and not listed.
    pub(crate) without_text: u64,
    /// Texts dropped because [`RECEIVED_MAX`] were listed.
    pub(crate) over_limit: u64,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    counters: Counters,
    /// By message id: the receipts that came back, in order.
    receipts: BTreeMap<String, Vec<String>>,
    /// By message id: the reactions that others gave it, in order; `None` takes one back.
    reactions: BTreeMap<String, Vec<Option<String>>>,
}

/// See the module.
pub(crate) struct Transcript {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transcript(…)")
    }
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changed: watch::channel(0).0 }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a text; `order` is set here.
    pub(crate) fn add(&self, mut text: Received) {
        let mut state = self.state();
        if state.received.len() >= RECEIVED_MAX {
            state.counters.over_limit += 1;
            return;
        }
        state.counters.received += 1;
        text.order = state.counters.received;
        state.received.push(text);
        drop(state);
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn count(&self, step: impl FnOnce(&mut Counters)) {
        step(&mut self.state().counters);
    }

    pub(crate) fn counters(&self) -> Counters {
        self.state().counters
    }

    pub(crate) fn add_receipt(&self, id: &str, kind: &str) {
        self.state().receipts.entry(id.to_owned()).or_default().push(kind.to_owned());
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn receipts(&self, id: &str) -> Vec<String> {
        self.state().receipts.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn react(&self, target: String, emoji: Option<String>) {
        self.state().reactions.entry(target).or_default().push(emoji);
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn reactions(&self, id: &str) -> Vec<Option<String>> {
        self.state().reactions.get(id).cloned().unwrap_or_default()
    }

    /// Everything after an order.
    pub(crate) fn after(&self, order: u64) -> Vec<Received> {
        let start = usize::try_from(order).unwrap_or(usize::MAX);
        self.state().received.get(start..).unwrap_or_default().to_vec()
    }

    /// The file of a message.
    pub(crate) fn attachment(&self, id: &str) -> Option<Arc<Attachment>> {
        let state = self.state();
        let found = state.received.iter().rev().find(|message| message.id == id)?;
        found.attachment.as_ref().map(|ShownFile(attachment)| Arc::clone(attachment))
    }

    /// Fires at every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
