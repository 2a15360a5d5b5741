//! What went wrong outside, and whether trying again can help.

use std::{error::Error, fmt, io};

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
    is_told: bool,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn later(what: impl Into<String>) -> Self {
        Self { retry: Retry::Later, is_told: false, what: what.into(), source: None }
    }

    pub fn never(what: impl Into<String>) -> Self {
        Self { retry: Retry::Never, is_told: false, what: what.into(), source: None }
    }

    /// The adapter says in the log what is wrong, once for everybody who meets it: whoever does need
    /// not say it again.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Keeps the error that caused this one. Libraries repeat what they were given, so its own words
    /// are not shown, but if the system had a reason ("connection refused", "no space left"), that is.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match system_reason(self.source()) {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

/// What the operating system said, anywhere down the chain of causes: a number of its own, whose
/// words hold nothing of ours.
fn system_reason(mut cause: Option<&(dyn Error + 'static)>) -> Option<io::Error> {
    while let Some(error) = cause {
        let io: Option<&io::Error> = error.downcast_ref();
        if let Some(code) = io.and_then(io::Error::raw_os_error) {
            return Some(io::Error::from_raw_os_error(code));
        }
        // A wrapped error is not among the sources of an I/O error that it made.
        let inner =
            io.and_then(io::Error::get_ref).map(|inner| -> &(dyn Error + 'static) { inner });
        cause = inner.or_else(|| error.source());
    }
    None
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a library has it that names what it was given.
    #[derive(Debug, thiserror::Error)]
    #[error("could not send hush")]
    struct Wordy(#[source] io::Error);

    #[test]
    fn the_systems_reason_is_shown_and_no_librarys_words() {
        let full = || io::Error::from_raw_os_error(28);
        let shown = |failure: Failure| failure.to_string();
        let reason = format!("no file ({})", full());
        assert!(reason.contains("os error 28"), "{reason}");
        assert_eq!(shown(Failure::later("no file").because(full())), reason);
        assert_eq!(shown(Failure::later("no file").because(Wordy(full()))), reason);
        let wrapped = io::Error::other(Wordy(full()));
        assert_eq!(shown(Failure::never("no file").because(wrapped)), reason);
        let own_words = Wordy(io::Error::other("hush"));
        assert_eq!(shown(Failure::later("no file").because(own_words)), "no file");
        assert_eq!(shown(Failure::later("no file")), "no file");
    }
}
