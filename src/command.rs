//! Management-room commands: parse, authorise, answer.

mod answer;
mod choices;
mod parse;

use std::{collections::BTreeSet, fmt, sync::Mutex};

use async_trait::async_trait;
use ruma::OwnedUserId;

use self::parse::Command;
use crate::{
    domain::permission::Permissions,
    port::Failure,
    runtime::{Asked, Commands, Logins},
};

/// Answers in management rooms.
pub struct Bot {
    logins: Logins,
    permissions: Permissions,
    /// Who has been shown the consent text since the process began: `agree` means that text. Never
    /// held across an await.
    shown: Mutex<BTreeSet<OwnedUserId>>,
}

impl Bot {
    pub fn new(logins: Logins, permissions: Permissions) -> Self {
        Self { logins, permissions, shown: Mutex::new(BTreeSet::new()) }
    }
}

#[async_trait]
impl Commands for Bot {
    async fn answer(&self, asked: &Asked) -> Result<String, Failure> {
        let person = &asked.person;
        if !self.permissions.may_use(person) {
            return Ok(answer::NOT_ALLOWED.to_owned());
        }
        match Command::parse(&asked.text) {
            Command::Help => Ok(answer::HELP.to_owned()),
            Command::Login => self.login(person).await,
            Command::Agree => self.agree(person).await,
            Command::Start { phone } => self.start(person, phone.as_deref()).await,
            Command::Status => self.status(person).await,
            Command::ReadReceipts { on } => self.read_receipts(person, on).await,
            Command::Typing { on } => self.typing(person, on).await,
            Command::Logout => self.logout(person).await,
            Command::Unknown => Ok(answer::UNKNOWN.to_owned()),
        }
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bot(…)")
    }
}
