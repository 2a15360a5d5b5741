//! Signal sessions: the ratchet record and the identity that it belongs to, always together.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::{
    port::storage::{SessionKey, StoredSession},
    signal::{RemoteIdentityKey, SessionRecord},
};

const RECORD: &str = "session.record_sealed";
const IDENTITY: &str = "session.identity_sealed";

#[derive(sqlx::FromRow)]
struct SessionRow {
    record_sealed: Vec<u8>,
    identity_sealed: Vec<u8>,
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    SessionKey { portal, device }: &SessionKey,
    record: &SessionRecord,
    identity: &RemoteIdentityKey,
) -> Result<(), Error> {
    let row = [&*portal.login.0, &*portal.ghost.0, &*device.to_string()];
    sqlx::query(
        "insert into session (login, ghost, device, record_sealed, identity_sealed)
         values ($1, $2, $3, $4, $5)
         on conflict (login, ghost, device) do update
         set record_sealed = excluded.record_sealed, identity_sealed = excluded.identity_sealed",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(i64::from(*device))
    .bind(writer.sealer.seal(RECORD, &row, record.as_bytes()))
    .bind(writer.sealer.seal(IDENTITY, &row, identity.as_bytes()))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    SessionKey { portal, device }: &SessionKey,
) -> Result<Option<StoredSession>, Error> {
    let found: Option<SessionRow> = sqlx::query_as(
        "select record_sealed, identity_sealed from session
         where login = $1 and ghost = $2 and device = $3",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(i64::from(*device))
    .fetch_optional(database.reader())
    .await?;
    let Some(SessionRow { record_sealed, identity_sealed }) = found else { return Ok(None) };
    let row = [&*portal.login.0, &*portal.ghost.0, &*device.to_string()];
    let record = database.sealer().open(RECORD, &row, &record_sealed)?;
    let identity = database.sealer().open(IDENTITY, &row, &identity_sealed)?;
    let identity: [u8; 32] =
        identity.as_slice().try_into().map_err(|_| Error::Unreadable { column: IDENTITY })?;
    Ok(Some(StoredSession {
        record: SessionRecord::from_bytes(record.to_vec()),
        identity: RemoteIdentityKey::from_bytes(identity),
    }))
}
