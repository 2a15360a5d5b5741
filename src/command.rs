//! Management-room commands: find, authorize, answer. One table of them (`registry`), one file a family.

mod chats;
mod choices;
mod consent;
mod contact;
mod login;
mod registry;

use std::{collections::BTreeSet, fmt, sync::Mutex};

use async_trait::async_trait;
use ruma::{EventId, OwnedUserId, UserId};

use self::registry::Found;
use crate::{
    domain::permission::Permissions,
    port::Failure,
    runtime::{Asked, Commands, Logins},
};

const NOT_ALLOWED: &str = "The operator of this bridge has not allowed you to use it. Ask them to \
    add you to `permissions` in its configuration.";

/// Answers in management rooms.
pub struct Bot {
    logins: Logins,
    permissions: Permissions,
    /// Who has been shown the consent text since the process began: `agree` means that text. Never
    /// held across an await.
    shown: Mutex<BTreeSet<OwnedUserId>>,
}

/// One call of a command.
struct Call<'a> {
    person: &'a UserId,
    /// The event in which it was said.
    event: &'a EventId,
    /// What followed the command's word.
    rest: &'a str,
}

/// What the bot says, with WhatsApp's own marks for formatting.
type Answered = Result<String, Failure>;

impl Bot {
    pub fn new(logins: Logins, permissions: Permissions) -> Self {
        Self { logins, permissions, shown: Mutex::new(BTreeSet::new()) }
    }
}

#[async_trait]
impl Commands for Bot {
    async fn answer(&self, asked: &Asked) -> Result<String, Failure> {
        let Asked { person, event, text, room: _ } = asked;
        if !self.permissions.may_use(person) {
            return Ok(NOT_ALLOWED.to_owned());
        }
        let audience = self.permissions.of(person);
        match registry::find(text, audience) {
            Found::Command { command, rest } => {
                let call = Call { person, event, rest };
                (command.answer)(self, &call).await
            }
            Found::Help => Ok(registry::help(audience)),
            Found::Unexpected(command) => Ok(command.usage_sentence()),
            Found::Nearest(command) => {
                Ok(format!("I do not know that command. Did you mean {}?", command.line()))
            }
            Found::Unknown => Ok(registry::UNKNOWN.to_owned()),
        }
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bot(…)")
    }
}
