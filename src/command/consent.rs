//! What the person agreed to, asked and took back.

use chrono::DateTime;

use super::{
    Answered, Bot, Call,
    registry::{Audience, Command},
};
use crate::domain::{
    bridged::Timestamp,
    consent::{Act, Entry},
};

pub(super) const COMMANDS: &[Command] = &[Command {
    word: "consent",
    usage: "",
    help: "what you agreed to and decided, and when",
    audience: Audience::Users,
    answer: |bot, call| Box::pin(bot.consent(call)),
}];

const NOTHING: &str = "You have agreed to nothing. Send `login` to see what connecting means.";
/// Lines that one answer shows; `export` has them all.
const LINES_MAX: usize = 30;

impl Bot {
    async fn consent(&self, Call { person, .. }: &Call<'_>) -> Answered {
        let ledger = self.logins.consents().ledger(person).await?;
        let mut lines = Vec::new();
        for entry in ledger.iter().rev().take(LINES_MAX).rev() {
            lines.push(format!("- {}: {}", date(entry.at), self.decided(entry).await?));
        }
        Ok(match (lines.is_empty(), ledger.len().saturating_sub(LINES_MAX)) {
            (true, _) => NOTHING.to_owned(),
            (false, 0) => format!("This is what you decided:\n{}", lines.join("\n")),
            (false, older) => format!(
                "This is what you decided last ({older} older decisions are not shown):\n{}",
                lines.join("\n")
            ),
        })
    }

    async fn decided(&self, entry: &Entry) -> Answered {
        let whom = match &entry.ghost {
            Some(ghost) => self.contact_name(ghost).await?,
            None => String::new(),
        };
        Ok(match entry.act {
            Act::OptedIn => match entry.text_version {
                Some(version) => format!("you agreed to connect (version {version} of the text)"),
                None => "you agreed to connect".to_owned(),
            },
            Act::OptedOut => "you logged out".to_owned(),
            Act::Lapsed => "WhatsApp had forgotten you".to_owned(),
            Act::Requested => format!("{whom} asked to write to you"),
            Act::Approved => format!("you approved {whom}"),
            Act::Declined => format!("you declined {whom}"),
            Act::Paused => format!("you paused {whom}"),
            Act::Resumed => format!("you resumed {whom}"),
            Act::Blocked => format!("you blocked {whom}"),
            Act::Unblocked => format!("you unblocked {whom}"),
            Act::Reported => format!("you reported {whom}"),
            Act::Revoked => format!("you left the chat with {whom}"),
            Act::Expired => format!("the request of {whom} was not answered"),
            Act::Confirmed => format!("you confirmed the new keys of {whom}"),
            Act::Verified => format!("you compared the safety number with {whom}: it is the same"),
            Act::Differed => {
                format!("you compared the safety number with {whom}: it is another one")
            }
        })
    }
}

/// In UTC: the bridge does not know where the person is.
fn date(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at)
        .map_or_else(|| "once".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_one_that_people_read() {
        assert_eq!(date(1_795_447_500_000), "2026-11-23 15:25 UTC");
        assert_eq!(date(Timestamp::MAX), "once");
    }
}
