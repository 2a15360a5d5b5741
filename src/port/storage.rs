//! Everything durable.
//!
//! Reading is a method a question. Writing is a **list of changes committed together**: one
//! database transaction, all or nothing, no network call inside by construction. Whatever must be
//! true before we speak stands in one such list.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use matrix_sdk_crypto::store::DynCryptoStore;
use ruma::{DeviceId, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::{Failure, network::LoginKeys};
use crate::{
    domain::{
        allowance::{Day, DayUsage, UsedToday},
        bridged::{
            Contact, Delivery, Direction, Ghost, Login, LoginState, Message, Portal, Reaction,
            Timestamp,
        },
        choices::Choices,
        consent::{ContactState, Entry},
        erasure::{Erasure, Meeting},
        export::Tally,
        hosting::HostedMedia,
        identity::ContactKeys,
        ids::{GhostKey, Lane, LoginId, PortalKey, RemoteMessageId, RemoteUser, StorageRef},
        item::{Destination, InboxItem, OutboxItem},
        phone::Phone,
        waiting::Waiting,
    },
    signal::{PreKey, RemoteIdentityKey, SessionRecord},
};

/// One write. A list of them is one commit.
#[derive(Debug)]
pub enum Change {
    /// Moves a contact from one state to another, or affirms its state (`from` and `to` the same).
    /// Fails, for another try, if it is in neither any more.
    ContactMoved {
        portal: PortalKey,
        from: ContactState,
        to: ContactState,
        at: Timestamp,
    },
    /// What a person has said of a contact's keys. Fails, for another try, if it is no longer what
    /// `keys` were made from.
    ContactKeysSaved {
        portal: PortalKey,
        keys: ContactKeys,
    },
    LedgerAdded(Entry),
    /// What was held of a contact goes to the portal's lane, where its age gives it its place.
    HeldReleased(PortalKey),
    /// What was held of a contact is deleted.
    HeldDropped(PortalKey),

    ManagementRoomSaved {
        person: OwnedUserId,
        room: OwnedRoomId,
    },

    /// A new login with its keys, in [`LoginState::Enlisting`]; replaces nothing.
    LoginAdded {
        login: Login,
        keys: LoginKeys,
    },
    LoginEnlisted {
        login: LoginId,
        network_id: RemoteUser,
    },
    /// [`LoginState::None`] is the same as [`Change::LoginRemoved`].
    LoginStateSet {
        login: LoginId,
        state: LoginState,
    },
    /// Removes the login, its keys, prekeys, sessions, remote identities, message map, hosted
    /// media and queue rows. Its portals' rooms are forgotten, its files can no longer be fetched
    /// and the cleaner removes them. From then on whatever writes for it fails, so a lane that was
    /// still at work leaves nothing behind.
    LoginRemoved(LoginId),

    /// A person did so much of something on a day. Belongs into the commit of what is counted. What
    /// anybody did before that day is forgotten.
    DayUsageAdded(UsedToday),

    ChoicesSaved {
        login: LoginId,
        choices: Choices,
    },

    /// Makes or renews a ghost; an absent name does not erase a known one.
    GhostSaved(Ghost),
    /// Makes a portal or moves it to another room.
    PortalSaved(Portal),
    /// Affirms that a chat is in a room. Fails, for another try, if it has gone to another one.
    PortalAffirmed {
        portal: PortalKey,
        room: OwnedRoomId,
    },

    /// A number was looked up for this ghost; renews its time if it was before.
    LookupSaved {
        ghost: GhostKey,
        phone: Phone,
        at: Timestamp,
    },
    /// Which numbers were looked up before that time is not known any more.
    LookupsForgotten {
        before: Timestamp,
    },

    /// Fails, for another try, if an id was given out already.
    PreKeysAdded {
        login: LoginId,
        prekeys: Vec<PreKey>,
    },
    PreKeySpent {
        login: LoginId,
        id: u32,
    },
    SessionSaved {
        session: SessionKey,
        record: SessionRecord,
        identity: RemoteIdentityKey,
    },

    /// Adds a message to the map; the same (portal, direction, remote id) again changes nothing.
    MessageAdded(Message),
    /// The homeserver answered with the event id of a message to Matrix, which is thereby sent.
    MessageShown {
        portal: PortalKey,
        remote_id: RemoteMessageId,
        event: OwnedEventId,
    },
    /// The same of an event that stands for a part of a message; others follow.
    PartShown {
        portal: PortalKey,
        remote_id: RemoteMessageId,
        number: u32,
        event: OwnedEventId,
    },
    /// The event of that part was redacted.
    PartRemoved {
        portal: PortalKey,
        remote_id: RemoteMessageId,
        number: u32,
    },
    /// Moves the delivery state of a message to the network forward, never back.
    MessageDelivery {
        portal: PortalKey,
        remote_id: RemoteMessageId,
        delivery: Delivery,
    },

    /// The person read these messages of the contact.
    MessagesRead {
        portal: PortalKey,
        messages: Vec<RemoteMessageId>,
    },

    /// Makes it the one current reaction of its side to its target.
    ReactionSaved(Reaction),
    /// The side has no current reaction to the target any more.
    ReactionRemoved {
        portal: PortalKey,
        direction: Direction,
        target: RemoteMessageId,
    },

    /// A notice that may turn out wrong is on its way; `about` names what it says it of. The same
    /// again changes nothing.
    NoticeAdded {
        portal: PortalKey,
        about: String,
    },
    /// The homeserver answered with the notice's event id.
    NoticeShown {
        portal: PortalKey,
        about: String,
        event: OwnedEventId,
    },
    /// The notice was taken back.
    NoticeRemoved {
        portal: PortalKey,
        about: String,
    },

    /// We asked the network once more to send a message again that did not decrypt.
    RetryAsked {
        portal: PortalKey,
        remote_id: RemoteMessageId,
    },

    /// A file lies in the media store and may be fetched from now on; replaces nothing. Belongs into
    /// the commit of the envelope that names it.
    MediaHosted(HostedMedia),
    /// The file is gone from the media store; an unknown name is fine.
    MediaForgotten(StorageRef),

    InboxDone(InboxId),
    /// Not now: try again at `until`. The lane stays in order: nothing younger overtakes it.
    InboxParked {
        id: InboxId,
        until: Timestamp,
        attempts: u32,
    },
    /// The item belongs to another lane, where its age gives it its place.
    InboxMoved {
        id: InboxId,
        lane: Lane,
    },
    /// The oldest item of the lane is looked at again at once, whatever it was to wait for.
    InboxLaneDue(Lane),
    /// Set aside for the operator, out of the lane's way; the reason holds no plaintext.
    InboxQuarantined {
        id: InboxId,
        reason: String,
    },

    OutboxAdded {
        lane: Lane,
        item: OutboxItem,
    },
    OutboxDone(OutboxId),
    OutboxParked {
        id: OutboxId,
        until: Timestamp,
        attempts: u32,
    },
    OutboxQuarantined {
        id: OutboxId,
        reason: String,
    },

    /// The person wants nothing of them kept; the same wish again changes nothing.
    ErasureAsked {
        person: OwnedUserId,
        at: Timestamp,
    },
    /// Our users have left every room of a person who wants to be erased.
    ErasureLeft {
        person: OwnedUserId,
        at: Timestamp,
    },
    /// Removes everything of a person, the wish included: the login with all that goes with it, the
    /// ledger, the rooms and what is in their lanes, the keys of their devices and rooms, ghosts
    /// that were nobody else's contact. Who has loaded such keys must have let go of them before:
    /// [`RoomCipher::forget`](super::RoomCipher::forget).
    PersonErased(OwnedUserId),

    SettingSaved {
        key: &'static str,
        value: Vec<u8>,
    },
}

/// A row of the inbox; ascending in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxId(pub i64);

/// A row of the outbox; ascending in order of commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxId(pub i64);

/// One Signal session: one device of one remote person, of one login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    pub portal: PortalKey,
    pub device: u16,
}

