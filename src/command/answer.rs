//! What the bot answers.

use ruma::OwnedUserId;

use super::{Bot, choices};
use crate::{
    domain::{bridged::LoginState, consent::consent_text},
    port::{Failure, network::Resolved},
    runtime::{ConnectionState, LeaveOutcome, StartOutcome},
};

pub(super) const HELP: &str = "I connect you to WhatsApp contacts who allow third-party chats.\n\
    \n\
    `login` – what connecting means, and how to agree to it\n\
    `start +33 6 12 34 56 78` – write to the contact with that phone number\n\
    `status` – whether you are connected, and what contacts see of you\n\
    `read-receipts on` or `off` – whether contacts see that you read their messages\n\
    `typing on` or `off` – whether contacts see that you are typing\n\
    `logout` – leave, and delete your keys\n\
    `help` – this list";
pub(super) const UNKNOWN: &str = "I do not know that command. Send `help` for the list.";
pub(super) const NOT_ALLOWED: &str = "The operator of this bridge has not allowed you to use it. \
    Ask them to add you to `permissions` in its configuration.";
const NOT_CONNECTED: &str = "You are not connected to WhatsApp. Send `login` to see what it means.";
const CONNECTED_ALREADY: &str = "You are connected already. Send `status` to see how it stands.";
const JUST_LEAVING: &str = "You are just leaving. Send `login` again when `status` says that you \
    are not connected.";
pub(super) const LOGIN_FIRST: &str = "You are not connected to WhatsApp. Send `login` first.";
const READ_FIRST: &str = "Please read first what you would agree to: send `login`.";
const CONNECTED: &str = "You are connected to WhatsApp. Send `start` and a phone number to write \
    to somebody.";
const NUMBER_WANTED: &str = "Please give the number with its country code, for example \
    `start +33 6 12 34 56 78`.";
const NOT_ON_NETWORK: &str =
    "That number is not on WhatsApp. Please check the country code and the digits.";
const NOT_OPTED_IN: &str = "That number is on WhatsApp, but its owner has not switched on \
    third-party chats. Ask them to: WhatsApp → Settings → Account → Third-party chats.";
const LEAVING: &str = "You are leaving: WhatsApp has not confirmed yet. Your keys are deleted when \
    it does.";
const LEFT: &str = "You have left WhatsApp and your keys are deleted. Your rooms and what is \
    written in them stay yours.";
const LEAVING_LATER: &str = "WhatsApp cannot be reached at the moment. I go on trying; when it \
    confirms that you left, your keys are deleted.";
const WAS_NOT_CONNECTED: &str = "You are not connected to WhatsApp.";

pub(super) type Answered = Result<String, Failure>;

impl Bot {
    pub(super) async fn login(&self, person: &OwnedUserId) -> Answered {
        match self.logins.of(person).await? {
            Some(login) if login.state != LoginState::Leaving => Ok(CONNECTED_ALREADY.to_owned()),
            Some(_) => Ok(JUST_LEAVING.to_owned()),
            None => {
                let mut shown = self.shown.lock().expect("no holder of this lock can panic");
                shown.insert(person.clone());
                Ok(consent_text(person.as_str()))
            }
        }
    }

    pub(super) async fn agree(&self, person: &OwnedUserId) -> Answered {
        let read = {
            let shown = self.shown.lock().expect("no holder of this lock can panic");
            shown.contains(person)
        };
        // Whoever has a login agreed before: the same answer again starts nothing new.
        if !read && self.logins.of(person).await?.is_none() {
            return Ok(READ_FIRST.to_owned());
        }
        match self.logins.agree(person).await? {
            StartOutcome::Connected => Ok(CONNECTED.to_owned()),
            StartOutcome::StillTrying(state) => Ok(format!(
                "Your consent is stored, but the connection does not stand yet: {}. I go on \
                 trying; `status` shows how it stands.",
                described(&state)
            )),
        }
    }

    pub(super) async fn start(&self, person: &OwnedUserId, phone: Option<&str>) -> Answered {
        let Some(login) = self.logins.of(person).await? else { return Ok(LOGIN_FIRST.to_owned()) };
        let Some(phone) = phone else { return Ok(NUMBER_WANTED.to_owned()) };
        match self.logins.resolve(&login.id, phone).await? {
            None => Ok(format!(
                "The connection to WhatsApp does not stand at the moment: {}. Please try again in \
                 a minute.",
                described(&self.logins.state(&login.id))
            )),
            Some(Resolved::NotOnNetwork) => Ok(NOT_ON_NETWORK.to_owned()),
            Some(Resolved::NotOptedIn) => Ok(NOT_OPTED_IN.to_owned()),
            Some(Resolved::Reachable { user }) => {
                let portal = self.logins.open_chat(&login, &user).await?;
                let room = portal.room.map(|room| format!("https://matrix.to/#/{room}"));
                Ok(format!(
                    "The chat is ready: accept the invite and write there. {}",
                    room.unwrap_or_default()
                ))
            }
        }
    }

    pub(super) async fn status(&self, person: &OwnedUserId) -> Answered {
        let Some(login) = self.logins.of(person).await? else {
            return Ok(NOT_CONNECTED.to_owned());
        };
        let state = self.logins.state(&login.id);
        match login.state {
            LoginState::Leaving => Ok(LEAVING.to_owned()),
            LoginState::Enlisting => {
                Ok(format!("WhatsApp does not know you yet: {}.", described(&state)))
            }
            LoginState::Active => {
                let seen = choices::described(self.logins.choices(&login.id).await?);
                Ok(format!("{}. {seen}", capitalized(&described(&state))))
            }
        }
    }

    pub(super) async fn logout(&self, person: &OwnedUserId) -> Answered {
        {
            let mut shown = self.shown.lock().expect("no holder of this lock can panic");
            shown.remove(person);
        }
        match self.logins.leave(person).await? {
            LeaveOutcome::Left => Ok(LEFT.to_owned()),
            LeaveOutcome::StillTrying => Ok(LEAVING_LATER.to_owned()),
            LeaveOutcome::NotLoggedIn => Ok(WAS_NOT_CONNECTED.to_owned()),
        }
    }
}

fn described(state: &ConnectionState) -> String {
    match state {
        ConnectionState::Connecting => "connecting to WhatsApp".to_owned(),
        ConnectionState::Connected => "you are connected to WhatsApp".to_owned(),
        ConnectionState::Waiting { reason } => format!("not connected ({reason}), trying again"),
        ConnectionState::Refused { reason } => format!("WhatsApp refused ({reason})"),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
