//! Megolm sessions that others (and we) opened: the room keys.

use matrix_sdk_crypto::{
    olm::{Curve25519PublicKey, InboundGroupSession, PickledInboundGroupSession, SenderDataType},
    store::{CryptoStoreError, types::RoomKeyCounts},
};
use ruma::RoomId;

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};

const SESSION: &str = "key_inbound_session.session_sealed";

pub(super) struct InboundSession {
    room: String,
    session_id: String,
    sender_key: String,
    sender_data_type: i64,
    backed_up: bool,
    backup_version: Option<String>,
    plain: Plain,
}

impl InboundSession {
    pub(super) async fn of(
        session: &InboundGroupSession,
        backup_version: Option<&str>,
    ) -> Result<Self, CryptoStoreError> {
        Ok(Self {
            room: session.room_id().to_string(),
            session_id: session.session_id().to_owned(),
            sender_key: session.sender_key().to_base64(),
            sender_data_type: sender_data_type_to_number(session.sender_data_type()),
            backed_up: session.backed_up(),
            backup_version: backup_version.map(str::to_owned),
            plain: json::write(&session.pickle().await)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    room: String,
    session_id: String,
    session_sealed: Vec<u8>,
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    owner: &str,
    session: &InboundSession,
) -> Result<(), Error> {
    let InboundSession {
        room,
        session_id,
        sender_key,
        sender_data_type,
        backed_up,
        backup_version,
        plain,
    } = session;
    // A session that was backed up stays so; one that came back better than it was does not.
    sqlx::query(
        "insert into key_inbound_session
             (owner, room, session_id, sender_key, sender_data_type, backup_version, session_sealed)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (owner, room, session_id) do update
         set sender_key = excluded.sender_key,
             sender_data_type = excluded.sender_data_type,
             session_sealed = excluded.session_sealed,
             backup_version = case
                 when $8 = 0 then excluded.backup_version
                 else coalesce(excluded.backup_version, key_inbound_session.backup_version)
             end",
    )
    .bind(owner)
    .bind(room)
    .bind(session_id)
    .bind(sender_key)
    .bind(*sender_data_type)
    .bind(backup_version.as_deref())
    .bind(writer.sealer.seal(SESSION, &[owner, room, session_id], plain))
    .bind(i64::from(*backed_up))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Saves sessions and nothing else.
pub(super) struct SaveAll<'s> {
    pub(super) owner: &'s str,
    pub(super) sessions: &'s [InboundSession],
}

impl UnitOfWork for SaveAll<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        for session in self.sessions {
            save(writer, self.owner, session).await?;
        }
        Ok(Verdict::Keep(()))
    }
}

impl SqlCryptoStore {
    fn read_inbound(&self, row: Row) -> Result<InboundGroupSession, CryptoStoreError> {
        let Row { room, session_id, session_sealed } = row;
        let row = [&*self.owner, &*room, &*session_id];
        let bytes = self.database.sealer().open(SESSION, &row, &session_sealed)?;
        let pickle: PickledInboundGroupSession = json::read(&bytes)?;
        Ok(InboundGroupSession::from_pickle(pickle)?)
    }

    fn read_all_inbound(
        &self,
        rows: Vec<Row>,
    ) -> Result<Vec<InboundGroupSession>, CryptoStoreError> {
        rows.into_iter().map(|row| self.read_inbound(row)).collect()
    }

    pub(super) async fn save_inbound(
        &self,
        sessions: &[InboundGroupSession],
        backup_version: Option<&str>,
    ) -> Result<(), CryptoStoreError> {
        let mut rows = Vec::with_capacity(sessions.len());
        for session in sessions {
            rows.push(InboundSession::of(session, backup_version).await?);
        }
        let work = SaveAll { owner: &self.owner, sessions: &rows };
        Ok(self.database.perform(&work).await?)
    }

