//! What a person reads about answers, reactions, edits and deletions: everything that refers to an
//! earlier message.

/// Why a notice about an earlier message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// An edit was sent as a new message, because the network has none.
    EditSentAnew,
    /// What was deleted here stays with the contact.
    CopyStays,
    /// The contact deleted a message that is none here.
    DeletedUnknown,
    /// The message that was answered is none that the network knows.
    AnsweredUnknown,
    /// The message that was reacted to is none that the network knows.
    ReactedToUnknown,
    /// A reaction that is no emoji.
    ReactionIsNoEmoji,
}

impl Earlier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EditSentAnew => "edit-sent-anew",
            Self::CopyStays => "copy-stays",
            Self::DeletedUnknown => "deleted-unknown",
            Self::AnsweredUnknown => "answered-unknown",
            Self::ReactedToUnknown => "reacted-to-unknown",
            Self::ReactionIsNoEmoji => "reaction-is-no-emoji",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::EditSentAnew => {
                "WhatsApp's interface knows no edits, so your correction was sent as a new message \
                 that quotes the old one."
            }
            Self::CopyStays => {
                "WhatsApp's interface knows no deletion: your message is gone from here, but the \
                 contact keeps a copy."
            }
            Self::DeletedUnknown => {
                "This contact deleted a message that this bridge does not know any more. If you \
                 still see it, please treat it as deleted."
            }
            Self::AnsweredUnknown => {
                "The message that you answered is not on WhatsApp, so your answer was sent without \
                 a quotation."
            }
            Self::ReactedToUnknown => {
                "The message that you reacted to is not on WhatsApp, so the contact does not see \
                 your reaction."
            }
            Self::ReactionIsNoEmoji => {
                "WhatsApp takes only emoji as reactions, so the contact does not see that one. \
                 Please choose another."
            }
        }
    }
}
