//! Mistakes in the configuration, as sentences for the operator. They never quote a value: it may
//! be a secret.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the file, as `section.field`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl Mistake {
    pub(super) fn new(path: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { path: path.into(), sentence: sentence.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.sentence)
        } else {
            write!(f, "{}: {}", self.path, self.sentence)
        }
    }
}

/// All mistakes of a file, at least one, in the order of the sections. Shown as one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn one(path: &str, sentence: impl Into<String>) -> Self {
        Self(vec![Mistake::new(path, sentence)])
    }

    pub(super) fn of(mistakes: Vec<Mistake>) -> Self {
        debug_assert!(!mistakes.is_empty(), "a section that is absent named its mistake");
        Self(mistakes)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
