//! Management-room commands: find, authorize, answer. One table of them (`registry`), one file a family.

mod admin;
mod chats;
mod choices;
mod consent;
mod contact;
mod data;
mod identity;
mod login;
mod registry;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};

use async_trait::async_trait;
use ruma::{EventId, OwnedUserId, UserId};

use self::registry::{Audience, Found};
use crate::{
    domain::{ids::PortalKey, permission::Permission},
    port::Failure,
    runtime::{Asked, Commands, Logins, Rules, SafetyNumber},
};

/// Answers in management rooms.
pub struct Bot {
    logins: Logins,
    rules: Rules,
    /// Who has been shown the consent text since the process began: `agree` means that text. Never
    /// held across an await.
    shown: Mutex<BTreeSet<OwnedUserId>>,
    /// Which safety numbers were shown since the process began: what is said to be the same is that
    /// number. Never held across an await.
    numbers: Mutex<BTreeMap<PortalKey, SafetyNumber>>,
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
    pub fn new(logins: Logins, rules: Rules) -> Self {
        Self { logins, rules, shown: Mutex::default(), numbers: Mutex::default() }
    }
}

#[async_trait]
impl Commands for Bot {
    async fn answer(&self, asked: &Asked) -> Result<String, Failure> {
        let Asked { person, event, text, room: _ } = asked;
        let (audience, refusal) = match self.rules.permission(person) {
            Ok(permission) => (permission, None),
            Err(refusal) => (Permission::User, Some(refusal)),
        };
        let found = registry::find(text, audience);
        if let Some(refusal) = refusal
            && !matches!(&found, Found::Command { command, .. } if command.audience == Audience::Everyone)
        {
            return Ok(refusal.text());
        }
        if self.logins.is_being_erased(person).await? {
            return Ok(data::BEING_ERASED.to_owned());
        }
        match found {
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