/// A session as stored: never one without the other.
#[derive(Debug)]
pub struct StoredSession {
    pub record: SessionRecord,
    pub identity: RemoteIdentityKey,
}

/// One event of a message that became several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePart {
    pub number: u32,
    pub event: OwnedEventId,
}

/// A notice that may turn out wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidNotice {
    /// `None` until the homeserver answered.
    pub event: Option<OwnedEventId>,
}

/// Something to take in.
#[derive(Debug)]
pub struct InboxDraft {
    pub lane: Lane,
    pub item: InboxItem,
    pub received_at: Timestamp,
}

/// What intake did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    Stored,
    /// It was taken in before; nothing was written.
    Repeated,
    /// The inbox is full; nothing was written, the other side shall try again later.
    Full,
}

/// What makes a delivery to us the same as an earlier one.
#[derive(Clone, Debug)]
pub enum IntakeKey {
    /// The transaction id of the homeserver.
    Transaction(String),
    /// A message or receipt stanza of a login: unique by kind, sender and id.
    Stanza { login: LoginId, about: String },
}

#[derive(Debug)]
pub struct InboxRow {
    pub id: InboxId,
    pub lane: Lane,
    pub item: InboxItem,
    pub received_at: Timestamp,
    pub attempts: u32,
    /// Not to be tried before this time.
    pub not_before: Timestamp,
}

