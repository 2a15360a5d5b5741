//! What goes wrong inside storage, and what of it the port tells.

use thiserror::Error;

use crate::port::Failure;

#[derive(Debug, Error)]
pub(super) enum Error {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// Altered, moved from another row, or sealed with another key.
    #[error("a value in {column} does not open: it was altered, moved or sealed with another key")]
    Sealed { column: &'static str },
    /// It opened, and yet is not what this version writes.
    #[error("a value in {column} is not what this version of the bridge writes")]
    Unreadable { column: &'static str },
    /// What the change builds on was read before somebody else changed it: read again.
    #[error("{0}")]
    Overtaken(&'static str),
}

/// PostgreSQL: serialization failure and deadlock. SQLite: somebody wrote after we had read. In all of
/// them nothing was written, and the next attempt sees what the other one did.
const CONTENTION: [&str; 3] = ["40001", "40P01", "517"];

/// Beginnings of PostgreSQL's codes for a server that is gone, full, starting or stopping.
const AWAY_POSTGRES: [&str; 3] = ["08", "53", "57"];
/// SQLite's codes for busy (after its own patience, five seconds), locked, out of memory, read-only,
/// I/O error and full disk.
const AWAY_SQLITE: [u16; 6] = [5, 6, 7, 8, 10, 13];

impl Error {
    /// Whether the unit of work only met another one and can be run again at once.
    pub(super) fn is_contention(&self) -> bool {
        self.code().is_some_and(|code| CONTENTION.contains(&&*code))
    }

    fn code(&self) -> Option<String> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().map(String::from),
            _ => None,
        }
    }

    fn may_pass(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => true,
            sqlx::Error::Database(_) => {
                self.is_contention() || self.code().is_some_and(|code| is_away(&code))
            }
            _ => false,
        }
    }

    /// The broken rule in words, where the schema has one.
    fn broken_rule(&self) -> Option<&'static str> {
        let Self::Database(sqlx::Error::Database(error)) = self else { return None };
        match error.kind() {
            sqlx::error::ErrorKind::ForeignKeyViolation => {
                Some("the login that this belongs to does not exist (any more)")
            }
            sqlx::error::ErrorKind::UniqueViolation => {
                Some("it is there already, or its person or room is taken")
            }
            _ => None,
        }
    }
}

/// PostgreSQL's codes have five characters, SQLite's at most four digits.
fn is_away(code: &str) -> bool {
    if code.len() == 5 {
        return AWAY_POSTGRES.iter().any(|class| code.starts_with(class));
    }
    // An extended code of SQLite holds the primary one in its lowest byte.
    code.parse::<u16>().is_ok_and(|code| AWAY_SQLITE.contains(&(code & 0xff)))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(rule) = error.broken_rule() {
            return Self::never(format!("storage refused a change: {rule}")).because(error);
        }
        match &error {
            Error::Database(_) if error.may_pass() => {
                Self::later("the database does not answer, or is busy").because(error)
            }
            Error::Database(_) => Self::never("the database refused a statement").because(error),
            Error::Overtaken(what) => Self::later(*what),
            Error::Sealed { .. } | Error::Unreadable { .. } => Self::never(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Retry;

    #[test]
    fn a_code_tells_whether_waiting_helps() {
        // SQLite: busy and its extended forms, full disk, I/O error while writing. PostgreSQL: connection
        // failure, too many connections, shutdown.
        for code in ["5", "261", "773", "13", "778", "08006", "53300", "57P01"] {
            assert!(is_away(code), "{code}");
        }
        // SQLite: error, corrupt, constraint. PostgreSQL: syntax, unique, no such table.
        for code in ["1", "11", "2067", "42601", "23505", "42P01", ""] {
            assert!(!is_away(code), "{code}");
        }
    }

    #[test]
    fn every_error_says_whether_to_try_again() {
        let later = |error: Error| Failure::from(error).retry == Retry::Later;
        assert!(later(sqlx::Error::PoolTimedOut.into()));
        assert!(later(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()).into()));
        assert!(later(Error::Overtaken("somebody was faster")));
        assert!(!later(sqlx::Error::RowNotFound.into()));
        assert!(!later(Error::Sealed { column: "login.keys_sealed" }));
        assert!(!later(Error::Unreadable { column: "login.state" }));
    }
}
