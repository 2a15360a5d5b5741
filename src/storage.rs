//! Everything durable, in SQLite or PostgreSQL: the only place with SQL.
//!
//! One file a table, one SQL text for both databases, over `sqlx::Any`. What must not be read without the
//! master key is sealed before it becomes a row (`seal`); a row never leaves this module. Nothing here decides
//! anything: it must not know of Matrix or of the network more than the ids that name rows.

mod change;
mod choices;
mod contact;
mod contact_keys;
mod counter;
mod crypto_store;
mod database;
mod day_usage;
mod erasure;
mod error;
mod ghost;
mod hosted_media;
mod inbox;
mod lease;
mod ledger;
mod login;
mod lookup;
mod management_room;
mod message;
mod notice;
mod outage;
mod outbox;
mod part;
mod portal;
mod prekey;
mod reaction;
mod reading;
mod room;
mod seal;
mod session;
mod setting;
mod tally;

use std::sync::Arc;

use async_trait::async_trait;
use matrix_sdk_crypto::store::{DynCryptoStore, IntoCryptoStore as _};
use ruma::{DeviceId, EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

pub use self::{crypto_store::SqlCryptoStore, lease::Holder};
use self::{
    database::{Database, Opening},
    error::Error,
};
use crate::{
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
        limits::INBOX_ROWS_MAX,
        phone::Phone,
    },
    port::{
        Clock, Entropy, Failure, Storage,
        network::LoginKeys,
        storage::{
            Change, InboxDraft, InboxId, InboxRow, Intake, IntakeKey, KeyStores, MessagePart,
            OutboxRow, SaidNotice, SessionKey, StoredSession,
        },
    },
    signal::PreKey,
};

/// The [`Storage`] port over SQL.
#[derive(Clone, Debug)]
pub struct SqlStorage {
    database: Arc<Database>,
    inbox_rows_max: u64,
}

impl SqlStorage {
    /// Opens `sqlite:<file>` or `postgres://…`, brings it to this version and checks that
    /// `master_key` is the key that sealed it. A missing SQLite file is made, for its owner alone.
    /// Whoever else has it open goes on: a bridge that runs takes [`SqlStorage::open_alone`].
    pub async fn open(
        url: &str,
        master_key: [u8; 32],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Failure> {
        Self::opened(url, master_key, entropy, Opening::Shared).await
    }

    /// The same as the only one, which fails while another instance has it. The lease is held until
    /// [`Storage::close`] or the end of the process, and begins before the schema is looked at.
    pub async fn open_alone(
        url: &str,
        master_key: [u8; 32],
        entropy: Arc<dyn Entropy>,
        holder: Holder,
        clock: &dyn Clock,
    ) -> Result<Self, Failure> {
        Self::opened(url, master_key, entropy, Opening::Alone { holder, clock }).await
    }

    async fn opened(
        url: &str,
        master_key: [u8; 32],
        entropy: Arc<dyn Entropy>,
        opening: Opening<'_>,
    ) -> Result<Self, Failure> {
        let database = Arc::new(Database::open(url, master_key, entropy, opening).await?);
        Ok(Self { database, inbox_rows_max: INBOX_ROWS_MAX })
    }

    /// Whoever reads finds out as well that the database is away.
    fn asked<T>(&self, outcome: Result<T, Error>) -> Result<T, Failure> {
        if let Err(error) = &outcome {
            self.database.meet(error);
        }
        Ok(outcome?)
    }

    /// Resolves with the reason when another instance has taken the database over. By then nothing
    /// more can be written here, and the process must end.
    pub async fn lease_lost(&self, clock: &dyn Clock) -> Failure {
        self.database.lease_lost(clock).await
    }

    /// Another bound than [`INBOX_ROWS_MAX`].
    #[must_use]
    pub fn with_inbox_rows_max(mut self, inbox_rows_max: u64) -> Self {
        self.inbox_rows_max = inbox_rows_max;
        self
    }

    /// The key store of one of our users' devices, as its own type.
    pub fn sql_crypto_store(&self, user: &UserId, device: &DeviceId) -> SqlCryptoStore {
        SqlCryptoStore::new(Arc::clone(&self.database), user, device)
    }
}

#[async_trait]
impl KeyStores for SqlStorage {
    fn crypto_store(&self, user: &UserId, device: &DeviceId) -> Arc<DynCryptoStore> {
        self.sql_crypto_store(user, device).into_crypto_store()
    }

    fn outages(&self) -> u64 {
        self.database.outages()
    }

