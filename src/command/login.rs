//! Becoming connected and leaving: what it means, the consent, how it stands, the end.

use ruma::UserId;

use super::{
    Answered, Bot, Call, choices,
    registry::{Audience, Command},
};
use crate::{
    domain::{bridged::LoginState, consent::consent_text, notice::LoginNews},
    port::Failure,
    runtime::{ConnectionState, LeaveOutcome, ReconnectOutcome, StartOutcome},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "login",
        usage: "",
        help: "what connecting means, and how to agree to it",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.login(call)),
    },
    Command {
        word: "agree",
        usage: "",
        help: "agree to what `login` says",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.agree(call)),
    },
    Command {
        word: "status",
        usage: "",
        help: "whether you are connected, and what contacts see of you",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.status(call)),
    },
    Command {
        word: "reconnect",
        usage: "",
        help: "connect again, after somebody else connected as you",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.reconnect(call)),
    },
    Command {
        word: "logout",
        usage: "",
        help: "leave, and delete your keys",
        audience: Audience::Everyone,
        answer: |bot, call| Box::pin(bot.logout(call)),
    },
];

const FULL: &str = "As many people are connected as the operator of this bridge allows. Please ask \
    them for more room, or try again when somebody has left.";
const NOT_CONNECTED: &str = "You are not connected to WhatsApp. Send `login` to see what it means.";
const CONNECTED_ALREADY: &str = "You are connected already. Send `status` to see how it stands.";
const JUST_LEAVING: &str = "You are just leaving. Send `login` again when `status` says that you \
    are not connected.";
pub(super) const LOGIN_FIRST: &str = "You are not connected to WhatsApp. Send `login` first.";
const READ_FIRST: &str = "Please read first what you would agree to: send `login`.";
const CONNECTED: &str = "You are connected to WhatsApp. Send `start` and a phone number to write \
    to somebody.";
const AGREED_ALREADY: &str = "You are connected to WhatsApp already: you had agreed before, perhaps \
    in another session. Send `status` to see how it stands.";
const LEAVING: &str = "You are leaving: WhatsApp has not confirmed yet. Your keys are deleted when \
    it does.";
const LEFT: &str = "You have left WhatsApp and your keys are deleted. Your rooms and what is \
    written in them stay yours.";
const LEAVING_LATER: &str = "WhatsApp cannot be reached at the moment. I go on trying; when it \
    confirms that you left, your keys are deleted.";
const WAS_NOT_CONNECTED: &str = "You are not connected to WhatsApp.";

impl Bot {
    async fn login(&self, Call { person, .. }: &Call<'_>) -> Answered {
        match self.logins.of(person).await? {
            Some(login) => match login.state {
                LoginState::Enlisting | LoginState::Active => Ok(CONNECTED_ALREADY.to_owned()),
                LoginState::Leaving => Ok(JUST_LEAVING.to_owned()),
                LoginState::Lapsed if self.logins.has_agreed(person).await? => {
                    Ok(LoginNews::Lapsed { same_text: true }.text())
                }
                LoginState::Lapsed | LoginState::None => Ok(self.show_consent_text(person)),
            },
            None => Ok(self.show_consent_text(person)),
        }
    }

    fn show_consent_text(&self, person: &UserId) -> String {
        let mut shown = self.shown.lock().expect("no holder of this lock can panic");
        shown.insert(person.to_owned());
        consent_text(person.as_str())
    }

    /// The next `agree` means nothing before the text was shown once more.
    pub(super) fn forget_shown(&self, person: &UserId) {
        let mut shown = self.shown.lock().expect("no holder of this lock can panic");
        shown.remove(person);
    }

    /// Whether `agree` means a text that the person knows: they were shown it, or have agreed to the
    /// same words before and never left.
    async fn knows_the_text(&self, person: &UserId) -> Result<bool, Failure> {
        {
            let shown = self.shown.lock().expect("no holder of this lock can panic");
            if shown.contains(person) {
                return Ok(true);
            }
        }
        match self.logins.of(person).await? {
            None => Ok(false),
            Some(login) if login.state == LoginState::Lapsed => {
                self.logins.has_agreed(person).await
            }
            // The same answer again starts nothing new.
            Some(_) => Ok(true),
        }
    }

