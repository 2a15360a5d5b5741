//! What a person is told when a contact's security keys are other ones than before.

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityNews {
    /// It goes on, but what the person had compared was the key of before.
    ComparisonVoid,
    /// Nothing is shown or sent until they confirm.
    Held { was_verified: bool },
    /// The contact is blocked, as the person wants it.
    Blocked { was_verified: bool },
    /// What the person wrote waits until they confirm.
    Waits,
}

impl IdentityNews {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ComparisonVoid => "identity-comparison-void",
            Self::Held { .. } => "identity-held",
            Self::Blocked { .. } => "identity-blocked",
            Self::Waits => "identity-waits",
        }
    }

    pub(super) fn text(self) -> String {
        let void = |was_verified| if was_verified { VOID } else { "" };
        match self {
            Self::ComparisonVoid => format!(
                "This contact's security keys have changed: they have a new phone or installed \
                 WhatsApp again.{VOID} Send `verify` and this contact's name or number to the \
                 bridge's bot to compare again."
            ),
            Self::Held { was_verified } => format!(
                "This contact's security keys have changed: they have a new phone or installed \
                 WhatsApp again, or somebody pretends to be them. As you chose, nothing of them is \
                 shown and nothing is sent until you confirm.{} Ask them in another way, then send \
                 `confirm` and this contact's name or number to the bridge's bot; `verify` shows \
                 the new safety number.",
                void(was_verified)
            ),
            Self::Blocked { was_verified } => format!(
                "This contact's security keys have changed, so they are blocked, as you \
                 chose.{} If they have a new phone, send `unblock` and then `confirm` with this \
                 contact's name or number to the bridge's bot.",
                void(was_verified)
            ),
            Self::Waits => "This contact's security keys have changed, so your message waits. \
                Send `confirm` and this contact's name or number to the bridge's bot, then it is \
                sent; if you block the contact or leave, it never is."
                .to_owned(),
        }
    }
}

const VOID: &str = " The safety number that you had compared no longer holds.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_to_do_and_whether_a_comparison_is_void() {
        for (news, needle, is_void) in [
            (IdentityNews::ComparisonVoid, "`verify`", true),
            (IdentityNews::Held { was_verified: false }, "`confirm`", false),
            (IdentityNews::Held { was_verified: true }, "`confirm`", true),
            (IdentityNews::Blocked { was_verified: false }, "`unblock`", false),
            (IdentityNews::Blocked { was_verified: true }, "`unblock`", true),
            (IdentityNews::Waits, "`confirm`", false),
        ] {
            let text = news.text();
            assert!(text.contains(needle) && text.ends_with('.') && !text.contains("  "), "{text}");
            assert_eq!(text.contains("no longer holds"), is_void, "{text}");
        }
    }
}
