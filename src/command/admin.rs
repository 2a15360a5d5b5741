//! What admins ask: who is logged in, how it stands, how much they use; and ending a login. No answer
//! holds what anybody wrote, a phone number or the name of a contact.

use std::fmt::Write as _;

use ruma::{OwnedUserId, UserId};

use super::{
    Answered, Bot, Call,
    registry::{Audience, Command},
};
use crate::{
    domain::{
        allowance::until_in_words, bridged::LoginState, notice::size, permission::Permission,
    },
    runtime::{ConnectionState, LeaveOutcome, Overview, Quota},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "users",
        usage: "",
        help: "who is logged in, and how it stands",
        audience: Audience::Admins,
        answer: |bot, _call| Box::pin(bot.users()),
    },
    Command {
        word: "show",
        usage: "@alice:example.org",
        help: "how a person's login stands",
        audience: Audience::Admins,
        answer: |bot, call| Box::pin(bot.show(call)),
    },
    Command {
        word: "quota",
        usage: "@alice:example.org",
        help: "how much of their limits a person uses",
        audience: Audience::Admins,
        answer: |bot, call| Box::pin(bot.quota(call)),
    },
    Command {
        word: "revoke",
        usage: "@alice:example.org",
        help: "end a person's login and delete their keys",
        audience: Audience::Admins,
        answer: |bot, call| Box::pin(bot.revoke(call)),
    },
];

/// People that one answer names.
const PEOPLE_SHOWN_MAX: usize = 100;
const NOBODY: &str = "Nobody is logged in.";
const REVOKED: &str = "Their login is ended and their keys are deleted; they were told. They can log \
    in again, unless you give them `\"block\"` in `[permissions]`.";
const REVOKING: &str = "Their login is ended and they were told. WhatsApp has not confirmed yet: \
    their keys are deleted when it does. They can log in again, unless you give them `\"block\"` in \
    `[permissions]`.";

impl Bot {
    async fn users(&self) -> Answered {
        let people = self.logins.overviews().await?;
        if people.is_empty() {
            return Ok(NOBODY.to_owned());
        }
        let noun = if people.len() == 1 { "person is" } else { "people are" };
        let mut answer = format!("{} {noun} logged in:", people.len());
        for person in people.iter().take(PEOPLE_SHOWN_MAX) {
            let _infallible = write!(answer, "\n- `{}` – {}", person.person, standing(person));
        }
        if let Some(more) = people.len().checked_sub(PEOPLE_SHOWN_MAX).filter(|more| *more > 0) {
            let _infallible = write!(answer, "\n… and {more} more. `show` tells of each.");
        }
        Ok(answer)
    }

    async fn show(&self, Call { rest, .. }: &Call<'_>) -> Answered {
        let Some(who) = &matrix_id(rest) else { return Ok(wanted("show")) };
        let Some(person) = self.logins.overview_of(who).await? else {
            return Ok(not_logged_in(who));
        };
        let permission = match &person.permission {
            Ok(Permission::Admin) => "They are an admin.".to_owned(),
            Ok(_) => "They may use the bridge.".to_owned(),
            Err(refusal) => {
                format!(
                    "They are paused; what they are told is: \u{201c}{}\u{201d}",
                    refusal.text()
                )
            }
        };
        Ok(format!("`{who}`: {}. {permission}", standing(&person)))
    }

    async fn quota(&self, Call { rest, .. }: &Call<'_>) -> Answered {
        let Some(who) = &matrix_id(rest) else { return Ok(wanted("quota")) };
        let Quota { limits, today, hosted: (hosted, hosted_max), now, day_ends_at } =
            self.logins.quota(who).await?;
        Ok(format!(
            "`{who}` has started chats with {} of {} new contacts today and sent {} of {} of files. \
             The day ends in {}. {} of {} are hosted now. Messages go out at up to {} a minute.",
            today.contacts,
            limits.contacts_a_day,
            size(today.media_bytes),
            size(limits.media_bytes_a_day),
            until_in_words(now, day_ends_at),
            size(hosted),
            size(hosted_max),
            limits.messages_a_minute,
        ))
    }

    async fn revoke(&self, Call { rest, .. }: &Call<'_>) -> Answered {
        let Some(who) = &matrix_id(rest) else { return Ok(wanted("revoke")) };
        Ok(match self.logins.revoke(who).await? {
            LeaveOutcome::Left => REVOKED.to_owned(),
            LeaveOutcome::StillTrying => REVOKING.to_owned(),
            LeaveOutcome::NotLoggedIn => not_logged_in(who),
        })
    }
}

/// The Matrix id that followed a command.
fn matrix_id(typed: &str) -> Option<OwnedUserId> {
    let typed = typed.trim().trim_matches('`');
    let typed = typed.strip_prefix("https://matrix.to/#/").unwrap_or(typed);
    OwnedUserId::try_from(typed).ok()
}

fn standing(person: &Overview) -> String {
    let connection = match &person.connection {
        ConnectionState::Connecting => "connecting".to_owned(),
        ConnectionState::Connected => "connected".to_owned(),
        ConnectionState::Waiting { reason } => format!("not connected ({reason})"),
        ConnectionState::Refused { reason } => format!("refused by WhatsApp ({reason})"),
        ConnectionState::Replaced => "replaced by another connection".to_owned(),
        ConnectionState::Lapsed => "forgotten by WhatsApp".to_owned(),
        ConnectionState::Paused => "paused".to_owned(),
    };
    let state = match person.state {
        LoginState::Leaving => "leaving".to_owned(),
        LoginState::Enlisting => format!("not known to WhatsApp yet, {connection}"),
        LoginState::Active | LoginState::Lapsed | LoginState::None => connection,
    };
    match person.chats {
        1 => format!("{state}, 1 chat"),
        chats => format!("{state}, {chats} chats"),
    }
}

fn wanted(command: &str) -> String {
    format!(
        "Please give a Matrix id, for example `{command} @alice:example.org`. `users` lists them."
    )
}

fn not_logged_in(who: &UserId) -> String {
    format!("`{who}` is not logged in. `users` lists who is.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_however_it_was_pasted() {
        for typed in ["@a:b.c", " `@a:b.c` ", "https://matrix.to/#/@a:b.c"] {
            assert_eq!(matrix_id(typed).unwrap(), "@a:b.c", "{typed}");
        }
        for typed in ["", "alice", "@a:b.c @d:e.f", "+33612345678"] {
            assert!(matrix_id(typed).is_none(), "{typed}");
        }
    }
}