    pub(super) async fn inbound(
        &self,
        room: &RoomId,
        session_id: &str,
    ) -> Result<Option<InboundGroupSession>, CryptoStoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select room, session_id, session_sealed from key_inbound_session
             where owner = $1 and room = $2 and session_id = $3",
        )
        .bind(&self.owner)
        .bind(room.as_str())
        .bind(session_id)
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        row.map(|row| self.read_inbound(row)).transpose()
    }

    pub(super) async fn all_inbound(&self) -> Result<Vec<InboundGroupSession>, CryptoStoreError> {
        let rows = sqlx::query_as(
            "select room, session_id, session_sealed from key_inbound_session where owner = $1",
        )
        .bind(&self.owner)
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        self.read_all_inbound(rows)
    }

    pub(super) async fn inbound_of_room(
        &self,
        room: &RoomId,
    ) -> Result<Vec<InboundGroupSession>, CryptoStoreError> {
        let rows = sqlx::query_as(
            "select room, session_id, session_sealed from key_inbound_session
             where owner = $1 and room = $2",
        )
        .bind(&self.owner)
        .bind(room.as_str())
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        self.read_all_inbound(rows)
    }

    pub(super) async fn inbound_of_device(
        &self,
        sender_key: Curve25519PublicKey,
        sender_data_type: SenderDataType,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<InboundGroupSession>, CryptoStoreError> {
        let rows = sqlx::query_as(
            "select room, session_id, session_sealed from key_inbound_session
             where owner = $1 and sender_key = $2 and sender_data_type = $3 and session_id > $4
             order by session_id limit $5",
        )
        .bind(&self.owner)
        .bind(sender_key.to_base64())
        .bind(sender_data_type_to_number(sender_data_type))
        .bind(after.unwrap_or_default())
        .bind(row_limit(limit))
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        self.read_all_inbound(rows)
    }

    pub(super) async fn inbound_not_backed_up(
        &self,
        backup_version: &str,
        limit: usize,
    ) -> Result<Vec<InboundGroupSession>, CryptoStoreError> {
        let rows = sqlx::query_as(
            "select room, session_id, session_sealed from key_inbound_session
             where owner = $1 and (backup_version is null or backup_version <> $2)
             limit $3",
        )
        .bind(&self.owner)
        .bind(backup_version)
        .bind(row_limit(limit))
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        self.read_all_inbound(rows)
    }

    pub(super) async fn mark_backed_up(
        &self,
        backup_version: &str,
        rooms_and_sessions: &[(&RoomId, &str)],
    ) -> Result<(), CryptoStoreError> {
        let mut sessions = Vec::with_capacity(rooms_and_sessions.len());
        for (room, session_id) in rooms_and_sessions {
            if let Some(session) = self.inbound(room, session_id).await? {
                session.mark_as_backed_up();
                sessions.push(session);
            }
        }
        self.save_inbound(&sessions, Some(backup_version)).await
    }

    pub(super) async fn count_inbound(
        &self,
        backup_version: Option<&str>,
    ) -> Result<RoomKeyCounts, CryptoStoreError> {
        let total: i64 =
            sqlx::query_scalar("select count(*) from key_inbound_session where owner = $1")
                .bind(&self.owner)
                .fetch_one(self.database.reader())
                .await
                .map_err(|error| self.database.met(error))?;
        // No backup holds anything: no version equals null.
        let backed_up: i64 = sqlx::query_scalar(
            "select count(*) from key_inbound_session where owner = $1 and backup_version = $2",
        )
        .bind(&self.owner)
        .bind(backup_version)
        .fetch_one(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        let count = |count: i64| usize::try_from(count).unwrap_or(0);
        Ok(RoomKeyCounts { total: count(total), backed_up: count(backed_up) })
    }
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn sender_data_type_to_number(sender_data_type: SenderDataType) -> i64 {
    match sender_data_type {
        SenderDataType::UnknownDevice => 1,
        SenderDataType::DeviceInfo => 2,
        SenderDataType::VerificationViolation => 3,
        SenderDataType::SenderUnverified => 4,
        SenderDataType::SenderVerified => 5,
    }
}
