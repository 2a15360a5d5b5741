//! Numbers that were looked up, sealed, under the key of the ghost that would stand for them.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{bridged::Timestamp, ids::GhostKey, phone::Phone};

const PHONE: &str = "lookup.phone_sealed";

pub(super) async fn save(
    writer: &mut Writer<'_>,
    GhostKey(ghost): &GhostKey,
    phone: &Phone,
    at: Timestamp,
) -> Result<(), Error> {
    let sealed = writer.sealer.seal(PHONE, &[ghost], phone.digits().as_bytes());
    sqlx::query(
        "insert into lookup (ghost, phone_sealed, at) values ($1, $2, $3)
         on conflict (ghost) do update set at = excluded.at",
    )
    .bind(ghost)
    .bind(sealed)
    .bind(at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn forget(writer: &mut Writer<'_>, before: Timestamp) -> Result<(), Error> {
    sqlx::query("delete from lookup where at < $1").bind(before).execute(&mut *writer.conn).await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    GhostKey(ghost): &GhostKey,
) -> Result<Option<Phone>, Error> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("select phone_sealed from lookup where ghost = $1")
            .bind(ghost)
            .fetch_optional(database.reader())
            .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let digits = database.sealer().open(PHONE, &[ghost], &sealed)?;
    let phone = std::str::from_utf8(&digits).ok().and_then(Phone::from_digits);
    phone.map(Some).ok_or(Error::Unreadable { column: PHONE })
}

pub(super) async fn count(database: &Database) -> Result<u64, Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from lookup").fetch_one(database.reader()).await?;
    u64::try_from(count).map_err(|_| Error::Unreadable { column: "count of lookup" })
}
