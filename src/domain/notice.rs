//! Every sentence that a person reads in a portal when something did not go as they expect. Each
//! says what happened and what to do.

mod consent;
mod content;
mod earlier;
mod file;
mod identity;
mod login;
mod opening;
mod refusal;
mod sentence;

pub use self::{
    content::Content,
    earlier::Earlier,
    file::{FileTrouble, size},
    identity::IdentityNews,
    login::LoginNews,
    opening::Opening,
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
    /// The message waits for its room key.
    RoomKeyMissing,
    /// The room key came; the message is on its way.
    RoomKeyCame,
    /// No room key came in time.
    RoomKeyNeverCame,
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
    /// How an invitation ended.
    Opening(Opening),
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
    /// The same, and more became of it.
    Identity(IdentityNews),
    /// A message that was said to have failed arrived.
    ArrivedAfterAll,
    /// A message of the contact that was said to be undecryptable was read.
    ReadableAfterAll,
}

impl Notice {
    /// A short name of the kind, the same for every notice of it: what makes a repetition one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnencryptedRoom => "unencrypted-room",
            Self::UnencryptedMessage => "unencrypted-message",
            Self::NotYours => "not-yours",
            Self::RoomKeyMissing => "room-key-missing",
            Self::RoomKeyCame => "room-key-came",
            Self::RoomKeyNeverCame => "room-key-never-came",
            Self::EventUndecryptable => "event-undecryptable",
            Self::TooLong { .. } => "too-long",
            Self::EventKindNotCarried { .. } => "event-kind-not-carried",
            Self::Earlier(earlier) => earlier.name(),
            Self::Content(content) => content.name(),
            Self::Opening(opening) => opening.name(),
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
            Self::Identity(news) => news.name(),
            Self::ArrivedAfterAll => "arrived-after-all",
            Self::ReadableAfterAll => "readable-after-all",
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::UnencryptedRoom => sentence::UNENCRYPTED_ROOM.to_owned(),
            Self::UnencryptedMessage => sentence::UNENCRYPTED_MESSAGE.to_owned(),
            Self::NotYours => sentence::NOT_YOURS.to_owned(),
            Self::RoomKeyMissing => sentence::ROOM_KEY_MISSING.to_owned(),
            Self::RoomKeyCame => sentence::ROOM_KEY_CAME.to_owned(),
            Self::RoomKeyNeverCame => sentence::ROOM_KEY_NEVER_CAME.to_owned(),
            Self::EventUndecryptable => sentence::EVENT_UNDECRYPTABLE.to_owned(),
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
            Self::Opening(opening) => opening.text(),
            Self::File { way, trouble } => trouble.text(*way),
            Self::ContactWithoutKeys => sentence::CONTACT_WITHOUT_KEYS.to_owned(),
            Self::ContactKeysInvalid => sentence::CONTACT_KEYS_INVALID.to_owned(),
            Self::RefusedByNetwork { reason } => {
                format!("WhatsApp did not take that message: {reason}. It was not delivered.")
            }
            Self::WithoutConsent(state) => consent::text(*state).to_owned(),
            Self::AsksAgain => consent::ASKS_AGAIN.to_owned(),
            Self::BridgeFailed => sentence::BRIDGE_FAILED.to_owned(),
            Self::NotLoggedIn => sentence::NOT_LOGGED_IN.to_owned(),
            Self::Lapsed => sentence::LAPSED.to_owned(),
            Self::NotAllowed(refusal) => {
                format!("That message was not sent. {}", refusal.text())
            }
            Self::TooFast { limit } => format!(
                "You have sent {limit} messages within a minute, which is as many as this bridge \
                 allows you. What you send now waits and goes out by itself as soon as it may; \
                 there is nothing to do."
            ),
            Self::MessageUndecryptable => sentence::MESSAGE_UNDECRYPTABLE.to_owned(),
            Self::MessageKindNotShown { kind } => format!(
                "This contact sent something that this bridge cannot show yet ({kind}). It can be \
                 seen in the contact's WhatsApp only."
            ),
            Self::IdentityChanged => sentence::IDENTITY_CHANGED.to_owned(),
            Self::Identity(news) => news.text(),
            Self::ArrivedAfterAll => sentence::ARRIVED_AFTER_ALL.to_owned(),
            Self::ReadableAfterAll => sentence::READABLE_AFTER_ALL.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{room_id, server_name, user_id};

    use super::*;

    #[test]
    fn a_notice_is_one_clean_paragraph() {
        let notices = [
            Notice::UnencryptedRoom,
            Notice::RoomKeyMissing,
            Notice::RoomKeyCame,
            Notice::RoomKeyNeverCame,
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
            Notice::Opening(Opening::NotAlone),
            Notice::Opening(Opening::NoLogin { bot: user_id!("@bot:b.c").to_owned() }),
            Notice::Opening(Opening::Blocked { bot: user_id!("@bot:b.c").to_owned() }),
            Notice::Opening(Opening::NoConnection),
            Notice::Opening(Opening::NotOnNetwork),
            Notice::Opening(Opening::NotOptedIn),
            Notice::Opening(Opening::Elsewhere { room: room_id!("!r:b.c").to_owned() }),
            Notice::Opening(Opening::Adopted { server: server_name!("b.c").to_owned() }),
        ];
        for text in notices.map(|notice| notice.text()) {
            assert!(text.ends_with('.') && !text.contains("  ") && !text.contains('\n'), "{text}");
        }
    }
}
