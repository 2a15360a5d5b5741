//! Chats: starting one, and how the person stands to a contact from then on.

use std::collections::BTreeMap;

use ruma::RoomId;

use super::{
    Answered, Bot, Call,
    contact::{self, Named},
    login::{self, LOGIN_FIRST},
    registry::{Audience, Command},
};
use crate::{
    domain::{
        allowance::until_in_words,
        consent::{ContactEvent, ContactState},
    },
    port::network::Resolved,
    runtime::{Opened, ReportOutcome},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "start",
        usage: "+33 6 12 34 56 78",
        help: "write to the contact with that phone number",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.start(call)),
    },
    Command {
        word: "contacts",
        usage: "",
        help: "who may write to you, and who asked",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.contacts(call)),
    },
    Command {
        word: "pause",
        usage: "<contact>",
        help: "let a contact's messages wait until you say `resume`",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.pause(call)),
    },
    Command {
        word: "resume",
        usage: "<contact>",
        help: "let them through again",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.resume(call)),
    },
    Command {
        word: "block",
        usage: "<contact>",
        help: "hear nothing of a contact any more",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.block(call)),
    },
    Command {
        word: "unblock",
        usage: "<contact>",
        help: "let a contact ask again",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.unblock(call)),
    },
    Command {
        word: "report",
        usage: "<contact>",
        help: "tell WhatsApp that a contact misbehaves; what they wrote is not told",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.report(call)),
    },
];

const NOT_ON_NETWORK: &str =
    "That number is not on WhatsApp. Please check the country code and the digits.";
const NOT_OPTED_IN: &str = "That number is on WhatsApp, but its owner has not switched on \
    third-party chats. Ask them to: WhatsApp → Settings → Account → Third-party chats.";
const BLOCKED: &str = "You have blocked that contact. Send `unblock` and the number first, then \
    `start` again.";
const NOT_REPORTED: &str = "You are not connected to WhatsApp at the moment, so nothing was reported. \
    Please try again in a minute.";
const NOBODY_YET: &str = "Nobody yet. Send `start` and a phone number to write to somebody.";

impl Bot {
    async fn start(&self, Call { person, event, rest }: &Call<'_>) -> Answered {
        let Some(login) = self.logins.of(person).await? else { return Ok(LOGIN_FIRST.to_owned()) };
        let phone = match self.logins.read_number(rest) {
            Ok(phone) => phone,
            Err(wrong) => return Ok(wrong),
        };
        match self.logins.resolve(&login.id, phone.digits()).await? {
            None => Ok(format!(
                "The connection to WhatsApp does not stand at the moment: {}. Please try again in \
                 a minute.",
                login::described(&self.logins.state(&login.id))
            )),
            Some(Resolved::NotOnNetwork) => Ok(NOT_ON_NETWORK.to_owned()),
            Some(Resolved::NotOptedIn) => Ok(NOT_OPTED_IN.to_owned()),
            Some(Resolved::Reachable { user }) => {
                let before = self.logins.joined_chat(&login, &user).await?;
                let opened = self.logins.open_chat(&login, &user, Some(event)).await?;
                Ok(described_opening(opened, before.as_deref()))
            }
        }
    }

    async fn contacts(&self, Call { person, .. }: &Call<'_>) -> Answered {
        let Some(login) = self.logins.of(person).await? else { return Ok(LOGIN_FIRST.to_owned()) };
        let contacts = self.logins.consents().contacts(&login.id).await?;
        if contacts.is_empty() {
            return Ok(NOBODY_YET.to_owned());
        }
        let mut names = Vec::with_capacity(contacts.len());
        for contact in &contacts {
            names.push(self.contact_name(&contact.ghost).await?);
        }
        let mut shared = BTreeMap::<_, usize>::new();
        for name in &names {
            *shared.entry(name.to_lowercase()).or_default() += 1;
        }
        let lines = contacts.iter().zip(&names).map(|(contact, name)| {
            let state = described(contact.state);
            // Of namesakes each is shown with what a command takes instead of the name.
            if shared[&name.to_lowercase()] > 1 {
                let user = self.logins.consents().matrix_user(&contact.ghost);
                return format!("- {name} ({user}) – {state}");
            }
            format!("- {name} – {state}")
        });
        let lines: Vec<_> = lines.collect();
        Ok(format!("Your contacts:\n{}", lines.join("\n")))
    }

