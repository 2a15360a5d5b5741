//! `[log]`.

use toml::Value;
use tracing_subscriber::EnvFilter;

use super::{
    section::{choice, section},
    setting::{Setting, text},
};

section! {
    /// The log, on standard error. It never holds a message, a phone number or a secret.
    Log at "log" {
        /// What is logged: a level ("error", "warn", "info", "debug", "trace"), or levels by module
        /// like "info,causeway::interop=debug".
        filter: LogFilter = Default(r#""info""#),

        /// "text" for people, "json" for log collectors.
        format: LogFormat = Default(r#""text""#),
    }
}

choice! {
    /// How a line of the log looks.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// A filter that `tracing` understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for LogFilter {
    fn parse(value: &Value) -> Result<Self, String> {
        let filter = text(value)?;
        EnvFilter::try_new(filter).map(|_| Self(filter.to_owned())).map_err(|_| {
            "must be levels like \"info\" or \"info,causeway::interop=debug\"".to_owned()
        })
    }
}
