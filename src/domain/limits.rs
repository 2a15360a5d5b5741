//! Every limit of the bridge, in one place. Overload answers "later", it never drops.

use std::time::Duration;

use super::{bridged::Timestamp, rate::Rate, typing::Pace, waiting::Deadline};

/// How long a starting bridge waits for the one before it to let go of the database. After a crash nobody
/// waits: what guards the database dies with the process.
pub const LEASE_WAIT: Duration = Duration::from_secs(5);
/// Between two tries of it.
pub const LEASE_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks of a running bridge whether the database is still its own.
pub const LEASE_LOOK: Duration = Duration::from_secs(2);
/// The one case in which a dead bridge keeps the database: its whole machine went away, and PostgreSQL,
/// on another one, asks it in vain for so long.
pub const LEASE_OUTLIVES: Duration = Duration::from_secs(20);
/// How long is waited for a connection to PostgreSQL before the database counts as away.
pub const DATABASE_WAIT: Duration = Duration::from_secs(10);
/// A database that failed counts as usable again when nothing has failed for so long.
pub const DATABASE_CALM: Duration = Duration::from_secs(5);
/// What a database must be able to take before it counts as usable again: several events.
pub const BALLAST_BYTES: usize = 256 * 1024;
/// Between two looks whether a database that was away is back.
pub const OUTAGE_LOOK: Duration = Duration::from_secs(1);
/// The longest time for which anything is parked at once. What is due later than that was parked by a
/// clock that has been put back since, and is due now.
pub const PARKED_MAX: Duration = Duration::from_hours(1);
/// Events, to-device messages and ephemeral events of one transaction, together.
pub const TRANSACTION_ITEMS_MAX: usize = 1_000;
/// Bytes of a request body on the homeserver's listener (a transaction holds 100 events of 64 KiB).
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a request body on the public listener.
pub const PUBLIC_BODY_BYTES_MAX: usize = 64 * 1024;
/// Inbox rows that may wait; above it intake answers "later".
pub const INBOX_ROWS_MAX: u64 = 100_000;
/// Messages of one contact that are held until the person approves or resumes. Of a stranger no more
/// are kept; of a paused contact the next one waits in its lane.
pub const HELD_MESSAGES_MAX: u64 = 100;
/// Requests of new contacts that may wait for one person; more are not let in.
pub const REQUESTS_OPEN_MAX: usize = 100;
/// How long somebody's coming or going waits for the room that it is about to be written down.
pub const PORTAL_WAIT: Deadline = Deadline { after: Duration::from_secs(3), tries_min: 3 };
/// How long a request waits for its answer.
pub const REQUEST_KEPT: Duration = Duration::from_hours(30 * 24);
/// Before a message of a paused contact that is one too many is looked at again.
pub const HELD_WAIT: Duration = Duration::from_mins(1);
/// How long what is in hand may take when the process is asked to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);
/// Lanes that are worked on at the same time.
pub const LANES_AT_ONCE_MAX: usize = 32;
/// The network forgets who makes no connection for so long (network facts 1.5).
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(30 * 24);
/// How long a new key is published before it signs identity tokens: longer than the network may keep a
/// set of keys that it fetched, which is not public.
pub const TOKEN_KEY_AHEAD: Duration = Duration::from_hours(2 * 24);
/// How long a key that has stopped signing stays published. Tokens are made for one enlistment or one
/// login and shown at once; this is for a network that looks at one again later.
pub const TOKEN_KEY_BEHIND: Duration = Duration::from_hours(2 * 24);
/// How often is looked whether a key is to be replaced.
pub const TOKEN_KEY_LOOK: Duration = Duration::from_hours(1);
/// The longest pause between attempts to connect that an operator may set: a fraction of
/// [`FORGOTTEN_AFTER`], so that no login is forgotten because of it.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_hours(24);
/// Before a message whose login has lapsed is looked at again: only the person can change that, and it
/// may take them days.
pub const LAPSED_WAIT: Duration = Duration::from_secs(10);
/// Before a message whose login is not connected is looked at again.
pub const LINK_WAIT: Duration = Duration::from_secs(1);
/// How long after it was sent the network's apps take a change of a text. They drop a later one.
pub const EDIT_WINDOW: Duration = Duration::from_mins(15);
/// How long after it was sent the network's apps take a deletion: two days and a half.
pub const DELETION_WINDOW: Duration = Duration::from_hours(60);
/// How often a message of a person is tried before they are told that it waits: a few seconds.
pub const PENDING_AFTER_TRIES: u32 = 3;
/// How long an invited ghost waits for the connection over which a number is looked up.
pub const LOOKUP_LINK_WAIT: Deadline = Deadline { after: CONNECT_WAIT, tries_min: 8 };
/// How long the bot waits for a connection before it answers that it takes longer.
pub const CONNECT_WAIT: Duration = Duration::from_secs(20);
/// Pause before a full inbox is asked again to take a stanza; the connection waits meanwhile.
pub const INBOX_FULL_PAUSE: Duration = Duration::from_secs(1);
/// How long an event whose room key is missing holds its chat before the person is told.
pub const ROOM_KEY_WAIT: Duration = Duration::from_secs(30);
/// How long a command whose room key is missing is waited for.
pub const COMMAND_KEY_WAIT: Deadline = Deadline { after: ROOM_KEY_WAIT, tries_min: 8 };
/// Between two attempts to decrypt an event whose room key is missing, while it holds its chat.
pub const ROOM_KEY_RETRY: Duration = Duration::from_secs(2);
/// How long an event waits for its room key beside its chat: a homeserver that is away for days may
/// still bring it.
pub const ROOM_KEY_DEADLINE: Duration = Duration::from_hours(7 * 24);
/// Between two looks for such a key, when nothing says that one came.
pub const ROOM_KEY_BACKOFF: Backoff =
    Backoff { min: Duration::from_secs(2), max: Duration::from_mins(10) };
