//! A person verifies one of our users in their Matrix client: how far it is, and what they are told.
//!
//! Both sides show the same short code if nobody stands between them. Only the person can compare: we never say
//! that it matches before they do.

use ruma::OwnedUserId;

use super::bridged::ActAs;

/// One of them, at a stage that it has just reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub who: ActAs,
    pub person: OwnedUserId,
    /// Names it for both sides.
    pub flow: String,
    pub stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The person's client asks.
    Asked,
    /// Both sides have the code.
    Comparing(ShortCode),
    /// Both sides have said that it is the same.
    Done,
    /// One side gave up, or it took too long.
    Cancelled,
}

/// What is compared (Matrix specification, "SAS method: emoji").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortCode {
    /// Seven symbols with their names, if both sides can show them.
    pub emoji: Vec<(String, String)>,
    pub decimals: [u16; 3],
}

/// What is said to a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To the person's request.
    Accept,
    Refuse,
    /// The person says that both codes are the same.
    Same,
    Different,
}

impl Verification {
    /// What the person is told; `name` is the contact's, if it is about one.
    pub fn text(&self, name: Option<&str>) -> Option<String> {
        let whom = match (&self.who, name) {
            (ActAs::Bot, _) => "me".to_owned(),
            (ActAs::Ghost(_), Some(name)) => format!("the Matrix user of {name}"),
            (ActAs::Ghost(_), None) => "the Matrix user of a contact".to_owned(),
        };
        Some(match &self.stage {
            Stage::Asked => return None,
            Stage::Comparing(code) => format!(
                "You are verifying {whom}. This is what I see:\n{}\nIf your Matrix client shows the \
                 same, say so there and send `match` here. If not, send `differ`.",
                code.text()
            ),
            Stage::Done => format!("You have verified {whom}. There is nothing more to do."),
            Stage::Cancelled => format!(
                "The verification of {whom} was cancelled or took too long. Start it again in your \
                 Matrix client if you like."
            ),
        })
    }
}

impl ShortCode {
    fn text(&self) -> String {
        if self.emoji.is_empty() {
            let [one, two, three] = self.decimals;
            return format!("{one} {two} {three}");
        }
        let named = |(symbol, name): &(String, String)| format!("{symbol} {name}");
        self.emoji.iter().map(named).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_user_id;

    use super::*;
    use crate::domain::ids::GhostKey;

    fn at(stage: Stage) -> Verification {
        let person = owned_user_id!("@alice:example.org");
        Verification { who: ActAs::Bot, person, flow: "$1".to_owned(), stage }
    }

    #[test]
    fn a_code_is_shown_as_emoji_or_as_numbers() {
        let mut code = ShortCode {
            emoji: vec![("🐶".to_owned(), "Dog".to_owned()), ("🔒".to_owned(), "Lock".to_owned())],
            decimals: [1234, 5678, 9012],
        };
        let text = at(Stage::Comparing(code.clone())).text(None).unwrap();
        assert!(text.contains("🐶 Dog, 🔒 Lock") && text.contains("`match`"), "{text}");
        code.emoji.clear();
        let text = at(Stage::Comparing(code)).text(None).unwrap();
        assert!(text.contains("1234 5678 9012") && text.contains("verifying me"), "{text}");
    }

    #[test]
    fn every_stage_but_the_first_is_told() {
        assert_eq!(at(Stage::Asked).text(None), None);
        let mut done = at(Stage::Done);
        assert!(done.text(Some("Anna")).unwrap().contains("verified me"));
        done.who = ActAs::Ghost(GhostKey("g1".to_owned()));
        assert!(done.text(Some("Anna")).unwrap().contains("the Matrix user of Anna"));
        assert!(at(Stage::Cancelled).text(None).unwrap().ends_with("if you like."));
    }
}
