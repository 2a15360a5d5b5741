//! Kinds that are not carried as what they are, but have words in them that a person can read:
//! events, invitations, what businesses send.

mod words;

use std::fmt;

pub(super) use words::{Words, words};

use super::{
    MessageContent, MessageError, Quote,
    fields::{Fields, MAX_LISTED, readable},
    quote,
};

/// The words of a message that is not carried as what it is. `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct Described {
    /// What a person would call it.
    pub kind: &'static str,
    /// Its words, in the order in which they are shown; not empty, at most [`MAX_LISTED`].
    pub lines: Vec<String>,
    /// When it takes place, in seconds of Unix time.
    pub at: Option<i64>,
    /// The message that it answers.
    pub quote: Option<Quote>,
}

impl Described {
    /// Whatever is said, or that there is something of this kind.
    pub(super) fn content(kind: &'static str, lines: Vec<String>) -> MessageContent {
        if lines.is_empty() {
            return MessageContent::Unsupported { kind };
        }
        MessageContent::Described(Self { kind, lines, at: None, quote: None })
    }
}

pub(super) fn read(
    kind: &'static str,
    words: Words,
    bytes: &[u8],
) -> Result<MessageContent, MessageError> {
    let fields = Fields::read(bytes)?;
    let mut lines = Vec::new();
    for path in words.paths {
        collect(fields, path, &mut lines);
    }
    let mut content = Described::content(kind, lines);
    if let MessageContent::Described(described) = &mut content {
        described.at = i64::try_from(fields.number(words.at)).ok().filter(|at| *at > 0);
        described.quote = quote::read(fields.bytes(words.context));
    }
    Ok(content)
}

/// The texts at the end of a path. As deep as the longest path, which is one of ours.
fn collect(fields: Fields<'_>, path: &[u32], lines: &mut Vec<String>) {
    let Some((number, rest)) = path.split_first() else { return };
    for value in fields.each(*number) {
        if lines.len() >= MAX_LISTED {
            return;
        }
        if rest.is_empty() {
            lines.extend(readable(value));
        } else if let Ok(inner) = Fields::read(value) {
            collect(inner, rest, lines);
        }
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Described")
            .field("kind", &self.kind)
            .field("lines", &self.lines.len())
            .field("quote", &self.quote)
            .finish_non_exhaustive()
    }
}
