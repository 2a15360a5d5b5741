//! Every sentence that a person reads in a portal when something did not go as they expect. Each
//! says what happened and what to do.

mod consent;
mod content;
mod earlier;
mod file;
mod login;
mod refusal;

pub use self::{
    content::Content,
    earlier::Earlier,
    file::{FileTrouble, size},
    login::LoginNews,
    refusal::Refusal,
};
use super::{bridged::Direction, consent::ContactState};

/// Why a notice is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The room is not encrypted.
    UnencryptedRoom,
    /// The room is encrypted, this message was not.
    UnencryptedMessage,
    /// Somebody else than the portal's person wrote.
    NotYours,
    /// No room key came in time.
    RoomKeyMissing,
    /// The event can never be decrypted.
    EventUndecryptable,
    /// Longer than the network takes.
    TooLong { chars: usize, max: usize },
    /// A kind of event that the bridge does not carry (yet).
    EventKindNotCarried { kind: String },
    /// Something about an earlier message.
    Earlier(Earlier),
    /// Something about what a message holds.
    Content(Content),
    /// A file that was not carried.
    File { way: Direction, trouble: FileTrouble },
    /// The contact has no keys to encrypt for.
    ContactWithoutKeys,
    /// The contact's keys did not verify.
    ContactKeysInvalid,
    /// The network refused the message for good.
    RefusedByNetwork { reason: String },
    /// The person has not approved the contact, or has paused or blocked it.
    WithoutConsent(ContactState),
    /// A contact whom the person had left or blocked writes again.
    AsksAgain,
    /// The bridge itself failed over the message.
    BridgeFailed,
    /// The person's login is gone.
    NotLoggedIn,
    /// The network has forgotten the person; what is written waits.
    Lapsed,
    /// The person may no longer use the bridge.
    NotAllowed(Refusal),
    /// The message waits, because the person sent so many within a minute.
    TooFast { limit: u64 },
    /// A message of the contact could not be decrypted, even after asking again.
    MessageUndecryptable,
    /// A kind of message that the bridge does not show (yet).
    MessageKindNotShown { kind: String },
    /// The contact's identity key is another one.
    IdentityChanged,
    /// A message that was said to have failed arrived.
    ArrivedAfterAll,
    /// A message of the contact that was said to be undecryptable was read.
    ReadableAfterAll,
}

const BRIDGE_FAILED: &str = "This bridge failed over that message, so it was not sent. Please send it \
    again, and tell whoever runs the bridge if it fails once more.";

