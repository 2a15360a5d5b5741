//! One event of a message that several may show.

use ruma::EventId;
use serde_json::{Value, json};

use super::{markup::MatrixText, notice::Notice};

/// The type of ordinary messages.
pub const MESSAGE: &str = "m.room.message";
/// The type of stickers, the one kind of message that is no `m.room.message`.
pub const STICKER: &str = "m.sticker";

/// An event's type and content. `Debug` shows only the type.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    pub event_type: &'static str,
    pub content: Value,
}

impl Part {
    pub fn message(content: Value) -> Self {
        Self { event_type: MESSAGE, content }
    }

    /// Words of a person.
    pub fn text(text: &MatrixText) -> Self {
        let mut content = json!({"msgtype": "m.text", "body": text.body});
        if let Some(formatted) = &text.formatted_body {
            content["format"] = json!("org.matrix.custom.html");
            content["formatted_body"] = json!(formatted);
        }
        Self::message(content)
    }

    /// Words of the bridge.
    pub fn notice(notice: &Notice) -> Self {
        Self::message(json!({"msgtype": "m.notice", "body": notice.text()}))
    }

    /// Says that it answers an event.
    #[must_use]
    pub fn answering(mut self, event: Option<&EventId>) -> Self {
        if let Some(event) = event {
            self.content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
        }
        self
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({})", self.event_type)
    }
}
