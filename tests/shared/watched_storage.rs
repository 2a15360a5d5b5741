//! The real storage behind somebody who watches it: every call passes them, and they decide what becomes of it.

use std::{ops::Deref, sync::Arc};

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

/// Who watches a storage.
pub(crate) trait Watch: Send + Sync + 'static {
    /// A question, by the name of its method.
    fn read<T: Send>(
        &self,
        what: &'static str,
        reading: impl Future<Output = Result<T, Failure>> + Send,
    ) -> impl Future<Output = Result<T, Failure>> + Send;

    fn commit(
        &self,
        inner: &SqlStorage,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    fn take_in(
        &self,
        inner: &SqlStorage,
        key: IntakeKey,
        drafts: Vec<InboxDraft>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Intake, Failure>> + Send;
}

pub(crate) struct WatchedStorage<W> {
    inner: SqlStorage,
    watch: W,
}

impl<W> WatchedStorage<W> {
    pub(crate) fn new(inner: SqlStorage, watch: W) -> Self {
        Self { inner, watch }
    }

    /// The storage itself, which nobody watches.
    pub(crate) fn rows(&self) -> SqlStorage {
        self.inner.clone()
    }
}

impl<W> Deref for WatchedStorage<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.watch
    }
}

#[async_trait]
impl<W: Watch> KeyStores for WatchedStorage<W> {
    fn crypto_store(&self, user: &UserId, device: &DeviceId) -> Arc<DynCryptoStore> {
        self.inner.crypto_store(user, device)
    }

    async fn users_tracking(&self, user: &UserId) -> Result<Vec<OwnedUserId>, Failure> {
        self.watch.read("users_tracking", self.inner.users_tracking(user)).await
    }

    fn outages(&self) -> u64 {
        self.inner.outages()
    }
}

macro_rules! storage {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl<W: Watch> Storage for WatchedStorage<W> {
            async fn commit(&self, changes: Vec<Change>) -> Result<(), Failure> {
                self.watch.commit(&self.inner, changes).await
            }

            async fn take_in(
                &self,
                key: IntakeKey,
                drafts: Vec<InboxDraft>,
                at: Timestamp,
            ) -> Result<Intake, Failure> {
                self.watch.take_in(&self.inner, key, drafts, at).await
            }

            fn trouble(&self) -> Option<String> {
                self.inner.trouble()
            }

            async fn close(&self) {
                let closing = async {
                    self.inner.close().await;
                    Ok(())
                };
                self.watch.read("close", closing).await.ok();
            }

            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, Failure> {
                self.watch.read(stringify!($name), self.inner.$name($($arg),*)).await
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
    fn login(id: &LoginId) -> Option<Login>;
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