    async fn agree(&self, Call { person, event, .. }: &Call<'_>) -> Answered {
        let login = self.logins.of(person).await?;
        if login.is_some_and(|login| login.state == LoginState::Leaving) {
            return Ok(JUST_LEAVING.to_owned());
        }
        if !self.knows_the_text(person).await? {
            return Ok(READ_FIRST.to_owned());
        }
        match self.logins.agree(person, Some(event)).await? {
            StartOutcome::Connected => Ok(CONNECTED.to_owned()),
            StartOutcome::Already(ConnectionState::Connected) => Ok(AGREED_ALREADY.to_owned()),
            StartOutcome::Already(state) => Ok(format!(
                "You have agreed already, and the connection does not stand yet: {}. `status` \
                 shows how it goes on.",
                described(&state)
            )),
            StartOutcome::StillTrying(state) => Ok(format!(
                "Your consent is stored, but the connection does not stand yet: {}. I go on \
                 trying; `status` shows how it stands.",
                described(&state)
            )),
            StartOutcome::Full => Ok(FULL.to_owned()),
        }
    }

    async fn status(&self, Call { person, .. }: &Call<'_>) -> Answered {
        let Some(login) = self.logins.of(person).await? else {
            return Ok(NOT_CONNECTED.to_owned());
        };
        let state = self.logins.state(&login.id);
        match login.state {
            LoginState::None => Ok(NOT_CONNECTED.to_owned()),
            LoginState::Lapsed => {
                let same_text = self.logins.has_agreed(person).await?;
                Ok(LoginNews::Lapsed { same_text }.text())
            }
            LoginState::Leaving => Ok(LEAVING.to_owned()),
            LoginState::Enlisting => {
                Ok(format!("WhatsApp does not know you yet: {}.", described(&state)))
            }
            LoginState::Active => {
                let seen = choices::described(self.logins.choices(&login.id).await?);
                let devices = self.devices(person).await;
                Ok(format!("{}. {seen}\n{devices}", capitalized(&described(&state))))
            }
        }
    }

    async fn reconnect(&self, Call { person, .. }: &Call<'_>) -> Answered {
        Ok(match self.logins.reconnect(person).await? {
            ReconnectOutcome::Connected => CONNECTED.to_owned(),
            ReconnectOutcome::StillTrying(state) => {
                format!("The connection does not stand yet: {}.", described(&state))
            }
            ReconnectOutcome::Lapsed => {
                let same_text = self.logins.has_agreed(person).await?;
                LoginNews::Lapsed { same_text }.text()
            }
            ReconnectOutcome::Leaving => JUST_LEAVING.to_owned(),
            ReconnectOutcome::NotLoggedIn => NOT_CONNECTED.to_owned(),
        })
    }

    async fn logout(&self, Call { person, event, .. }: &Call<'_>) -> Answered {
        self.forget_shown(person);
        match self.logins.leave(person, Some(event)).await? {
            LeaveOutcome::Left => Ok(LEFT.to_owned()),
            LeaveOutcome::StillTrying => Ok(LEAVING_LATER.to_owned()),
            LeaveOutcome::NotLoggedIn => Ok(WAS_NOT_CONNECTED.to_owned()),
        }
    }
}

pub(super) fn described(state: &ConnectionState) -> String {
    match state {
        ConnectionState::Connecting => "connecting to WhatsApp".to_owned(),
        ConnectionState::Connected => "you are connected to WhatsApp".to_owned(),
        ConnectionState::Waiting { reason } => format!("not connected ({reason}), trying again"),
        ConnectionState::Refused { reason } => format!("WhatsApp refused ({reason})"),
        ConnectionState::Replaced => {
            "not connected, because somebody else connected as you; send `reconnect` to take your \
             place again"
                .to_owned()
        }
        ConnectionState::Lapsed => "WhatsApp no longer knows you; send `login`".to_owned(),
        ConnectionState::Paused => {
            "paused, since you may not use this bridge at the moment".to_owned()
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
