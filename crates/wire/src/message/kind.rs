//! What each field of a `Message` is to us, by the numbers of the public schema.

use waproto::tags::message as tags;

/// What the set field makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text and nothing else.
    Conversation,
    /// A text with a preview, a quotation or colors.
    ExtendedText,
    /// An emoji for an earlier message.
    Reaction,
    /// A copy of what another device of the same person sent.
    DeviceSent,
    /// A message in a wrapper; whether the wrapper asks us to forget it.
    Wrapper { ephemeral: bool },
    /// A step of the protocol; some concern an earlier message.
    Protocol,
    /// Nothing to show.
    Silent(&'static str),
    /// Something to show that we cannot read.
    Unsupported(&'static str),
}

impl Kind {
    pub(super) fn of(field: u32) -> Self {
        match field {
            tags::CONVERSATION => Self::Conversation,
            tags::EXTENDED_TEXT_MESSAGE => Self::ExtendedText,
            tags::REACTION_MESSAGE => Self::Reaction,
            tags::DEVICE_SENT_MESSAGE => Self::DeviceSent,
            tags::PROTOCOL_MESSAGE => Self::Protocol,
            tags::EPHEMERAL_MESSAGE
            | tags::VIEW_ONCE_MESSAGE
            | tags::VIEW_ONCE_MESSAGE_V2
            | tags::VIEW_ONCE_MESSAGE_V2_EXTENSION => Self::Wrapper { ephemeral: true },
            tags::DOCUMENT_WITH_CAPTION_MESSAGE
            | tags::EDITED_MESSAGE
            | tags::ASSOCIATED_CHILD_MESSAGE => Self::Wrapper { ephemeral: false },
            tags::SENDER_KEY_DISTRIBUTION_MESSAGE
            | tags::FAST_RATCHET_KEY_SENDER_KEY_DISTRIBUTION_MESSAGE => Self::Silent("sender key"),
            tags::MESSAGE_CONTEXT_INFO => Self::Silent("context"),
            tags::MESSAGE_HISTORY_BUNDLE | tags::MESSAGE_HISTORY_NOTICE => Self::Silent("history"),
            tags::KEEP_IN_CHAT_MESSAGE => Self::Silent("keep in chat"),
            tags::STICKER_SYNC_RMR_MESSAGE => Self::Silent("sticker synchronization"),
            tags::GROUP_ROOT_KEY_SHARE | tags::ROOT_SECRET_DISTRIBUTE_MESSAGE => {
                Self::Silent("root key")
            }
            other => Self::Unsupported(unsupported(other)),
        }
    }
}

/// What a person would call it.
fn unsupported(field: u32) -> &'static str {
    match field {
        tags::IMAGE_MESSAGE => "image",
        tags::VIDEO_MESSAGE => "video",
        tags::PTV_MESSAGE => "video note",
        tags::AUDIO_MESSAGE => "audio",
        tags::DOCUMENT_MESSAGE => "document",
        tags::STICKER_MESSAGE | tags::LOTTIE_STICKER_MESSAGE => "sticker",
        tags::STICKER_PACK_MESSAGE => "sticker pack",
        tags::ALBUM_MESSAGE => "album",
        tags::ENC_REACTION_MESSAGE => "reaction",
        tags::CONTACT_MESSAGE | tags::CONTACTS_ARRAY_MESSAGE => "contact",
        tags::LOCATION_MESSAGE => "location",
        tags::LIVE_LOCATION_MESSAGE => "live location",
        tags::POLL_CREATION_MESSAGE
        | tags::POLL_CREATION_MESSAGE_V2
        | tags::POLL_CREATION_MESSAGE_V3
        | tags::POLL_CREATION_MESSAGE_V4
        | tags::POLL_CREATION_MESSAGE_V5
        | tags::POLL_CREATION_MESSAGE_V6 => "poll",
        tags::POLL_UPDATE_MESSAGE => "poll vote",
        tags::PIN_IN_CHAT_MESSAGE => "pinned message",
        tags::GROUP_INVITE_MESSAGE => "group invite",
        tags::EVENT_MESSAGE | tags::EVENT_INVITE_MESSAGE => "event",
        tags::ENC_EVENT_RESPONSE_MESSAGE => "event response",
        tags::COMMENT_MESSAGE | tags::ENC_COMMENT_MESSAGE => "comment",
        tags::CALL
        | tags::BCALL_MESSAGE
        | tags::CALL_LOG_MESSSAGE
        | tags::SCHEDULED_CALL_CREATION_MESSAGE
        | tags::SCHEDULED_CALL_EDIT_MESSAGE => "call",
        tags::SEND_PAYMENT_MESSAGE
        | tags::REQUEST_PAYMENT_MESSAGE
        | tags::DECLINE_PAYMENT_REQUEST_MESSAGE
        | tags::CANCEL_PAYMENT_REQUEST_MESSAGE
        | tags::PAYMENT_INVITE_MESSAGE
        | tags::PAYMENT_REMINDER_MESSAGE
        | tags::SPLIT_PAYMENT_MESSAGE
        | tags::INVOICE_MESSAGE => "payment",
        tags::PRODUCT_MESSAGE | tags::ORDER_MESSAGE => "product",
        tags::TEMPLATE_MESSAGE
        | tags::HIGHLY_STRUCTURED_MESSAGE
        | tags::BUTTONS_MESSAGE
        | tags::LIST_MESSAGE
        | tags::INTERACTIVE_MESSAGE => "interactive message",
        tags::TEMPLATE_BUTTON_REPLY_MESSAGE
        | tags::BUTTONS_RESPONSE_MESSAGE
        | tags::LIST_RESPONSE_MESSAGE
        | tags::INTERACTIVE_RESPONSE_MESSAGE => "reply to an interactive message",
        _ => "unknown",
    }
}
