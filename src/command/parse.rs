//! What a person typed, as a command.

use std::fmt;

use crate::domain::phone;

/// A command of the management room.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Login,
    Agree,
    /// `None` if what followed is no international number.
    Start {
        phone: Option<String>,
    },
    Status,
    Logout,
    Unknown,
}

impl Command {
    /// Case and a leading `!`, which other bridges want, do not matter.
    pub(super) fn parse(typed: &str) -> Self {
        let typed = typed.trim().trim_start_matches('!');
        let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        match (word.to_lowercase().as_str(), rest.trim()) {
            ("help", _) => Self::Help,
            ("login", "") => Self::Login,
            ("agree", "") => Self::Agree,
            ("start", number) => Self::Start { phone: phone::international_digits(number) },
            ("status", "") => Self::Status,
            ("logout", "") => Self::Logout,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Help => "Help",
            Self::Login => "Login",
            Self::Agree => "Agree",
            Self::Start { .. } => "Start(…)",
            Self::Status => "Status",
            Self::Logout => "Logout",
            Self::Unknown => "Unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &Command) {
        assert!(Command::parse(typed) == *expected, "{typed}");
    }

    #[test]
    fn commands_as_people_type_them() {
        check("help", &Command::Help);
        check("  !Login ", &Command::Login);
        check("AGREE", &Command::Agree);
        let phone = Some("33612345678".to_owned());
        check("start +33 6 12 34 56 78", &Command::Start { phone });
        check("start 0612", &Command::Start { phone: None });
        check("start", &Command::Start { phone: None });
        check("status", &Command::Status);
        check("logout", &Command::Logout);
    }

    #[test]
    fn nothing_is_agreed_to_in_passing() {
        check("agree not", &Command::Unknown);
        check("I agree", &Command::Unknown);
        check("logout?", &Command::Unknown);
        check("", &Command::Unknown);
    }
}
