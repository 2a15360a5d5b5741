//! What a ghost says when it is invited: why the room is not the chat, or what the chat is.

use ruma::{OwnedRoomId, OwnedServerName, OwnedUserId};

use crate::domain::boundary;

/// How an invitation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Others than the two are in the room.
    NotAlone,
    /// The person who invites has no login.
    NoLogin {
        bot: OwnedUserId,
    },
    /// The login is not connected.
    NoConnection,
    NotOnNetwork,
    NotOptedIn,
    /// The person blocked the contact.
    Blocked {
        bot: OwnedUserId,
    },
    /// The person started chats with `limit` new contacts today.
    UsedUp {
        limit: u64,
        wait: String,
    },
    /// The chat has a room already.
    Elsewhere {
        room: OwnedRoomId,
    },
    /// The room is the chat's now; it says what its topic would.
    Adopted {
        server: OwnedServerName,
    },
}

impl Opening {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NotAlone => "not-alone",
            Self::NoLogin { .. } => "no-login",
            Self::NoConnection => "no-connection",
            Self::NotOnNetwork => "not-on-network",
            Self::NotOptedIn => "not-opted-in",
            Self::Blocked { .. } => "blocked",
            Self::UsedUp { .. } => "used-up",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Adopted { .. } => "adopted",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::NotAlone => "A chat with a WhatsApp contact is between two, and others are in \
                this room, so I leave it. Please invite me into an encrypted room with nobody else."
                .to_owned(),
            Self::NoLogin { bot } => format!(
                "You are not connected to WhatsApp, so I leave this room. Send `login` to {bot} \
                 first, then invite me again."
            ),
            Self::NoConnection => "The connection to WhatsApp does not stand at the moment, so I \
                leave this room. Please invite me again in a minute."
                .to_owned(),
            Self::NotOnNetwork => "This number is not on WhatsApp, so I leave this room. Please \
                check the country code and the digits."
                .to_owned(),
            Self::NotOptedIn => "This number is on WhatsApp, but its owner has not switched on \
                third-party chats, so I leave this room. Ask them to: WhatsApp → Settings → \
                Account → Third-party chats."
                .to_owned(),
            Self::Blocked { bot } => format!(
                "You have blocked this contact, so I leave this room. Send `unblock` and the \
                 number to {bot} first, then invite me again."
            ),
            Self::UsedUp { limit, wait } => format!(
                "You have started chats with {limit} new contacts today, which is as many as this \
                 bridge allows you a day, so I leave this room. Please invite me again in {wait}."
            ),
            Self::Elsewhere { room } => format!(
                "You have a chat with this contact already, so I leave this room. Please write \
                 there: https://matrix.to/#/{room} – or leave that room first, to move the chat \
                 to another."
            ),
            Self::Adopted { server } => format!(
                "The chat is ready: write here. What you should know of it: {}",
                boundary::topic(server)
            ),
        }
    }
}
