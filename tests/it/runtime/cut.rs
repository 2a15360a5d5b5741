//! The real storage, cut off at one write: from there on nothing of it ever answers, as after the death of the
//! process.

use std::{
    future::pending,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use causeway::{
    domain::{
        allowance::{Day, DayUsage},
        bridged::{Contact, Direction, Ghost, Login, Message, Portal, Timestamp},
        choices::Choices,
        consent::{ContactState, Entry},
        erasure::{Erasure, Meeting},
        export::Tally,
        hosting::HostedMedia,
        identity::ContactKeys,
        ids::{GhostKey, Lane, LoginId, PortalKey, RemoteMessageId, StorageRef},
        item::Destination,
        phone::Phone,
    },
    port::{
        Failure, KeyStores, Storage,
        network::LoginKeys,
        storage::{
            Change, InboxDraft, InboxId, InboxRow, Intake, IntakeKey, MessagePart, OutboxRow,
            SaidNotice, SessionKey, StoredSession,
        },
    },
    signal::PreKey,
    storage::SqlStorage,
};
use matrix_sdk_crypto::store::DynCryptoStore;
use ruma::{DeviceId, EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::surroundings::Gate;

/// Where the storage is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Never,
    /// The write with this number does not happen.
    Before(u64),
    /// The write with this number happens, and nobody hears of it.
    After(u64),
}

/// Tells a story again and again, cut at each of its writes in turn, until it ends before the cut. `told`
/// says whether the process died; `writes` are the bounds between which such a story ends.
pub(super) async fn at_every_write<Told: Future<Output = bool>>(
    cut: fn(u64) -> Cut,
    writes: Range<u64>,
    told: impl Fn(Cut) -> Told,
) {
    let mut number = 1;
    while told(cut(number)).await {
        number += 1;
        assert!(number < writes.end, "the story writes without end");
    }
    assert!(number > writes.start, "only {number} cuts were tried");
}

pub(super) struct CutStorage {
    inner: SqlStorage,
    cut: Cut,
    writes: AtomicU64,
    pub(super) dead: AtomicBool,
    /// Holds whoever has read a login and not acted on it yet.
    pub(super) read_login: Gate,
    /// Quarantined rows and why, as the operator's log has them.
    pub(super) set_aside: Arc<std::sync::Mutex<Vec<String>>>,
}

impl CutStorage {
    pub(super) fn new(
        inner: SqlStorage,
        cut: Cut,
        set_aside: Arc<std::sync::Mutex<Vec<String>>>,
    ) -> Self {
        Self {
            inner,
            cut,
            writes: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            read_login: Gate::default(),
            set_aside,
        }
    }

    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// The storage itself, which no cut ends.
    pub(super) fn rows(&self) -> SqlStorage {
        self.inner.clone()
    }

    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        pending::<()>().await;
    }

    async fn write<T>(&self, writing: impl Future<Output = T> + Send) -> T {
        self.alive().await;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.cut == Cut::Before(number) {
            self.die().await;
        }
        let written = writing.await;
        if self.cut == Cut::After(number) {
            self.die().await;
        }
        written
    }
}

#[async_trait]
impl KeyStores for CutStorage {
    fn crypto_store(&self, user: &UserId, device: &DeviceId) -> Arc<DynCryptoStore> {
        self.inner.crypto_store(user, device)
    }

    async fn users_tracking(&self, user: &UserId) -> Result<Vec<OwnedUserId>, Failure> {
        self.inner.users_tracking(user).await
    }
}

/// Every question goes to the real storage for as long as the process lives.
macro_rules! storage {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Storage for CutStorage {
            async fn commit(&self, changes: Vec<Change>) -> Result<(), Failure> {
                let reasons: Vec<String> = changes
                    .iter()
                    .filter_map(|change| match change {
                        Change::InboxQuarantined { reason, .. }
                        | Change::OutboxQuarantined { reason, .. } => Some(reason.clone()),
                        _ => None,
                    })
                    .collect();
                let written = self.write(self.inner.commit(changes)).await;
                if written.is_ok() {
                    self.set_aside.lock().unwrap().extend(reasons);
                }
                written
            }

            async fn take_in(
                &self,
                key: IntakeKey,
                drafts: Vec<InboxDraft>,
                at: Timestamp,
            ) -> Result<Intake, Failure> {
                self.write(self.inner.take_in(key, drafts, at)).await
            }

            async fn close(&self) {
                self.inner.close().await;
            }

            async fn login(&self, id: &LoginId) -> Result<Option<Login>, Failure> {
                self.alive().await;
                let login = self.inner.login(id).await;
                self.read_login.pass().await;
                login
            }

            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, Failure> {
                self.alive().await;
                self.inner.$name($($arg),*).await
            })+
        }
    };
}

