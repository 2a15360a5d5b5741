//! What a person is told in their management room of what happened to their login without them.

use crate::domain::limits;

/// Something happened that the person did not ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginNews {
    /// The network has forgotten them. Whether the text that they agreed to still holds decides what
    /// they are asked to do.
    Lapsed { same_text: bool },
    /// Another connection with their identity took the place of ours.
    Replaced,
}

impl LoginNews {
    pub fn text(self) -> String {
        match self {
            Self::Lapsed { same_text } => {
                let days = limits::FORGOTTEN_AFTER.as_secs() / (24 * 3_600);
                let next = if same_text {
                    "Send `agree` to be enlisted again, under the terms that you agreed to; \
                     `logout` deletes your keys."
                } else {
                    "The terms have changed since you agreed to them: send `login` to read them; \
                     `logout` deletes your keys."
                };
                format!(
                    "WhatsApp no longer knows you, as happens to whoever is away for {days} days. \
                     Your rooms and keys are kept, and what you write waits. Contacts cannot \
                     reach you until you come back. {next}"
                )
            }
            Self::Replaced => "Somebody else connected to WhatsApp as you, so I stopped: two \
                connections would drive each other out. If that was another bridge of yours, there \
                is nothing to do. If not, tell the operator of this bridge. Send `reconnect` to \
                take your place again."
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_happened_and_what_to_do() {
        for (news, needles) in [
            (LoginNews::Lapsed { same_text: true }, ["30 days", "`agree`"]),
            (LoginNews::Lapsed { same_text: false }, ["terms have changed", "`login`"]),
            (LoginNews::Replaced, ["Somebody else", "`reconnect`"]),
        ] {
            let text = news.text();
            assert!(needles.iter().all(|needle| text.contains(needle)), "{text}");
            assert!(text.ends_with('.') && !text.contains("  "), "{text}");
        }
    }
}
