//! The consent ledger. Nothing here changes a line of it.

use ruma::{EventId, UserId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    consent::{Act, Entry},
    ids::{GhostKey, LoginId},
};

#[derive(sqlx::FromRow)]
struct EntryRow {
    login: Option<String>,
    ghost: Option<String>,
    act: String,
    text_version: Option<i64>,
    cause: Option<String>,
    at: i64,
}

impl EntryRow {
    fn read(self, person: &UserId) -> Result<Entry, Error> {
        let Self { login, ghost, act, text_version, cause, at } = self;
        let text_version = text_version
            .map(u32::try_from)
            .transpose()
            .map_err(|_| Error::Unreadable { column: "ledger.text_version" })?;
        let cause = cause
            .map(EventId::parse)
            .transpose()
            .map_err(|_| Error::Unreadable { column: "ledger.cause" })?;
        Ok(Entry {
            person: person.to_owned(),
            login: login.map(LoginId),
            ghost: ghost.map(GhostKey),
            act: Act::from_name(&act).ok_or(Error::Unreadable { column: "ledger.act" })?,
            text_version,
            cause,
            at,
        })
    }
}

pub(super) async fn add(writer: &mut Writer<'_>, id: i64, entry: &Entry) -> Result<(), Error> {
    let Entry { person, login, ghost, act, text_version, cause, at } = entry;
    sqlx::query(
        "insert into ledger (id, person, login, ghost, act, text_version, cause, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(person.as_str())
    .bind(login.as_ref().map(|LoginId(login)| login))
    .bind(ghost.as_ref().map(|GhostKey(ghost)| ghost))
    .bind(act.name())
    .bind(text_version.map(i64::from))
    .bind(cause.as_ref().map(|cause| cause.as_str()))
    .bind(at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Oldest first.
pub(super) async fn of(database: &Database, person: &UserId) -> Result<Vec<Entry>, Error> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "select login, ghost, act, text_version, cause, at from ledger
         where person = $1 order by id",
    )
    .bind(person.as_str())
    .fetch_all(database.reader())
    .await?;
    rows.into_iter().map(|row| row.read(person)).collect()
}
