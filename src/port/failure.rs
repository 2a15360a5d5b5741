//! What went wrong outside, and whether trying again can help.

use std::fmt;

/// Whether the same call can succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The other side is away, busy or answered "later".
    Later,
    /// The same call gets the same answer.
    Never,
}

/// An error of an adapter. Its text names what was tried and what was answered; it never holds
/// plaintext, a phone number or a token.
#[derive(Debug)]
pub struct Failure {
    pub retry: Retry,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    pub fn later(what: impl Into<String>) -> Self {
        Self { retry: Retry::Later, what: what.into(), source: None }
    }

    pub fn never(what: impl Into<String>) -> Self {
        Self { retry: Retry::Never, what: what.into(), source: None }
    }

    /// Keeps the error that caused this one for the log.
    #[must_use]
    pub fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