impl Notice {
    /// A short name of the kind, the same for every notice of it: what makes a repetition one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnencryptedRoom => "unencrypted-room",
            Self::UnencryptedMessage => "unencrypted-message",
            Self::NotYours => "not-yours",
            Self::RoomKeyMissing => "room-key-missing",
            Self::EventUndecryptable => "event-undecryptable",
            Self::TooLong { .. } => "too-long",
            Self::EventKindNotCarried { .. } => "event-kind-not-carried",
            Self::Earlier(earlier) => earlier.name(),
            Self::Content(content) => content.name(),
            Self::File { trouble, way: _ } => trouble.name(),
            Self::ContactWithoutKeys => "contact-without-keys",
            Self::ContactKeysInvalid => "contact-keys-invalid",
            Self::RefusedByNetwork { .. } => "refused-by-network",
            Self::WithoutConsent(_) => "without-consent",
            Self::AsksAgain => "asks-again",
            Self::BridgeFailed => "bridge-failed",
            Self::NotLoggedIn => "not-logged-in",
            Self::Lapsed => "lapsed",
            Self::NotAllowed(_) => "not-allowed",
            Self::TooFast { .. } => "too-fast",
            Self::MessageUndecryptable => "message-undecryptable",
            Self::MessageKindNotShown { .. } => "message-kind-not-shown",
            Self::IdentityChanged => "identity-changed",
            Self::ArrivedAfterAll => "arrived-after-all",
            Self::ReadableAfterAll => "readable-after-all",
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::UnencryptedRoom => {
                "This room is not encrypted, so nothing was sent: this bridge \
                carries only encrypted rooms. Switch on encryption in the room's settings, or use \
                the room that the bridge made for this contact."
                    .to_owned()
            }
            Self::UnencryptedMessage => "That message was not encrypted, so it was not sent. Send \
                it again from a client that supports encryption."
                .to_owned(),
            Self::NotYours => "Only the person whom this chat belongs to can write to this \
                contact. Your message was not sent."
                .to_owned(),
            Self::RoomKeyMissing => "A message of yours could not be read, because your client \
                did not share its key. It was not sent; please write it again."
                .to_owned(),
            Self::EventUndecryptable => "A message of yours could not be decrypted, so it was not \
                sent. Please write it again."
                .to_owned(),
            Self::TooLong { chars, max } => format!(
                "That message has {chars} characters; WhatsApp takes at most {max}. It was \
                 not sent: please split it."
            ),
            Self::EventKindNotCarried { kind } => {
                format!(
                    "This bridge does not carry {kind}, so it was not sent. Please write it as text."
                )
            }
            Self::Earlier(earlier) => earlier.text().to_owned(),
            Self::Content(content) => content.text().to_owned(),
            Self::File { way, trouble } => trouble.text(*way),
            Self::ContactWithoutKeys => {
                "This contact has no encryption keys at the moment, so the \
                message was not sent. Please try again later."
                    .to_owned()
            }
            Self::ContactKeysInvalid => "This contact's encryption keys did not verify, so the \
                message was not sent. Please try again later, and ask the contact in another way \
                if it goes on."
                .to_owned(),
            Self::RefusedByNetwork { reason } => {
                format!("WhatsApp did not take that message: {reason}. It was not delivered.")
            }
            Self::WithoutConsent(state) => consent::text(*state).to_owned(),
            Self::AsksAgain => consent::ASKS_AGAIN.to_owned(),
            Self::BridgeFailed => BRIDGE_FAILED.to_owned(),
            Self::NotLoggedIn => "You are not connected to WhatsApp, so the message was not sent. \
                Send `login` to the bridge's bot first."
                .to_owned(),
            Self::Lapsed => {
                "WhatsApp no longer knows you, so what you write here waits. Send `login` \
                to the bridge's bot to be known again; then it is sent."
                    .to_owned()
            }
            Self::NotAllowed(refusal) => {
                format!("That message was not sent. {}", refusal.text())
            }
            Self::TooFast { limit } => format!(
                "You have sent {limit} messages within a minute, which is as many as this bridge \
                 allows you. What you send now waits and goes out by itself as soon as it may; \
                 there is nothing to do."
            ),
            Self::MessageUndecryptable => {
                "A message from this contact could not be decrypted, and \
                asking for it again did not help. Please ask the contact to send it again."
                    .to_owned()
            }
            Self::MessageKindNotShown { kind } => format!(
                "This contact sent something that this bridge cannot show yet ({kind}). It can be \
                 seen in the contact's WhatsApp only."
            ),
            Self::IdentityChanged => "This contact's security keys have changed: they have a new \
                phone or installed WhatsApp again. If that surprises you, ask them in another way."
                .to_owned(),
            Self::ArrivedAfterAll => "It took longer, but this message has arrived. There is \
                nothing to do."
                .to_owned(),
            Self::ReadableAfterAll => "A message of this contact could not be decrypted at first. \
                It has come again and can be read now; there is nothing to do."
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_clean_paragraph() {
        let notices = [
            Notice::UnencryptedRoom,
            Notice::RoomKeyMissing,
            Notice::Lapsed,
            Notice::TooLong { chars: 70_000, max: 65_536 },
            Notice::EventKindNotCarried { kind: "stickers".to_owned() },
            Notice::IdentityChanged,
            Notice::AsksAgain,
            Notice::WithoutConsent(ContactState::Paused),
            Notice::WithoutConsent(ContactState::Blocked),
            Notice::WithoutConsent(ContactState::Revoked),
            Notice::BridgeFailed,
            Notice::ArrivedAfterAll,
            Notice::ReadableAfterAll,
            Notice::NotAllowed(Refusal::ByOperator),
            Notice::NotAllowed(Refusal::ByDenyList { reason: Some("spam".to_owned()) }),
            Notice::TooFast { limit: 120 },
            Notice::Earlier(Earlier::EditSentAnew),
            Notice::Earlier(Earlier::CopyStays),
            Notice::Earlier(Earlier::DeletedUnknown),
            Notice::Earlier(Earlier::AnsweredUnknown),
            Notice::Earlier(Earlier::ReactedToUnknown),
            Notice::Earlier(Earlier::ReactionIsNoEmoji),
            Notice::MessageKindNotShown { kind: "poll vote".to_owned() },
            Notice::Content(Content::PollAsText),
            Notice::Content(Content::CaptionLeftOut),
            Notice::Content(Content::FileEditNotCarried),
            Notice::Content(Content::FileWithoutAddress),
            Notice::Content(Content::ViewOnce),
            Notice::Content(Content::Called { video: true, missed: false }),
            Notice::Content(Content::Called { video: true, missed: true }),
            Notice::Content(Content::Called { video: false, missed: true }),
        ];
        for text in notices.map(|notice| notice.text()) {
            assert!(text.ends_with('.') && !text.contains("  ") && !text.contains('\n'), "{text}");
        }
    }
}