    async fn users_tracking(&self, user: &UserId) -> Result<Vec<OwnedUserId>, Failure> {
        self.asked(crypto_store::users_tracking(&self.database, user).await)
    }
}

#[async_trait]
impl Storage for SqlStorage {
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Failure> {
        self.database.perform(&change::Commit(&changes)).await?;
        if changes.iter().any(|change| matches!(change, Change::PersonErased(_))) {
            self.database.scrub().await;
        }
        Ok(())
    }

    async fn take_in(
        &self,
        key: IntakeKey,
        drafts: Vec<InboxDraft>,
        at: Timestamp,
    ) -> Result<Intake, Failure> {
        let rows_max = self.inbox_rows_max;
        let work = inbox::TakeIn { key: &key, drafts: &drafts, at, rows_max };
        Ok(self.database.perform(&work).await?)
    }

    async fn inbox_lanes(&self) -> Result<Vec<Lane>, Failure> {
        self.asked(inbox::lanes(&self.database).await)
    }

    async fn inbox_next(
        &self,
        lane: &Lane,
        bound: Option<InboxId>,
    ) -> Result<Option<InboxRow>, Failure> {
        self.asked(inbox::next(&self.database, lane, bound).await)
    }

    async fn inbox_bound(&self) -> Result<Option<InboxId>, Failure> {
        self.asked(inbox::bound(&self.database).await)
    }

    async fn outbox_lanes(&self, to: &Destination) -> Result<Vec<Lane>, Failure> {
        self.asked(outbox::lanes(&self.database, to).await)
    }

    async fn outbox_next(
        &self,
        lane: &Lane,
        to: &Destination,
    ) -> Result<Option<OutboxRow>, Failure> {
        self.asked(outbox::next(&self.database, lane, to).await)
    }

    async fn ledger_of(&self, person: &UserId) -> Result<Vec<Entry>, Failure> {
        self.asked(ledger::of(&self.database, person).await)
    }

    async fn contact(&self, portal: &PortalKey) -> Result<ContactState, Failure> {
        self.asked(contact::state(&self.database, portal).await)
    }

    async fn contact_keys(&self, portal: &PortalKey) -> Result<ContactKeys, Failure> {
        self.asked(contact_keys::of(&self.database, portal).await)
    }

    async fn contacts_of(&self, login: &LoginId) -> Result<Vec<Contact>, Failure> {
        self.asked(contact::of_login(&self.database, login).await)
    }

    async fn requests_before(&self, at: Timestamp, limit: u32) -> Result<Vec<PortalKey>, Failure> {
        self.asked(contact::requests_before(&self.database, at, limit).await)
    }

    async fn held(&self, portal: &PortalKey) -> Result<u64, Failure> {
        self.asked(inbox::held(&self.database, portal).await)
    }

    async fn awaiting_key(&self, portal: &PortalKey) -> Result<u64, Failure> {
        Ok(inbox::awaiting_key(&self.database, portal).await?)
    }

    async fn management_room(&self, person: &UserId) -> Result<Option<OwnedRoomId>, Failure> {
        self.asked(management_room::of(&self.database, person).await)
    }

    async fn management_person(&self, room: &RoomId) -> Result<Option<OwnedUserId>, Failure> {
        self.asked(management_room::person(&self.database, room).await)
    }

    async fn logins(&self) -> Result<Vec<Login>, Failure> {
        self.asked(login::all(&self.database).await)
    }

    async fn login(&self, id: &LoginId) -> Result<Option<Login>, Failure> {
        self.asked(login::find(&self.database, id).await)
    }

    async fn login_of(&self, person: &UserId) -> Result<Option<Login>, Failure> {
        self.asked(login::of(&self.database, person).await)
    }

    async fn choices(&self, login: &LoginId) -> Result<Choices, Failure> {
        self.asked(choices::of(&self.database, login).await)
    }

    async fn day_usage(&self, person: &UserId, day: Day) -> Result<DayUsage, Failure> {
        self.asked(day_usage::of(&self.database, person, day).await)
    }

    async fn login_keys(&self, id: &LoginId) -> Result<Option<LoginKeys>, Failure> {
        self.asked(login::keys(&self.database, id).await)
    }

    async fn ghost(&self, key: &GhostKey) -> Result<Option<Ghost>, Failure> {
        self.asked(ghost::find(&self.database, key).await)
    }

    async fn lookup(&self, ghost: &GhostKey) -> Result<Option<Phone>, Failure> {
        self.asked(lookup::find(&self.database, ghost).await)
    }

    async fn lookups(&self) -> Result<u64, Failure> {
        self.asked(lookup::count(&self.database).await)
    }

    async fn portal(&self, key: &PortalKey) -> Result<Option<Portal>, Failure> {
        self.asked(portal::find(&self.database, key).await)
    }

    async fn portal_of_room(&self, room: &RoomId) -> Result<Option<Portal>, Failure> {
        self.asked(portal::of_room(&self.database, room).await)
    }

