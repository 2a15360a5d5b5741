//! Calls, as far as messages tell of them: that there was one.

use waproto::tags::message as tags;

use super::{MessageContent, MessageError, fields::Fields};

/// A call that the network's apps show in the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whether it had a picture.
    pub video: bool,
    /// Whether nobody answered it.
    pub missed: bool,
}

/// A call that begins.
pub(super) fn read() -> MessageContent {
    MessageContent::Call(Call { video: false, missed: false })
}

/// A call that is over.
pub(super) fn read_log(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    const MISSED: u64 = 1;
    const SILENCED_BY_DND: u64 = 6;
    const SILENCED_UNKNOWN_CALLER: u64 = 7;
    let fields = Fields::read(bytes)?;
    let outcome = fields.number(tags::call_log_message::CALL_OUTCOME);
    Ok(MessageContent::Call(Call {
        video: fields.flag(tags::call_log_message::IS_VIDEO),
        missed: matches!(outcome, MISSED | SILENCED_BY_DND | SILENCED_UNKNOWN_CALLER),
    }))
}