/// Events of one chat that wait for room keys beside it; the next one waits in the chat.
pub const AWAITING_KEY_MAX: u64 = 1_000;
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
/// Bytes of a picture that is held in memory, to be looked at or converted. Larger ones are passed on
/// as they are.
pub const PICTURE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Pixels of a picture that is unfolded: a photograph of a telephone.
pub const PICTURE_PIXELS_MAX: u64 = 16_000_000;
/// Pixels of a picture's longer side.
pub const PICTURE_SIDE_MAX: u32 = 16_384;
/// Bytes that a picture may unfold to while it is read.
pub const PICTURE_UNFOLDED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Pixels of the longer side of the small picture inside a message.
pub const THUMBNAIL_PIXELS_MAX: u32 = 100;
/// Bytes of the small picture inside a message.
pub const THUMBNAIL_BYTES_MAX: usize = 16 * 1024;
/// Pixels of the longer side of a small picture that came inside a message.
pub const RECEIVED_THUMBNAIL_PIXELS_MAX: u32 = 1_024;
/// Bytes of a client's own thumbnail that is fetched to be made smaller.
pub const THUMBNAIL_SOURCE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Answers of a poll that are shown.
pub const POLL_OPTIONS_MAX: usize = 50;
/// Contact cards of one message that are shown.
pub const CONTACT_CARDS_MAX: usize = 50;
/// Lines of one contact card that are shown.
pub const CONTACT_LINES_MAX: usize = 20;
/// Characters of a name, an address or a line that stands for something else.
pub const LINE_CHARS_MAX: usize = 1_000;
/// Digits of a phone number with its country code (ITU-T E.164).
pub const PHONE_DIGITS_MAX: usize = 15;
/// Characters of what is looked at as a phone number, with whatever groups its digits.
pub const PHONE_TYPED_CHARS_MAX: usize = 60;
/// How long it is remembered which number a ghost was looked up for.
pub const LOOKUP_KEPT: Duration = Duration::from_hours(24);
/// Looked up numbers that are remembered; above it a lookup is answered "later".
pub const LOOKUPS_MAX: u64 = 10_000;
/// Characters of a command line in a management room.
pub const COMMAND_CHARS_MAX: usize = 500;

/// People who may be logged in at the same time, unless the operator says otherwise.
pub const LOGINS_MAX: u64 = 10_000;
/// Chats with new contacts that a person may start in a day, unless the operator says otherwise.
pub const CONTACTS_A_DAY_MAX: u64 = 100;
/// Messages of a person to the network in a minute, unless the operator says otherwise.
pub const MESSAGES_A_MINUTE_MAX: u64 = 120;
/// Bytes of files that a person may send in a day, unless the operator says otherwise.
pub const MEDIA_BYTES_A_DAY_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// How often a person is told, at most, that their messages wait because they are too many.
pub const PACE_TOLD_EVERY: Duration = Duration::from_hours(1);
/// People without permission who are told so, each once, between two starts of the process.
pub const REFUSED_PEOPLE_MAX: usize = 10_000;
/// Rules of all policy rooms together that are followed.
pub const POLICY_RULES_MAX: usize = 100_000;
/// Characters of the entity that a policy names: more than any Matrix id has.
pub const POLICY_ENTITY_CHARS_MAX: usize = 300;
/// Characters of a policy's reason that its subject is shown.
pub const POLICY_REASON_CHARS_MAX: usize = 200;
/// Requests of one person to the provisioning API.
pub const PROVISIONING_PERSON_RATE: Rate = Rate { burst: 30, pause: Duration::from_secs(1) };
/// Requests to the provisioning API from one address that does not have the shared secret.
pub const PROVISIONING_ADDRESS_RATE: Rate = Rate { burst: 60, pause: Duration::from_millis(500) };
/// Copies of everything that is kept, which one person may take over the provisioning API.
pub const PROVISIONING_EXPORT_RATE: Rate = Rate { burst: 3, pause: Duration::from_mins(1) };
/// Persons, and addresses, whose requests to the provisioning API are counted.
pub const PROVISIONING_KEYS_MAX: usize = 10_000;
/// Bytes of a request body to the provisioning API.
pub const PROVISIONING_BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a login that was begun over the provisioning API waits for its next step.
pub const LOGIN_PROCESS_LASTS: Duration = Duration::from_mins(10);
/// Logins that may be under way over the provisioning API; above it the oldest is forgotten.
pub const LOGIN_PROCESSES_MAX: usize = 1_000;
/// How long a homeserver's word for an OpenID token is believed. Short, so that a token that has run
/// out is noticed.
pub const OPENID_TOKEN_KEPT: Duration = Duration::from_mins(1);
/// OpenID tokens that are believed without asking again.
pub const OPENID_TOKENS_MAX: usize = 1_000;
/// Requests for which a homeserver is asked about an OpenID token at the same time: so many for people
/// of our own, and so many for all others.
pub const OPENID_ASKED_AT_ONCE_MAX: usize = 16;
/// Bytes of an OpenID token.
pub const OPENID_TOKEN_BYTES_MAX: usize = 1_024;
/// Bytes of a homeserver's answer about an OpenID token, or about where it is.
pub const OPENID_ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long finding a homeserver and asking it may take, together.
pub const OPENID_WAIT: Duration = Duration::from_secs(10);

