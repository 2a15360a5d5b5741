//! Polls. Only received: partners have none (network facts 2.5). Votes are encrypted for the
//! network's apps alone.

use std::fmt;

use waproto::tags::message as tags;

use super::{Described, MessageContent, MessageError, Quote, fields::Fields, quote};

/// A question with answers to choose from. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Poll {
    /// What is asked.
    pub question: String,
    /// The answers; at most [`super::MAX_LISTED`].
    pub options: Vec<String>,
    /// How many more there were.
    pub more: usize,
    /// How many may be chosen; zero if all.
    pub selectable: u32,
    /// The message that this answers.
    pub quote: Option<Quote>,
}

pub(super) fn read(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    use tags::poll_creation_message as numbers;
    let fields = Fields::read(bytes)?;
    let (options, more) = fields.list(numbers::OPTIONS, |option| {
        Fields::read(option).ok()?.text(numbers::option::OPTION_NAME)
    });
    let question = fields.text(numbers::NAME);
    if question.is_none() && options.is_empty() {
        return Ok(Described::content("poll", Vec::new()));
    }
    Ok(MessageContent::Poll(Poll {
        question: question.unwrap_or_default(),
        options,
        more,
        selectable: fields.count(numbers::SELECTABLE_OPTIONS_COUNT),
        quote: quote::read(fields.bytes(numbers::CONTEXT_INFO)),
    }))
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll")
            .field("options", &self.options.len())
            .field("more", &self.more)
            .field("quote", &self.quote)
            .finish_non_exhaustive()
    }
}