storage! {
    fn inbox_lanes() -> Vec<Lane>;
    fn inbox_next(lane: &Lane, bound: Option<InboxId>) -> Option<InboxRow>;
    fn inbox_bound() -> Option<InboxId>;
    fn outbox_lanes(to: &Destination) -> Vec<Lane>;
    fn outbox_next(lane: &Lane, to: &Destination) -> Option<OutboxRow>;
    fn ledger_of(person: &UserId) -> Vec<Entry>;
    fn contact(portal: &PortalKey) -> ContactState;
    fn contact_keys(portal: &PortalKey) -> ContactKeys;
    fn contacts_of(login: &LoginId) -> Vec<Contact>;
    fn requests_before(at: Timestamp, limit: u32) -> Vec<PortalKey>;
    fn held(portal: &PortalKey) -> u64;
    fn awaiting_key(portal: &PortalKey) -> u64;
    fn management_room(person: &UserId) -> Option<OwnedRoomId>;
    fn management_person(room: &RoomId) -> Option<OwnedUserId>;
    fn logins() -> Vec<Login>;
    fn login_of(person: &UserId) -> Option<Login>;
    fn choices(login: &LoginId) -> Choices;
    fn day_usage(person: &UserId, day: Day) -> DayUsage;
    fn login_keys(id: &LoginId) -> Option<LoginKeys>;
    fn ghost(key: &GhostKey) -> Option<Ghost>;
    fn lookup(ghost: &GhostKey) -> Option<Phone>;
    fn lookups() -> u64;
    fn portal(key: &PortalKey) -> Option<Portal>;
    fn portal_of_room(room: &RoomId) -> Option<Portal>;
    fn portals_of(login: &LoginId) -> Vec<Portal>;
    fn prekey(login: &LoginId, id: u32) -> Option<PreKey>;
    fn prekey_last_id(login: &LoginId) -> u32;
    fn session(key: &SessionKey) -> Option<StoredSession>;
    fn message_by_remote(portal: &PortalKey, remote_id: &RemoteMessageId) -> Option<Message>;
    fn message_in(portal: &PortalKey, direction: Direction, remote_id: &RemoteMessageId) -> Option<Message>;
    fn message_parts(portal: &PortalKey, remote_id: &RemoteMessageId) -> Vec<MessagePart>;
    fn message_by_event(room: &RoomId, event: &EventId) -> Option<Message>;
    fn reaction_on(portal: &PortalKey, direction: Direction, target: &RemoteMessageId) -> Option<RemoteMessageId>;
    fn reaction_target(portal: &PortalKey, direction: Direction, remote_id: &RemoteMessageId) -> Option<RemoteMessageId>;
    fn newest_of(portal: &PortalKey, messages: &[RemoteMessageId]) -> Option<Message>;
    fn unread_up_to(portal: &PortalKey, last: &RemoteMessageId, limit: usize) -> Vec<RemoteMessageId>;
    fn notice(portal: &PortalKey, about: &str) -> Option<SaidNotice>;
    fn retries_asked(portal: &PortalKey, remote_id: &RemoteMessageId) -> u32;
    fn hosted_media(name: &StorageRef) -> Option<HostedMedia>;
    fn hosted_bytes(login: &LoginId) -> u64;
    fn hosted_expired(now: Timestamp, limit: u32) -> Vec<HostedMedia>;
    fn hosted_of(login: &LoginId) -> Vec<HostedMedia>;
    fn messages_of(login: &LoginId, limit: u32) -> Vec<Message>;
    fn tally(login: &LoginId) -> Tally;
    fn erasures() -> Vec<Erasure>;
    fn erasure_of(person: &UserId) -> Option<Erasure>;
    fn meetings_with(person: &UserId) -> Vec<Meeting>;
    fn ghosts_of_nobody_else(person: &UserId) -> Vec<GhostKey>;
    fn setting(key: &'static str) -> Option<Vec<u8>>;
}