/// Downloads of hosted files at the same time; each holds a few pieces in memory.
pub const DOWNLOADS_AT_ONCE_MAX: usize = 32;
/// When to come again for a file while that many are under way.
pub const DOWNLOAD_RETRY_AFTER: Duration = Duration::from_secs(10);
/// How long a reader of a hosted file may take nothing before its place goes to somebody else.
pub const DOWNLOAD_STANDSTILL_MAX: Duration = Duration::from_mins(1);
/// Between two rounds of the cleaner.
pub const CLEAN_EVERY: Duration = Duration::from_mins(10);
/// Between two looks at a person who is being erased, while something is waited for.
pub const ERASURE_LOOK: Duration = Duration::from_secs(1);
/// How long what the homeserver still had for us may come after our users have left a person's rooms,
/// before everything of the person is deleted.
pub const ERASURE_SETTLES: Duration = Duration::from_secs(10);
/// Messages of an exported message map: the newest. They are whole in memory, some 300 bytes each.
pub const EXPORT_MESSAGES_MAX: u32 = 20_000;
/// Between two looks for stored files that nobody knows.
pub const ORPHANS_EVERY: Duration = Duration::from_hours(6);
/// The age at which a stored file that nobody knows is removed: longer than any upload lasts, since a
/// store may count from its beginning.
pub const ORPHAN_GRACE: Duration = Duration::from_hours(72);
/// Expired files that are looked up at once.
pub const EXPIRED_AT_ONCE_MAX: u32 = 100;
/// Files that are moved at the same time; the lanes of others wait.
pub const MEDIA_AT_ONCE_MAX: usize = 8;
/// Before a message whose file had no turn is looked at again.
pub const MEDIA_TURN_WAIT: Duration = Duration::from_secs(1);
/// Bytes of a file that are worked on in one go, between two chances for other tasks.
pub const MEDIA_PIECE_BYTES: usize = 64 * 1024;
/// How long a source may send nothing of a file.
pub const MEDIA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// From then on a source must keep to `MEDIA_RATE_MIN`.
pub const MEDIA_RATE_GRACE: Duration = Duration::from_mins(1);
/// The least average rate of a source, in bytes a second, of the time that it was waited for.
pub const MEDIA_RATE_MIN: u64 = 16 * 1024;
/// How long a destination may take nothing of a file, or not say that it has the whole.
pub const MEDIA_STALL_MAX: Duration = Duration::from_mins(2);
/// How often a file may be cut off in the middle, one time after the other, before it is taken for
/// damaged.
pub const MEDIA_CUTS_MAX: u32 = 3;
/// How long a file whose source is away is tried for, before the person is told.
pub const MEDIA_SOURCE_WAIT: Deadline = Deadline { after: Duration::from_mins(30), tries_min: 8 };
/// How long a file in the store counts against its login's quota while its row is to come. Longer
/// than a message takes to be encrypted and committed.
pub const HOSTED_ROW_WAIT: Duration = Duration::from_mins(10);
/// Files that are whole in memory at the same time, because somebody must look at them.
pub const WHOLE_FILES_AT_ONCE_MAX: usize = 2;

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

    /// At the least rate of a source.
    #[test]
    fn a_file_that_is_on_its_way_is_never_old_enough_for_the_cleaner() {
        use crate::domain::moving::{MAX_MEDIA_BYTES, encrypted_len};
        let slowest = Duration::from_secs(encrypted_len(MAX_MEDIA_BYTES) / MEDIA_RATE_MIN);
        assert!(ORPHAN_GRACE > slowest + HOSTED_ROW_WAIT, "{slowest:?}");
    }
}
