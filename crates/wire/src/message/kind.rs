//! What each field of a `Message` is to us, by the numbers of the public schema.

use waproto::tags::message as tags;

use super::described::{Words, words};

/// What the set field makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text and nothing else.
    Conversation,
    /// A text with a preview, a quotation or colors.
    ExtendedText,
    /// An emoji for an earlier message.
    Reaction,
    /// A file.
    Media,
    /// A place.
    Location,
    /// A place that moves on.
    LiveLocation,
    /// A contact card.
    Contact,
    /// Several contact cards.
    Contacts,
    /// A question with answers.
    Poll,
    /// A call that begins.
    Call,
    /// A call that is over.
    CallLog,
    /// Something else that has words in it, and where they are.
    Described(&'static str, Words),
    /// A copy of what another device of the same person sent.
    DeviceSent,
    /// A message in a wrapper.
    Wrapper(Wrapper),
    /// A step of the protocol; some concern an earlier message.
    Protocol,
    /// Nothing to show.
    Silent(&'static str),
    /// Something to show that we cannot read.
    Unsupported(&'static str),
}

/// What a wrapper asks of whoever opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// Nothing.
    Plain,
    /// To be forgotten after a time.
    Disappearing,
    /// To be shown once.
    ViewOnce,
}

impl Kind {
    pub(super) fn of(field: u32) -> Self {
        match field {
            tags::CONVERSATION => Self::Conversation,
            tags::EXTENDED_TEXT_MESSAGE => Self::ExtendedText,
            tags::REACTION_MESSAGE => Self::Reaction,
            tags::DEVICE_SENT_MESSAGE => Self::DeviceSent,
            tags::PROTOCOL_MESSAGE => Self::Protocol,
            tags::IMAGE_MESSAGE
            | tags::VIDEO_MESSAGE
            | tags::PTV_MESSAGE
            | tags::AUDIO_MESSAGE
            | tags::DOCUMENT_MESSAGE
            | tags::STICKER_MESSAGE => Self::Media,
            tags::LOCATION_MESSAGE => Self::Location,
            tags::LIVE_LOCATION_MESSAGE => Self::LiveLocation,
            tags::CONTACT_MESSAGE => Self::Contact,
            tags::CONTACTS_ARRAY_MESSAGE => Self::Contacts,
            tags::POLL_CREATION_MESSAGE
            | tags::POLL_CREATION_MESSAGE_V2
            | tags::POLL_CREATION_MESSAGE_V3
            | tags::POLL_CREATION_MESSAGE_V5
            | tags::POLL_CREATION_MESSAGE_V6 => Self::Poll,
            tags::CALL | tags::BCALL_MESSAGE => Self::Call,
            tags::CALL_LOG_MESSSAGE => Self::CallLog,
            other => Self::wrapper(other)
                .or_else(|| Self::silent(other))
                .or_else(|| words(other).map(|(kind, words)| Self::Described(kind, words)))
                .unwrap_or_else(|| Self::Unsupported(unsupported(other))),
        }
    }

    fn wrapper(field: u32) -> Option<Self> {
        Some(Self::Wrapper(match field {
            tags::EPHEMERAL_MESSAGE => Wrapper::Disappearing,
            tags::VIEW_ONCE_MESSAGE
            | tags::VIEW_ONCE_MESSAGE_V2
            | tags::VIEW_ONCE_MESSAGE_V2_EXTENSION => Wrapper::ViewOnce,
            tags::DOCUMENT_WITH_CAPTION_MESSAGE
            | tags::EDITED_MESSAGE
            | tags::ASSOCIATED_CHILD_MESSAGE
            | tags::LOTTIE_STICKER_MESSAGE
            | tags::GROUP_MENTIONED_MESSAGE
            | tags::BOT_INVOKE_MESSAGE
            | tags::POLL_CREATION_MESSAGE_V4
            | tags::QUESTION_MESSAGE
            | tags::BOT_FORWARDED_MESSAGE
            | tags::LIMIT_SHARING_MESSAGE
            | tags::SPOILER_MESSAGE => Wrapper::Plain,
            _ => return None,
        }))
    }

    fn silent(field: u32) -> Option<Self> {
        Some(Self::Silent(match field {
            tags::SENDER_KEY_DISTRIBUTION_MESSAGE
            | tags::FAST_RATCHET_KEY_SENDER_KEY_DISTRIBUTION_MESSAGE => "sender key",
            tags::MESSAGE_CONTEXT_INFO => "context",
            tags::MESSAGE_HISTORY_BUNDLE | tags::MESSAGE_HISTORY_NOTICE => "history",
            tags::KEEP_IN_CHAT_MESSAGE => "keep in chat",
            tags::STICKER_SYNC_RMR_MESSAGE => "sticker synchronization",
            tags::GROUP_ROOT_KEY_SHARE | tags::ROOT_SECRET_DISTRIBUTE_MESSAGE => "root key",
            // Says how many pictures follow; they are messages of their own.
            tags::ALBUM_MESSAGE => "album",
            _ => return None,
        }))
    }
}

/// What a person would call it.
fn unsupported(field: u32) -> &'static str {
    match field {
        tags::ENC_REACTION_MESSAGE => "reaction",
        tags::POLL_UPDATE_MESSAGE => "poll vote",
        tags::POLL_ADD_OPTION_MESSAGE => "poll option",
        tags::PIN_IN_CHAT_MESSAGE => "pinned message",
        tags::ENC_EVENT_RESPONSE_MESSAGE => "event response",
        tags::COMMENT_MESSAGE | tags::ENC_COMMENT_MESSAGE => "comment",
        tags::SCHEDULED_CALL_EDIT_MESSAGE => "call",
        tags::REQUEST_PHONE_NUMBER_MESSAGE => "request for a phone number",
        tags::SEND_PAYMENT_MESSAGE
        | tags::REQUEST_PAYMENT_MESSAGE
        | tags::DECLINE_PAYMENT_REQUEST_MESSAGE
        | tags::CANCEL_PAYMENT_REQUEST_MESSAGE
        | tags::PAYMENT_INVITE_MESSAGE
        | tags::PAYMENT_REMINDER_MESSAGE
        | tags::SPLIT_PAYMENT_MESSAGE => "payment",
        tags::NEWSLETTER_ADMIN_INVITE_MESSAGE | tags::NEWSLETTER_FOLLOWER_INVITE_MESSAGE_V2 => {
            "channel invite"
        }
        _ => "unknown",
    }
}
