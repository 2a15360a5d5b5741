//! What the configuration reads besides its own text. Tests have their own.

use std::{io, path::Path};

/// Environment variables and files.
pub trait Environment {
    /// An environment variable; `None` if it is not set or is not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;
    /// A whole text file.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The process's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