    async fn pause(&self, call: &Call<'_>) -> Answered {
        self.move_contact(call, "pause", ContactEvent::Paused).await
    }

    async fn resume(&self, call: &Call<'_>) -> Answered {
        self.move_contact(call, "resume", ContactEvent::Resumed).await
    }

    async fn block(&self, call: &Call<'_>) -> Answered {
        self.move_contact(call, "block", ContactEvent::Blocked).await
    }

    async fn unblock(&self, call: &Call<'_>) -> Answered {
        self.move_contact(call, "unblock", ContactEvent::Unblocked).await
    }

    async fn report(&self, call: &Call<'_>) -> Answered {
        let Some(login) = self.logins.of(call.person).await? else {
            return Ok(LOGIN_FIRST.to_owned());
        };
        let (portal, name) = match self.named(&login.id, call.rest).await? {
            Named::One { portal, name } => (portal, name),
            other => return Ok(contact::asked_again(&other, "report")),
        };
        Ok(match self.logins.report(&login, &portal.ghost, call.event).await? {
            ReportOutcome::Reported => format!(
                "{name}: reported to WhatsApp. You still hear from each other; `block {name}` ends \
                 that."
            ),
            ReportOutcome::NotConnected => NOT_REPORTED.to_owned(),
        })
    }

    async fn move_contact(&self, call: &Call<'_>, word: &str, event: ContactEvent) -> Answered {
        let Some(login) = self.logins.of(call.person).await? else {
            return Ok(LOGIN_FIRST.to_owned());
        };
        let (portal, name) = match self.named(&login.id, call.rest).await? {
            Named::One { portal, name } => (portal, name),
            other => return Ok(contact::asked_again(&other, word)),
        };
        let consents = self.logins.consents();
        let before = consents.of(&portal).await?;
        let after = consents.act(&portal, event, Some(call.event)).await?;
        let said = if before == after { unmoved(after) } else { moved(after) };
        Ok(format!("{name}: {said}"))
    }
}

/// What became of a start; `before` is the room that the person was in already.
fn described_opening(opened: Opened, before: Option<&RoomId>) -> String {
    match opened {
        Opened::Ready(portal) => {
            let said = if before.is_some() && before == portal.room.as_deref() {
                "The chat is ready, and you are in it already: write there."
            } else {
                "The chat is ready: accept the invite and write there."
            };
            let room = portal.room.map(|room| format!(" https://matrix.to/#/{room}"));
            format!("{said}{}", room.unwrap_or_default())
        }
        Opened::Blocked => BLOCKED.to_owned(),
        Opened::UsedUp { limit, now, again_at } => format!(
            "You have started chats with {limit} new contacts today, which is as many as this \
             bridge allows you a day. It works again in {}; contacts that you have already are not \
             affected.",
            until_in_words(now, again_at)
        ),
    }
}

/// How a contact stands, for the list.
pub(super) fn described(state: ContactState) -> &'static str {
    match state {
        ContactState::Approved => "you write to each other",
        ContactState::Paused => "paused: their messages wait",
        ContactState::Requested => "asked to write to you: accept or decline the invite",
        ContactState::Declined => "declined",
        ContactState::Revoked | ContactState::Unknown => "may ask to write to you",
        ContactState::Expired => "asked, and got no answer; may ask again",
        ContactState::Blocked => "blocked",
    }
}

fn moved(state: ContactState) -> &'static str {
    match state {
        ContactState::Paused => {
            "paused. Their messages wait and they are told nothing; `resume` lets them through."
        }
        ContactState::Approved => "you hear from each other again. What waited comes now.",
        ContactState::Blocked => {
            "blocked. You hear nothing of them and they are not told. `unblock` takes it back."
        }
        _ => "no longer blocked. They may ask to write to you; `start` writes to them.",
    }
}

fn unmoved(state: ContactState) -> &'static str {
    match state {
        ContactState::Paused => "was paused already. `resume` lets their messages through.",
        ContactState::Blocked => "is blocked. `unblock` takes that back.",
        ContactState::Approved => "is neither paused nor blocked. You hear from each other.",
        ContactState::Requested => "has asked to write to you. Accept or decline the invite.",
        _ => "you have no chat with each other. `start` and the number begins one.",
    }
}
