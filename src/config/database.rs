//! `[database]`.

use std::fmt;

use toml::Value;
use zeroize::Zeroizing;

use super::{
    section::section,
    setting::{Setting, text},
};

section! {
    /// Where the bridge keeps its state.
    Database at "database" {
        /// `sqlite:<path>` or `postgres://user:password@host/name`. It may hold a password, so like
        /// a secret it can come from a file or the environment (`url_file`, `url_env`).
        url: DatabaseUrl = SecretOr(r#""sqlite:causeway.db""#),
    }
}

/// The address of the database. Its `Debug` names only the kind: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    /// The address itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_sqlite() {
            "DatabaseUrl(sqlite:…)"
        } else {
            "DatabaseUrl(postgres:…)"
        })
    }
}

impl Setting for DatabaseUrl {
    fn parse(value: &Value) -> Result<Self, String> {
        let url = text(value)?;
        ["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
            .then(|| Self(Zeroizing::new(url.to_owned())))
            .ok_or_else(|| {
                "must begin with \"sqlite:\" and a path, or be \"postgres://user:password@host/name\"".to_owned()
            })
    }
}
