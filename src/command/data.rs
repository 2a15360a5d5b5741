//! What is kept of a person: theirs to take, and theirs to have deleted.

use super::{
    Answered, Bot, Call,
    registry::{Audience, Command},
};
use crate::runtime::ExportOutcome;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "export",
        usage: "",
        help: "a file with everything that I keep of you",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.export(call)),
    },
    Command {
        word: "erase",
        usage: "everything",
        help: "leave, and delete everything that I keep of you",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.erase(call)),
    },
];

/// The one word that makes it happen.
const CONFIRMATION: &str = "everything";
const EXPORTED: &str = "This file holds everything that I keep of you. Your contacts' phone numbers are in \
    it: keep it safe. `erase` says how to have all of it deleted.";
const NO_ENCRYPTED_ROOM: &str = "The file would hold your contacts' phone numbers, and this room is \
    not encrypted. Please invite me to an encrypted room and send `export` there.";
const BUSY: &str =
    "Many files are on their way at the moment. Please send `export` again in a minute.";
const NOT_TAKEN: &str = "Your homeserver does not take the file. Please ask the operator of this \
    bridge for your data.";
const ERASE_MEANS: &str = "This deletes everything that I keep of you: your connection to WhatsApp and \
    its keys, your contacts and what you decided about them, which message is which, files that wait to \
    be fetched, and the keys by which I read your Matrix messages. WhatsApp is told that you left, and \
    your contacts leave your rooms. What was written stays in your rooms and on your contacts' \
    phones. It cannot be undone: `export` gives you a copy first. If you want it, send \
    `erase everything`.";
const ERASING: &str = "I delete everything that I keep of you. If WhatsApp cannot be reached I go on \
    until it confirms that you left. This is my last message here: I leave this room. Invite me again \
    whenever you want to begin anew.";
pub(super) const BEING_ERASED: &str = "I am deleting everything that I keep of you; nothing else goes \
    before it is done. Invite me again afterwards if you want to begin anew.";

impl Bot {
    async fn export(&self, Call { person, event, .. }: &Call<'_>) -> Answered {
        let answer = match self.logins.exports().hand_over(person, event).await? {
            ExportOutcome::Sent => EXPORTED,
            ExportOutcome::NoEncryptedRoom => NO_ENCRYPTED_ROOM,
            ExportOutcome::Busy => BUSY,
            ExportOutcome::NotTaken => NOT_TAKEN,
        };
        Ok(answer.to_owned())
    }

    async fn erase(&self, Call { person, rest, .. }: &Call<'_>) -> Answered {
        if rest.to_lowercase() != CONFIRMATION {
            return Ok(ERASE_MEANS.to_owned());
        }
        self.forget_shown(person);
        self.logins.erase(person).await?;
        Ok(ERASING.to_owned())
    }
}
