//! Notices about what a message holds: what arrives as something else, or not at all.

/// Why such a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A poll was sent as a text, because partners have none.
    PollAsText,
    /// The words with a sound, which the network has no place for.
    CaptionLeftOut,
    /// Another file, or other words with a sound, in the place of one that was sent.
    FileEditNotCarried,
    /// A file that its event does not say the whereabouts of.
    FileWithoutAddress,
    /// What follows was to be seen once.
    ViewOnce,
    /// The contact called, which the bridge does not carry.
    Called { video: bool, missed: bool },
}

impl Content {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PollAsText => "poll-as-text",
            Self::CaptionLeftOut => "caption-left-out",
            Self::FileEditNotCarried => "file-edit-not-carried",
            Self::FileWithoutAddress => "file-without-address",
            Self::ViewOnce => "view-once",
            Self::Called { .. } => "called",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::PollAsText => {
                "WhatsApp's interface has no polls, so yours was sent as a text with numbered \
                 answers. Votes are not counted; the contact can write an answer."
            }
            Self::CaptionLeftOut => {
                "WhatsApp shows no words with a sound, so only the sound was sent. Please write the \
                 words as a message of their own."
            }
            Self::FileEditNotCarried => {
                "A file cannot be exchanged on WhatsApp, so the contact still sees the first one. \
                 Please send the new file as a message of its own."
            }
            Self::FileWithoutAddress => {
                "Your client sent a file without saying where it is, so it was not sent on. Please \
                 send it again."
            }
            Self::ViewOnce => {
                "This contact sent the following to be seen once. It stays here until you delete it."
            }
            Self::Called { missed: false, .. } => {
                "There was a call with this contact on WhatsApp. Calls do not cross this bridge: \
                 please write, or call in another way."
            }
            Self::Called { video: false, .. } => {
                "This contact tried to call you on WhatsApp. Calls do not cross this bridge: please \
                 write, or call in another way."
            }
            Self::Called { .. } => {
                "This contact tried to call you on WhatsApp, with video. Calls do not cross this \
                 bridge: please write, or call in another way."
            }
        }
    }
}
