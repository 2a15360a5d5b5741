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
    /// Whether to tell of reading; `None` if what followed is neither `on` nor `off`.
    ReadReceipts {
        on: Option<bool>,
    },
    Typing {
        on: Option<bool>,
    },
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
            ("read-receipts", choice) => Self::ReadReceipts { on: switch(choice) },
            ("typing", choice) => Self::Typing { on: switch(choice) },
            ("logout", "") => Self::Logout,
            _ => Self::Unknown,
        }
    }
}

fn switch(choice: &str) -> Option<bool> {
    match choice.to_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
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
            Self::ReadReceipts { .. } => "ReadReceipts",
            Self::Typing { .. } => "Typing",
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
        check("read-receipts off", &Command::ReadReceipts { on: Some(false) });
        check("!Typing ON", &Command::Typing { on: Some(true) });
        check("typing", &Command::Typing { on: None });
        check("read-receipts maybe", &Command::ReadReceipts { on: None });
    }

    #[test]
    fn nothing_is_agreed_to_in_passing() {
        check("agree not", &Command::Unknown);
        check("I agree", &Command::Unknown);
        check("logout?", &Command::Unknown);
        check("", &Command::Unknown);
    }
}