    async fn portals_of(&self, login: &LoginId) -> Result<Vec<Portal>, Failure> {
        self.asked(portal::of_login(&self.database, login).await)
    }

    async fn prekey(&self, login: &LoginId, id: u32) -> Result<Option<PreKey>, Failure> {
        self.asked(prekey::find(&self.database, login, id).await)
    }

    async fn prekey_last_id(&self, login: &LoginId) -> Result<u32, Failure> {
        self.asked(prekey::last_id(&self.database, login).await)
    }

    async fn session(&self, key: &SessionKey) -> Result<Option<StoredSession>, Failure> {
        self.asked(session::find(&self.database, key).await)
    }

    async fn message_by_remote(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<Message>, Failure> {
        self.asked(message::by_remote(&self.database, portal, remote_id).await)
    }

    async fn message_in(
        &self,
        portal: &PortalKey,
        direction: Direction,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<Message>, Failure> {
        self.asked(message::find(&self.database, portal, direction, remote_id).await)
    }

    async fn message_parts(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<Vec<MessagePart>, Failure> {
        self.asked(part::of(&self.database, portal, remote_id).await)
    }

    async fn message_by_event(
        &self,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<Message>, Failure> {
        self.asked(message::by_event(&self.database, room, event).await)
    }

    async fn reaction_on(
        &self,
        portal: &PortalKey,
        direction: Direction,
        target: &RemoteMessageId,
    ) -> Result<Option<RemoteMessageId>, Failure> {
        self.asked(reaction::on(&self.database, portal, direction, target).await)
    }

    async fn reaction_target(
        &self,
        portal: &PortalKey,
        direction: Direction,
        remote_id: &RemoteMessageId,
    ) -> Result<Option<RemoteMessageId>, Failure> {
        self.asked(reaction::target(&self.database, portal, direction, remote_id).await)
    }

    async fn newest_of(
        &self,
        portal: &PortalKey,
        messages: &[RemoteMessageId],
    ) -> Result<Option<Message>, Failure> {
        self.asked(reading::newest_of(&self.database, portal, messages).await)
    }

    async fn unread_up_to(
        &self,
        portal: &PortalKey,
        last: &RemoteMessageId,
        limit: usize,
    ) -> Result<Vec<RemoteMessageId>, Failure> {
        self.asked(reading::unread_up_to(&self.database, portal, last, limit).await)
    }

    async fn notice(&self, portal: &PortalKey, about: &str) -> Result<Option<SaidNotice>, Failure> {
        self.asked(notice::find(&self.database, portal, about).await)
    }

    async fn retries_asked(
        &self,
        portal: &PortalKey,
        remote_id: &RemoteMessageId,
    ) -> Result<u32, Failure> {
        self.asked(message::retries(&self.database, portal, remote_id).await)
    }

    async fn hosted_media(&self, name: &StorageRef) -> Result<Option<HostedMedia>, Failure> {
        self.asked(hosted_media::find(&self.database, name).await)
    }

    async fn hosted_bytes(&self, login: &LoginId) -> Result<u64, Failure> {
        self.asked(hosted_media::bytes_of(&self.database, login).await)
    }

    async fn hosted_expired(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HostedMedia>, Failure> {
        self.asked(hosted_media::expired(&self.database, now, limit).await)
    }

    async fn hosted_of(&self, login: &LoginId) -> Result<Vec<HostedMedia>, Failure> {
        self.asked(hosted_media::of_login(&self.database, login).await)
    }

    async fn messages_of(&self, login: &LoginId, limit: u32) -> Result<Vec<Message>, Failure> {
        self.asked(message::newest_of_login(&self.database, login, limit).await)
    }

    async fn tally(&self, login: &LoginId) -> Result<Tally, Failure> {
        self.asked(tally::of(&self.database, login).await)
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, Failure> {
        self.asked(erasure::all(&self.database).await)
    }

    async fn erasure_of(&self, person: &UserId) -> Result<Option<Erasure>, Failure> {
        self.asked(erasure::of(&self.database, person).await)
    }

    async fn meetings_with(&self, person: &UserId) -> Result<Vec<Meeting>, Failure> {
        self.asked(room::of(&self.database, person).await)
    }

    async fn ghosts_of_nobody_else(&self, person: &UserId) -> Result<Vec<GhostKey>, Failure> {
        self.asked(erasure::ghosts_of_nobody_else(&self.database, person).await)
    }

    async fn setting(&self, key: &'static str) -> Result<Option<Vec<u8>>, Failure> {
        self.asked(setting::find(&self.database, key).await)
    }

    fn trouble(&self) -> Option<String> {
        self.database.trouble()
    }

    async fn close(&self) {
        self.database.close().await;
    }
}