impl InboxRow {
    /// How long it has waited.
    pub fn waiting(&self) -> Waiting {
        Waiting { since: self.received_at, tries: self.attempts }
    }
}

#[derive(Debug)]
pub struct OutboxRow {
    pub id: OutboxId,
    pub lane: Lane,
    pub item: OutboxItem,
    pub attempts: u32,
    pub not_before: Timestamp,
}

/// The Matrix keys of our users: all of storage that a [`RoomCipher`](super::RoomCipher) needs.
#[async_trait]
pub trait KeyStores: Send + Sync {
    /// The key store of one of our users' devices.
    fn crypto_store(&self, user: &UserId, device: &DeviceId) -> Arc<DynCryptoStore>;

    /// How often so far anybody found that the database cannot be used: the library takes what it could
    /// not look up for something that it cannot decrypt.
    fn outages(&self) -> u64 {
        0
    }

    /// Which of our users track the devices of this user.
    async fn users_tracking(&self, user: &UserId) -> Result<Vec<OwnedUserId>, Failure>;
}

#[async_trait]
pub trait Storage: KeyStores {
    /// All of it or nothing, durable when this returns.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Failure>;

    /// Records the key and the drafts in one commit, unless the key is known.
    async fn take_in(
        &self,
        key: IntakeKey,
        drafts: Vec<InboxDraft>,
        at: Timestamp,
    ) -> Result<Intake, Failure>;

    /// Lanes with rows that are neither done nor quarantined, apart from [`Lane::Keys`].
    async fn inbox_lanes(&self) -> Result<Vec<Lane>, Failure>;
    /// The oldest row of a lane (parked or not) with an id up to `bound`.
    async fn inbox_next(
        &self,
        lane: &Lane,
        bound: Option<InboxId>,
    ) -> Result<Option<InboxRow>, Failure>;
    /// The youngest id there is: what has arrived so far.
    async fn inbox_bound(&self) -> Result<Option<InboxId>, Failure>;

    /// Lanes with unsent rows for a destination.
    async fn outbox_lanes(&self, to: &Destination) -> Result<Vec<Lane>, Failure>;
    async fn outbox_next(
        &self,
        lane: &Lane,
        to: &Destination,
    ) -> Result<Option<OutboxRow>, Failure>;

    /// Everything that a person agreed to, asked and took back, oldest first.
    async fn ledger_of(&self, person: &UserId) -> Result<Vec<Entry>, Failure>;
    /// [`ContactState::Unknown`] if nothing ever happened.
    async fn contact(&self, portal: &PortalKey) -> Result<ContactState, Failure>;
    /// Those of a contact whose keys never changed are the default.
    async fn contact_keys(&self, portal: &PortalKey) -> Result<ContactKeys, Failure>;
    async fn contacts_of(&self, login: &LoginId) -> Result<Vec<Contact>, Failure>;
    /// Requests that were made before a time, the oldest first, at most `limit`.
    async fn requests_before(&self, at: Timestamp, limit: u32) -> Result<Vec<PortalKey>, Failure>;
    /// How many items of a contact are held.
    async fn held(&self, portal: &PortalKey) -> Result<u64, Failure>;
    /// How many events of a chat wait for room keys beside it.
    async fn awaiting_key(&self, portal: &PortalKey) -> Result<u64, Failure>;

    async fn management_room(&self, person: &UserId) -> Result<Option<OwnedRoomId>, Failure>;
    async fn management_person(&self, room: &RoomId) -> Result<Option<OwnedUserId>, Failure>;

    async fn logins(&self) -> Result<Vec<Login>, Failure>;
    async fn login(&self, id: &LoginId) -> Result<Option<Login>, Failure>;
    async fn login_of(&self, person: &UserId) -> Result<Option<Login>, Failure>;
    /// Those of a login that never chose are the default.
    async fn choices(&self, login: &LoginId) -> Result<Choices, Failure>;
    /// What a person did on a day.
    async fn day_usage(&self, person: &UserId, day: Day) -> Result<DayUsage, Failure>;
    async fn login_keys(&self, id: &LoginId) -> Result<Option<LoginKeys>, Failure>;

