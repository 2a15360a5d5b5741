//! Every limit of the emulator, by name; those of frames and nodes are `causeway_wire`'s. A limit that is reached is an error for whoever reached it, never a silent loss.

use std::time::Duration;

use causeway_wire::media::{MAX_MEDIA_BYTES, encrypted_len};

/// Chat connections that may be open at once.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Stanzas that wait for one device: messages, receipts and notifications together.
pub const MAILBOX_MAX: usize = 10_000;
/// People and partner accounts, each.
pub const ACCOUNTS_MAX: usize = 10_000;
/// One-time prekeys kept for one device.
pub const PREKEYS_MAX: usize = 2_000;
/// One-time prekeys left at which a device is asked for more.
pub const PREKEYS_LOW: usize = 10;
/// Users in one key, lookup or resolve request (network facts 2.3).
pub const USERS_PER_REQUEST_MAX: usize = 256;
/// Message ids remembered per pair of devices for de-duplication.
pub const DEDUPLICATION_MAX: usize = 50_000;
/// Bytes of an enlistment request; the token alone may have 4,096 (network facts 1.4).
pub const ENLISTMENT_BYTES_MAX: usize = 16_384;
/// Bytes of an identity token (network facts 1.4).
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Bytes of a partner's key set.
pub const KEY_SET_BYTES_MAX: usize = 65_536;
/// Characters of a user-visible identifier (network facts 2.3).
pub const USER_VISIBLE_ID_CHARS_MAX: usize = 100;
/// Texts kept for `received` of one person.
pub const RECEIVED_MAX: usize = 100_000;
/// Signs of typing kept of one person.
pub const TYPING_MAX: usize = 1_000;
/// Signs of typing that may wait for one connection; more are lost.
pub const SIGNS_MAX: usize = 16;
/// Sent texts that a simulated person keeps for retries.
pub const SENT_MAX: usize = 10_000;
/// Times a simulated person asks for, or answers, one retry (network facts 3.7).
pub const RETRIES_MAX: u32 = 5;
/// Faults waiting to happen.
pub const FAULTS_MAX: usize = 256;
/// Bytes of one uploaded file: the ciphertext of the longest that the network's own apps take.
pub const MEDIA_FILE_BYTES_MAX: u64 = encrypted_len(MAX_MEDIA_BYTES);
/// Bytes of all uploaded files together.
pub const MEDIA_TOTAL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Uploaded files.
pub const MEDIA_FILES_MAX: usize = 10_000;
/// Characters of a partner's storage reference; what the real network takes is not public.
pub const STORAGE_REFERENCE_CHARS_MAX: usize = 256;
/// Bytes of a request to the control face; longer files are named by path.
pub const CONTROL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Stanzas the pump may have ready for one socket before it waits.
pub const OUTGOING_QUEUE_MAX: usize = 64;

/// From accept to a finished login.
pub const LOGIN_TIME_MAX: Duration = Duration::from_secs(20);
/// Silence after which a logged-in client is disconnected; clients ping every 20 to 30 s (network facts 3.5).
pub const IDLE_TIME_MAX: Duration = Duration::from_mins(3);
/// Time for a partner's server to answer a key-set fetch or a push.
pub const PARTNER_HTTP_TIME_MAX: Duration = Duration::from_secs(5);
/// Time for a partner's server to send the next piece of a file.
pub const PARTNER_MEDIA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// Shortest time between two pushes for one account.
pub const PUSH_INTERVAL_MIN: Duration = Duration::from_millis(500);
/// Longest wait of a long poll of the control face.
pub const LONG_POLL_TIME_MAX: Duration = Duration::from_mins(1);
