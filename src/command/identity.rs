//! Whose keys these are: the contact's, compared and confirmed; the bot's, shown; and the person's own
//! devices.

use super::{
    Answered, Bot, Call,
    contact::{self, Named},
    login::LOGIN_FIRST,
    registry::{Audience, Command},
};
use crate::{
    domain::{bridged::Login, identity::IdentityPolicy, ids::PortalKey},
    port::room_cipher::{Fingerprints, PersonDevices},
    runtime::{CompareOutcome, SafetyNumber},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        word: "verify",
        usage: "<contact>",
        help: "the safety number to compare with a contact; `verify bot` shows my own keys",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.verify(call)),
    },
    Command {
        word: "match",
        usage: "",
        help: "the code that your Matrix client shows while you verify is the one that I show",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.codes(call, true)),
    },
    Command {
        word: "differ",
        usage: "",
        help: "it is another one",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.codes(call, false)),
    },
    Command {
        word: "confirm",
        usage: "<contact>",
        help: "go on with a contact whose security keys have changed",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.confirm(call)),
    },
    Command {
        word: "key-changes",
        usage: "notify`, `hold` or `block",
        help: "what happens when a contact's security keys change",
        audience: Audience::Users,
        answer: |bot, call| Box::pin(bot.key_changes(call)),
    },
];

const POLICY_USAGE: &str = "Please say `key-changes notify` to be told, `key-changes hold` to have \
    everything wait until you confirm, or `key-changes block` to block the contact.";
const NO_KEYS_YET: &str = "there are no keys to compare yet. Write to each other first, then send \
    `verify` again.";
const NUMBER_DIFFERS: &str = "I remember that the number is another one on the other side. Somebody may \
    stand between you: do not write anything there that matters, and ask them in another way. \
    Nothing ends by itself; `pause` lets their messages wait, `block` ends the chat.";
const NOTHING_TO_COMPARE: &str = "There is no code to compare at the moment. Start the verification \
    in your Matrix client: open my profile, or a contact's, and choose to verify by emoji.";
const SEVERAL_CODES: &str = "There are several verifications at once, so I do not know which one you mean. \
    Send `differ` to cancel all of them, and start one again.";
const CODES_MATCH: &str =
    "Good. As soon as your Matrix client has heard it from you too, it is done.";
const CODES_DIFFER: &str = "I have cancelled it. Somebody may stand between us: do not write anything \
    here that matters, and ask the operator of this bridge.";
const DEVICES_UNKNOWN: &str = "I could not look at your Matrix devices just now.";
const NO_CROSS_SIGNING: &str = "Your Matrix account has no cross-signing yet, so nobody can tell \
    your devices from a stranger's. Set it up in your Matrix client, where it is often called \
    secure backup or encryption.";

impl Bot {
    async fn verify(&self, call: &Call<'_>) -> Answered {
        if call.rest.eq_ignore_ascii_case("bot") {
            return Ok(own_keys(&self.logins.fingerprints().await?));
        }
        let Some(login) = self.logins.of(call.person).await? else {
            return Ok(LOGIN_FIRST.to_owned());
        };
        let (typed, is_same) = comparison(call.rest);
        let (portal, name) = match self.named(&login.id, typed).await? {
            Named::One { portal, name } => (portal, name),
            other => return Ok(contact::asked_again(&other, "verify")),
        };
        let number = self.logins.identities().safety_number(&login, &portal).await?;
        let Some(number) = number else { return Ok(format!("{name}: {NO_KEYS_YET}")) };
        if let Some(is_same) = is_same {
            return self.compared(call, &login, &portal, &name, &number, is_same).await;
        }
        self.show_number(&portal, &number);
        Ok(shown(&name, typed, &number))
    }

    fn show_number(&self, portal: &PortalKey, number: &SafetyNumber) {
        let mut numbers = self.numbers.lock().expect("no holder of this lock can panic");
        numbers.insert(portal.clone(), number.clone());
    }