    async fn ghost(&self, key: &GhostKey) -> Result<Option<Ghost>, Failure>;
    /// The number that a ghost was looked up for lately.
    async fn lookup(&self, ghost: &GhostKey) -> Result<Option<Phone>, Failure>;
    /// How many such numbers are remembered.
    async fn lookups(&self) -> Result<u64, Failure>;
    async fn portal(&self, key: &PortalKey) -> Result<Option<Portal>, Failure>;
    async fn portal_of_room(&self, room: &RoomId) -> Result<Option<Portal>, Failure>;
    async fn portals_of(&self, login: &LoginId) -> Result<Vec<Portal>, Failure>;

    async fn prekey(&self, login: &LoginId, id: u32) -> Result<Option<PreKey>, Failure>;
    /// The highest prekey id ever given out for a login.
    async fn prekey_last_id(&self, login: &LoginId) -> Result<u32, Failure>;
    async fn session(&self, key: &SessionKey) -> Result<Option<StoredSession>, Failure>;

    async fn message_by_remote(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<Message>, Failure>;
    /// Only the message that went this way: the two sides draw their ids apart.
    async fn message_in(
        &self,
        portal: &PortalKey,
        direction: Direction,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<Message>, Failure>;
    /// The events of a message of the contact before the one that stands for it, in their order.
    async fn message_parts(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<Vec<MessagePart>, Failure>;
    /// The message that an event shows, or shows a part of.
    async fn message_by_event(
        &self,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<Message>, Failure>;

    /// Of these messages to the network, the one that came last.
    async fn newest_of(
        &self,
        portal: &PortalKey,
        messages: &[RemoteMessageId],
    ) -> Result<Option<Message>, Failure>;

    /// Messages of the contact up to and with `last` that are shown and not read yet, oldest first.
    async fn unread_up_to(
        &self,
        portal: &PortalKey,
        last: &RemoteMessageId,
        limit: usize,
    ) -> Result<Vec<RemoteMessageId>, Failure>;

    /// The message that is one side's current reaction to a message.
    async fn reaction_on(
        &self,
        portal: &PortalKey,
        direction: Direction,
        target: &RemoteMessageId,
    ) -> Result<Option<RemoteMessageId>, Failure>;
    /// What a message that is a reaction, current or not, is for; `None` for any other message.
    async fn reaction_target(
        &self,
        portal: &PortalKey,
        direction: Direction,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<RemoteMessageId>, Failure>;

    /// A notice about something that was not taken back.
    async fn notice(&self, portal: &PortalKey, about: &str) -> Result<Option<SaidNotice>, Failure>;

    /// How often we asked for a message again.
    async fn retries_asked(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<u32, Failure>;

    /// A file of the media store that may be fetched, or has expired and is not yet removed.
    async fn hosted_media(&self, name: &StorageRef) -> Result<Option<HostedMedia>, Failure>;
    /// Bytes that a login has hosted, for its quota. What has expired counts until it is removed.
    async fn hosted_bytes(&self, login: &LoginId) -> Result<u64, Failure>;
    /// What has expired at `now`, the oldest first, at most `limit`.
    async fn hosted_expired(&self, now: Timestamp, limit: u32)
    -> Result<Vec<HostedMedia>, Failure>;

    /// Everything that a login hosts, expired or not.
    async fn hosted_of(&self, login: &LoginId) -> Result<Vec<HostedMedia>, Failure>;

    /// The newest messages of a login, the newest first, at most `limit`.
    async fn messages_of(&self, login: &LoginId, limit: u32) -> Result<Vec<Message>, Failure>;
    async fn tally(&self, login: &LoginId) -> Result<Tally, Failure>;

    /// Wishes to be erased that were not fulfilled yet, the oldest first.
    async fn erasures(&self) -> Result<Vec<Erasure>, Failure>;
    async fn erasure_of(&self, person: &UserId) -> Result<Option<Erasure>, Failure>;
    /// The rooms in which our users meet a person and nobody else, or ever met them.
    async fn meetings_with(&self, person: &UserId) -> Result<Vec<Meeting>, Failure>;
    /// Ghosts that the person has or had as a contact, and nobody else.
    async fn ghosts_of_nobody_else(&self, person: &UserId) -> Result<Vec<GhostKey>, Failure>;

    async fn setting(&self, key: &'static str) -> Result<Option<Vec<u8>>, Failure>;

    /// Why nothing can be written at the moment, in words for the operator; `None` if all is well.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Closes the database after the last commit.
    async fn close(&self);
}

impl fmt::Debug for dyn Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage(…)")
    }
}
