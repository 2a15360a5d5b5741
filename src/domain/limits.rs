//! Every limit of the bridge, in one place. Overload answers "later", it never drops.

use std::time::Duration;

use super::{bridged::Timestamp, typing::Pace};

/// Events, to-device messages and ephemeral events of one transaction, together.
pub const TRANSACTION_ITEMS_MAX: usize = 1_000;
/// Bytes of a request body on the homeserver's listener (a transaction holds 100 events of 64 KiB).
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a request body on the public listener.
pub const PUBLIC_BODY_BYTES_MAX: usize = 64 * 1024;
/// Inbox rows that may wait; above it intake answers "later".
pub const INBOX_ROWS_MAX: u64 = 100_000;
/// Lanes that are worked on at the same time.
pub const LANES_AT_ONCE_MAX: usize = 32;
/// Before a message whose login is not connected is looked at again.
pub const LINK_WAIT: Duration = Duration::from_secs(1);
/// How long the bot waits for a connection before it answers that it takes longer.
pub const CONNECT_WAIT: Duration = Duration::from_secs(20);
/// Pause before a full inbox is asked again to take a stanza; the connection waits meanwhile.
pub const INBOX_FULL_PAUSE: Duration = Duration::from_secs(1);
/// How long an event waits for its room key before the person is told.
pub const ROOM_KEY_WAIT: Duration = Duration::from_secs(30);
/// Between two attempts to decrypt an event whose room key is missing.
pub const ROOM_KEY_RETRY: Duration = Duration::from_secs(2);
/// How often the network is asked to send an undecryptable message again (network facts 3.7).
pub const MESSAGE_RETRIES_MAX: u32 = 5;
/// Between two attempts at an item whose other side was away. There is no last attempt.
pub const ITEM_BACKOFF: Backoff =
    Backoff { min: Duration::from_millis(500), max: Duration::from_secs(30) };
/// Between two soundings of the homeserver (`runtime::sounding`).
pub const SOUNDING_BACKOFF: Backoff =
    Backoff { min: Duration::from_secs(2), max: Duration::from_secs(30) };
/// One-time prekeys are refilled to `PREKEYS_FULL` when fewer than `PREKEYS_LOW` are left.
pub const PREKEYS_FULL: u32 = 100;
pub const PREKEYS_LOW: u32 = 20;
/// Messages that one read receipt to the network names; more are told in further ones.
pub const READ_RECEIPT_MESSAGES_MAX: usize = 100;
/// Messages that one receipt of the network may name.
pub const RECEIPT_MESSAGES_MAX: usize = 1_000;
/// Events before a read one that are looked through for a message of the contact.
pub const READ_LOOK_BACK: u32 = 20;
/// How the network is told that a person types. Its apps let it run out after some 25 seconds, and
/// the homeserver says when it ends; the bound is for when that word was lost.
pub const TYPING_TO_NETWORK: Pace = Pace {
    pause: Duration::from_secs(3),
    renewal: Duration::from_secs(10),
    lasts: Duration::from_mins(5),
};
/// How a room is told that the contact types. The network need not say when it ends: its apps
/// repeat it for as long as it lasts.
pub const TYPING_TO_MATRIX: Pace = Pace {
    pause: Duration::from_secs(3),
    renewal: Duration::from_secs(10),
    lasts: Duration::from_secs(25),
};
/// After which the homeserver ends a ghost's typing if it hears no more of it.
pub const TYPING_TIMEOUT: Duration = Duration::from_secs(25);
/// Chats in which somebody may type at the same time, each way; more go untold.
pub const TYPING_CHATS_MAX: usize = 1_000;
/// The shortest time between two changes of a ghost's name.
pub const RENAMING_PAUSE: Duration = Duration::from_mins(1);
/// Characters of a display name that are taken over from the network.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Before something about a message whose event is still on its way is looked at again.
pub const EVENT_WAIT: Duration = Duration::from_millis(500);
/// Characters of a message that an answer to it repeats.
pub const QUOTE_CHARS_MAX: usize = 1_000;
/// Characters of a command line in a management room.
pub const COMMAND_CHARS_MAX: usize = 500;

/// Pauses between attempts: doubling, bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub min: Duration,
    pub max: Duration,
}

impl Backoff {
    /// The pause before attempt `attempt`; 1 is the first repetition.
    pub fn pause(self, attempt: u32) -> Duration {
        self.min.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(self.max)
    }
}

/// A pause in the unit of timestamps.
pub fn millis(pause: Duration) -> Timestamp {
    Timestamp::try_from(pause.as_millis()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        let Backoff { min, max } = ITEM_BACKOFF;
        assert_eq!(ITEM_BACKOFF.pause(1), min);
        assert_eq!(ITEM_BACKOFF.pause(2), min * 2);
        assert_eq!(ITEM_BACKOFF.pause(6), Duration::from_secs(16));
        assert_eq!(ITEM_BACKOFF.pause(7), max);
        assert_eq!(ITEM_BACKOFF.pause(u32::MAX), max);
    }
}