    /// The person says whether the number is the same on the other side: the one that they were shown.
    async fn compared(
        &self,
        call: &Call<'_>,
        login: &Login,
        portal: &PortalKey,
        name: &str,
        number: &SafetyNumber,
        is_same: bool,
    ) -> Answered {
        let known = {
            let mut numbers = self.numbers.lock().expect("no holder of this lock can panic");
            numbers.remove(portal)
        };
        if known.is_none_or(|known| known.key != number.key) {
            self.show_number(portal, number);
            let (typed, _) = comparison(call.rest);
            return Ok(format!("Please compare this one first. {}", shown(name, typed, number)));
        }
        tracing::info!(login = login.id.0, is_same, "a safety number was compared");
        if !is_same {
            self.logins.identities().differed(portal, number.key, Some(call.event)).await?;
            return Ok(format!("{name}: {NUMBER_DIFFERS}"));
        }
        self.logins.identities().verified(portal, number.key, Some(call.event)).await?;
        let waited = if number.is_pending { " What waited comes now." } else { "" };
        Ok(format!(
            "{name}: verified. I remember that you compared, and tell you if their keys \
             change.{waited}"
        ))
    }

    async fn codes(&self, call: &Call<'_>, is_same: bool) -> Answered {
        Ok(match (self.logins.compare(call.person, is_same).await?, is_same) {
            (CompareOutcome::Nothing, _) => NOTHING_TO_COMPARE,
            (CompareOutcome::Several, _) => SEVERAL_CODES,
            (CompareOutcome::Said, true) => CODES_MATCH,
            (CompareOutcome::Said, false) => CODES_DIFFER,
        }
        .to_owned())
    }

    async fn confirm(&self, call: &Call<'_>) -> Answered {
        let Some(login) = self.logins.of(call.person).await? else {
            return Ok(LOGIN_FIRST.to_owned());
        };
        let (portal, name) = match self.named(&login.id, call.rest).await? {
            Named::One { portal, name } => (portal, name),
            other => return Ok(contact::asked_again(&other, "confirm")),
        };
        Ok(if self.logins.identities().confirm(&portal, Some(call.event)).await? {
            format!("{name}: confirmed. What waited goes on now; `verify` shows the new number.")
        } else {
            format!("{name}: there is nothing to confirm.")
        })
    }

    async fn key_changes(&self, Call { person, rest, .. }: &Call<'_>) -> Answered {
        let Some(policy) = IdentityPolicy::from_name(&rest.to_lowercase()) else {
            return Ok(POLICY_USAGE.to_owned());
        };
        let answer = format!("From now on: {}", described(policy));
        self.choose(person, &answer, |choices| choices.identity_changes = policy).await
    }

    /// How the person's own devices stand, for `status`.
    pub(super) async fn devices(&self, person: &ruma::UserId) -> String {
        match self.logins.devices_of(person).await {
            Ok(devices) => of_devices(&devices),
            Err(failure) => {
                tracing::warn!(%failure, "could not look at a person's devices");
                DEVICES_UNKNOWN.to_owned()
            }
        }
    }
}

/// What happens when a contact's keys change, as a sentence.
pub(super) fn described(policy: IdentityPolicy) -> &'static str {
    match policy {
        IdentityPolicy::Notify => {
            "When a contact's security keys change, you are told, and the chat goes on."
        }
        IdentityPolicy::Hold => {
            "When a contact's security keys change, nothing is shown or sent until you `confirm`."
        }
        IdentityPolicy::Block => "When a contact's security keys change, the contact is blocked.",
    }
}

/// Who is meant, and whether the number was said to be the same.
fn comparison(rest: &str) -> (&str, Option<bool>) {
    match rest.rsplit_once(char::is_whitespace) {
        Some((typed, last)) if last.eq_ignore_ascii_case("yes") => (typed.trim_end(), Some(true)),
        Some((typed, last)) if last.eq_ignore_ascii_case("no") => (typed.trim_end(), Some(false)),
        _ => (rest, None),
    }
}

