//! What a person wants their contacts to see of them: asked, changed, described.

use ruma::UserId;

use super::{
    Answered, Bot, Call, identity,
    login::LOGIN_FIRST,
    registry::{Audience, Command},
};
use crate::domain::choices::Choices;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "read-receipts",
        usage: "on` or `off",
        help: "whether contacts see that you read their messages",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.read_receipts(call)),
    },
    Command {
        word: "typing",
        usage: "on` or `off",
        help: "whether contacts see that you are typing",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.typing(call)),
    },
];

const READ_RECEIPTS_USAGE: &str = "Please say `read-receipts on` or `read-receipts off`.";
const TYPING_USAGE: &str = "Please say `typing on` or `typing off`.";
const READ_RECEIPTS_ON: &str = "From now on your contacts see when you have read their messages, \
    and you see when they have read yours. What you read before stays untold. WhatsApp itself is \
    told at your next connection.";
const READ_RECEIPTS_OFF: &str = "From now on your contacts do not see when you have read their \
    messages. As in WhatsApp itself, you do not see either when they have read yours. WhatsApp \
    itself is told at your next connection.";
const TYPING_ON: &str = "From now on your contacts see when you are typing.";
const TYPING_OFF: &str = "From now on your contacts do not see when you are typing. You still see \
    when they are.";

impl Bot {
    async fn read_receipts(&self, Call { person, rest, .. }: &Call<'_>) -> Answered {
        let Some(on) = switch(rest) else { return Ok(READ_RECEIPTS_USAGE.to_owned()) };
        let answer = if on { READ_RECEIPTS_ON } else { READ_RECEIPTS_OFF };
        self.choose(person, answer, |choices| choices.read_receipts = on).await
    }

    async fn typing(&self, Call { person, rest, .. }: &Call<'_>) -> Answered {
        let Some(on) = switch(rest) else { return Ok(TYPING_USAGE.to_owned()) };
        let answer = if on { TYPING_ON } else { TYPING_OFF };
        self.choose(person, answer, |choices| choices.typing = on).await
    }

    pub(super) async fn choose(
        &self,
        person: &UserId,
        answer: &str,
        change: impl FnOnce(&mut Choices) + Send,
    ) -> Answered {
        let Some(login) = self.logins.of(person).await? else { return Ok(LOGIN_FIRST.to_owned()) };
        let mut choices = self.logins.choices(&login.id).await?;
        change(&mut choices);
        self.logins.choose(&login.id, choices).await?;
        Ok(answer.to_owned())
    }
}

fn switch(choice: &str) -> Option<bool> {
    match choice.to_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// What contacts see now, as a sentence.
pub(super) fn described(choices: Choices) -> String {
    let word = |on| if on { "on" } else { "off" };
    let Choices { read_receipts, typing, identity_changes } = choices;
    format!(
        "Read receipts are {}, typing is {}. {}",
        word(read_receipts),
        word(typing),
        identity::described(identity_changes)
    )
}
