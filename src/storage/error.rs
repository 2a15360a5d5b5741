//! What goes wrong inside storage, and what of it the port tells.

use thiserror::Error;

use crate::port::Failure;

#[derive(Debug, Error)]
pub(super) enum Error {
    #[error("the database {}", what_is_wrong(.0))]
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
    #[error(
        "another instance of the bridge has taken the database over; this one can write nothing more"
    )]
    LeaseLost,
}

/// PostgreSQL: serialization failure and deadlock. SQLite: somebody wrote after we had read. In all of
/// them nothing was written, and the next attempt sees what the other one did.
const CONTENTION: [&str; 3] = ["40001", "40P01", "517"];

/// PostgreSQL's codes, or their beginnings, for a server that is not to be had now, in words.
const AWAY_POSTGRES: [(&str, &str); 9] = [
    ("08", "lost the connection"),
    ("25006", "can only be read"),
    ("53100", "has no room on its disk"),
    ("53300", "has too many connections"),
    ("53", "has too little of something"),
    ("55P03", "keeps a lock for too long"),
    ("57014", "gave up on a statement that took too long"),
    ("57", "is starting or stopping"),
    ("58", "cannot use its files"),
];
/// SQLite's primary codes for the same: busy and locked only after its own patience, five seconds.
const AWAY_SQLITE: [(u16, &str); 8] = [
    (5, "is locked by another program"),
    (6, "is locked by another program"),
    (7, "has too little memory"),
    (8, "can only be read"),
    (10, "cannot use its files"),
    (13, "has no room on its disk"),
    (14, "cannot open its files"),
    (15, "is locked by another program"),
];

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
                self.is_contention() || self.code().is_some_and(|code| away(&code).is_some())
            }
            _ => false,
        }
    }

    /// Whether the database cannot be used at the moment, whatever is asked of it.
    pub(super) fn is_outage(&self) -> bool {
        self.may_pass() && !self.is_contention()
    }

    /// For a hook of the library's, which knows its own errors only.
    pub(super) fn into_sqlx(self) -> sqlx::Error {
        match self {
            Self::Database(error) => error,
            other => sqlx::Error::Configuration(other.into()),
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
fn away(code: &str) -> Option<&'static str> {
    if code.len() == 5 {
        let mut known = AWAY_POSTGRES.iter();
        return known.find(|(class, _)| code.starts_with(class)).map(|(_, words)| *words);
    }
    // An extended code of SQLite holds the primary one in its lowest byte.
    let code = code.parse::<u16>().ok()? & 0xff;
    AWAY_SQLITE.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

/// In words of our own: the library's may hold what it was given.
fn what_is_wrong(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match away(&code) {
                Some(words) => format!("{words} (its code: {code})"),
                None => format!("refused a statement (its code: {code})"),
            }
        }
        sqlx::Error::PoolTimedOut => "gives no connection".to_owned(),
        sqlx::Error::Io(error) => match error.raw_os_error() {
            Some(code) => format!("does not answer ({})", std::io::Error::from_raw_os_error(code)),
            None => "does not answer".to_owned(),
        },
        _ => "does not answer as it should".to_owned(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(rule) = error.broken_rule() {
            return Self::never(format!("storage refused a change: {rule}")).because(error);
        }
        match &error {
            Error::Database(_) if error.is_outage() => {
                Self::later(error.to_string()).because(error).told()
            }
            Error::Database(_) if error.may_pass() => {
                Self::later("the database is busy").because(error)
            }
            Error::Database(_) => Self::never("the database refused a statement").because(error),
            Error::Overtaken(what) => Self::later(*what),
            // Nothing is wrong with what could not be written.
            Error::LeaseLost => Self::later(error.to_string()),
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
        for code in ["5", "261", "773", "13", "778", "8", "1032", "14", "08006", "53300", "57P01"] {
            assert!(away(code).is_some(), "{code}");
        }
        assert_eq!(away("53100"), Some("has no room on its disk"));
        assert_eq!(away("25006"), Some("can only be read"));
        // SQLite: error, corrupt, constraint. PostgreSQL: syntax, unique, no such table.
        for code in ["1", "11", "2067", "42601", "23505", "42P01", ""] {
            assert!(away(code).is_none(), "{code}");
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