/// Twelve groups of five, in lines of four, as the apps show them.
fn grouped(digits: &str) -> String {
    let digits: Vec<_> = digits.chars().collect();
    let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
    let lines: Vec<_> = groups.chunks(4).map(|line| line.join(" ")).collect();
    format!("```{}```", lines.join("\n"))
}

fn shown(name: &str, typed: &str, number: &SafetyNumber) -> String {
    let state = match number {
        SafetyNumber { is_pending: true, .. } => " (of the new keys, which wait for you)",
        SafetyNumber { is_verified: true, .. } => " (you have compared it before)",
        _ => "",
    };
    format!(
        "The safety number with {name}{state}:\n{}\nCompare it with what the other side sees, in \
         another way than here: it must be the same. WhatsApp shows no such number for third-party \
         chats yet, so this works with people who use a bridge like this one. If it is the same, \
         send `verify {typed} yes`, otherwise `verify {typed} no`.",
        grouped(&number.digits)
    )
}

fn own_keys(Fingerprints { device, device_key, master_key }: &Fingerprints) -> String {
    let master = master_key.as_deref().unwrap_or("none yet");
    format!(
        "My keys, to compare with what your Matrix client shows of me:\n- device `{device}`: \
         `{device_key}`\n- identity (master key): `{master}`\nThe operator of this bridge can tell \
         you the same in another way."
    )
}

fn of_devices(PersonDevices { has_identity, devices }: &PersonDevices) -> String {
    if !has_identity {
        return NO_CROSS_SIGNING.to_owned();
    }
    let unverified: Vec<_> = devices.iter().filter(|device| !device.is_cross_signed).collect();
    if unverified.is_empty() {
        return "All your Matrix devices are verified.".to_owned();
    }
    let lines = unverified.iter().map(|device| match &device.name {
        Some(name) => format!("- `{}` ({name})", device.id),
        None => format!("- `{}`", device.id),
    });
    let lines: Vec<_> = lines.collect();
    format!(
        "These Matrix devices of yours are not verified:\n{}\nVerify them in your Matrix client, or \
         sign out those that you do not know.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::room_cipher::PersonDevice;

    #[test]
    fn a_comparison_is_the_last_word() {
        for (rest, expected) in [
            ("Anna", ("Anna", None)),
            ("Anna yes", ("Anna", Some(true))),
            ("Anna  NO", ("Anna", Some(false))),
            ("+33 6 12 34 56 78 yes", ("+33 6 12 34 56 78", Some(true))),
            ("no", ("no", None)),
            ("Anna nobody", ("Anna nobody", None)),
        ] {
            assert_eq!(comparison(rest), expected, "{rest}");
        }
    }

    #[test]
    fn a_number_is_shown_in_groups() {
        let digits = "0123456789".repeat(6);
        let text = grouped(&digits);
        assert_eq!(text.lines().count(), 3);
        assert_eq!(text.matches(char::is_numeric).count(), 60);
        assert!(text.starts_with("```01234 56789 01234 56789\n"), "{text}");
    }

    #[test]
    fn only_devices_that_are_not_verified_are_listed() {
        let device = |id: &str, is_cross_signed| PersonDevice {
            id: id.to_owned(),
            name: Some("Phone".to_owned()),
            is_cross_signed,
        };
        let mut devices = PersonDevices { has_identity: true, devices: vec![device("A", true)] };
        assert!(of_devices(&devices).contains("All your"));
        devices.devices.push(device("B", false));
        let text = of_devices(&devices);
        assert!(text.contains("- `B` (Phone)") && !text.contains("`A`"), "{text}");
        devices.has_identity = false;
        assert!(of_devices(&devices).contains("no cross-signing"));
    }
}
