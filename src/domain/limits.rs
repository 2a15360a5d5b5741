//! Every limit of the bridge, in one place. Overload answers "later", it never drops.

use std::time::Duration;

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
/// How often an item is tried before it is set aside.
pub const ITEM_ATTEMPTS_MAX: u32 = 8;
/// How long an event waits for its room key before the person is told.
pub const ROOM_KEY_WAIT: Duration = Duration::from_secs(30);
/// Between two attempts to decrypt an event whose room key is missing.
pub const ROOM_KEY_RETRY: Duration = Duration::from_secs(2);
/// How often the network is asked to send an undecryptable message again (network facts 3.7).
pub const MESSAGE_RETRIES_MAX: u32 = 5;
/// First and longest pause of every back-off.
pub const BACKOFF_MIN: Duration = Duration::from_millis(500);
pub const BACKOFF_MAX: Duration = Duration::from_mins(5);
/// One-time prekeys are refilled to `PREKEYS_FULL` when fewer than `PREKEYS_LOW` are left.
pub const PREKEYS_FULL: u32 = 100;
pub const PREKEYS_LOW: u32 = 20;
/// Characters of a display name that are taken over from the network.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Characters of a command line in a management room.
pub const COMMAND_CHARS_MAX: usize = 500;

/// The pause before attempt `attempt` (1 is the first repetition): doubling, bounded.
pub fn backoff(attempt: u32) -> Duration {
    let doubled = BACKOFF_MIN.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        assert_eq!(backoff(1), BACKOFF_MIN);
        assert_eq!(backoff(2), BACKOFF_MIN * 2);
        assert_eq!(backoff(10), Duration::from_secs(256));
        assert_eq!(backoff(11), BACKOFF_MAX);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
