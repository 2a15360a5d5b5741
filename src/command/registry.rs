//! Every command, in the order of `help`: its word, what follows it, what it does, and for whom.

use std::{future::Future, pin::Pin};

use super::{Answered, Bot, Call, admin, chats, choices, consent, data, identity, login};
use crate::domain::permission::Permission;

/// A future of an answer.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) word: &'static str,
    /// What follows the word, as `help` shows it; empty if nothing may.
    pub(super) usage: &'static str,
    /// What it does, after a dash.
    pub(super) help: &'static str,
    pub(super) audience: Audience,
    pub(super) answer: for<'a> fn(&'a Bot, &'a Call<'a>) -> Answering<'a>,
}

/// Who may use a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Also whoever may no longer use the bridge: it is how they leave.
    Everyone,
    Users,
    Admins,
}

/// What somebody typed.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Command {
        command: &'static Command,
        rest: &'a str,
    },
    Help,
    /// The command takes nothing, and something followed.
    Unexpected(&'static Command),
    /// No command, but it looks like this one.
    Nearest(&'static Command),
    Unknown,
}

pub(super) const UNKNOWN: &str = "I do not know that command. Send `help` for the list.";
const GREETING: &str = "I connect you to WhatsApp contacts who allow third-party chats.\n";
const HELP_LINE: &str = "`help` – this list";
/// How alike a word must be to be meant (`strsim`, 1 is the same).
const ALIKE: f64 = 0.75;

fn commands() -> impl Iterator<Item = &'static Command> {
    [
        login::COMMANDS,
        chats::COMMANDS,
        identity::COMMANDS,
        choices::COMMANDS,
        consent::COMMANDS,
        data::COMMANDS,
        admin::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

fn commands_for(permission: Permission) -> impl Iterator<Item = &'static Command> {
    commands().filter(move |command| command.audience.includes(permission))
}

/// The command that was typed. Case and a leading `!`, which other bridges want, do not matter.
pub(super) fn find(typed: &str, permission: Permission) -> Found<'_> {
    let typed = typed.trim().trim_start_matches('!');
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let (word, rest) = (word.to_lowercase(), rest.trim());
    if word == "help" {
        return Found::Help;
    }
    match commands_for(permission).find(|command| command.word == word) {
        // Nothing is agreed to in passing.
        Some(command) if command.usage.is_empty() && !rest.is_empty() => Found::Unexpected(command),
        Some(command) => Found::Command { command, rest },
        None => nearest(&word, permission).map_or(Found::Unknown, Found::Nearest),
    }
}

fn nearest(word: &str, permission: Permission) -> Option<&'static Command> {
    let likeness = |command: &&Command| strsim::jaro_winkler(word, command.word);
    commands_for(permission)
        .filter(|command| likeness(command) >= ALIKE)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

pub(super) fn help(permission: Permission) -> String {
    let lines = commands_for(permission).map(|command| format!("- {}", command.line()));
    let lines: Vec<_> = lines.chain([format!("- {HELP_LINE}")]).collect();
    format!("{GREETING}\n{}", lines.join("\n"))
}

impl Command {
    /// Its line in the list.
    pub(super) fn line(&self) -> String {
        format!("{} – {}", self.form(), self.help)
    }

    pub(super) fn usage_sentence(&self) -> String {
        format!("Please say just {}: {}.", self.form(), self.help)
    }

    fn form(&self) -> String {
        let Self { word, usage, .. } = self;
        if usage.is_empty() { format!("`{word}`") } else { format!("`{word} {usage}`") }
    }
}

impl Audience {
    fn includes(self, permission: Permission) -> bool {
        self != Self::Admins || permission == Permission::Admin
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: Option<(&str, &str)>) {
        let found = match find(typed, Permission::User) {
            Found::Command { command, rest } => Some((command.word, rest)),
            _ => None,
        };
        assert_eq!(found, expected, "{typed}");
    }

    #[test]
    fn commands_as_people_type_them() {
        check("  !Login ", Some(("login", "")));
        check("AGREE", Some(("agree", "")));
        check("start +33 6 12", Some(("start", "+33 6 12")));
        check("!Typing  ON", Some(("typing", "ON")));
        check("logout", Some(("logout", "")));
    }

    #[test]
    fn nothing_is_agreed_to_in_passing() {
        check("agree not", None);
        check("I agree", None);
        check("logout?", None);
        check("", None);
        assert!(matches!(find("agree not", Permission::User), Found::Unexpected(_)));
        assert!(matches!(find("I agree", Permission::User), Found::Unknown));
    }

    #[test]
    fn a_slip_of_the_finger_is_answered_with_what_was_meant() {
        for (typed, meant) in [("statsu", "status"), ("lgoin", "login"), ("logotu", "logout")] {
            let Found::Nearest(command) = find(typed, Permission::User) else {
                panic!("{typed} is near nothing");
            };
            assert_eq!(command.word, meant);
        }
        assert!(matches!(find("good morning", Permission::User), Found::Unknown));
    }

    #[test]
    fn every_word_is_one_command_and_has_its_line() {
        let words: BTreeSet<_> = commands().map(|command| command.word).collect();
        assert_eq!(words.len(), commands().count());
        let help = help(Permission::Admin);
        for command in commands() {
            assert!(help.contains(&command.line()), "{}", command.word);
            assert!(!command.help.ends_with('.'), "{}", command.word);
        }
    }
}
