//! Which objects of the media store are hosted, for whom and until when.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    bridged::Timestamp,
    hosting::HostedMedia,
    ids::{LoginId, StorageRef},
};

#[derive(sqlx::FromRow)]
struct HostedMediaRow {
    name: String,
    login: String,
    length: i64,
    hosted_at: i64,
    expires_at: i64,
}

impl HostedMediaRow {
    fn read(self) -> Result<HostedMedia, Error> {
        let Self { name, login, length, hosted_at, expires_at } = self;
        Ok(HostedMedia {
            name: StorageRef::parse(&name)
                .ok_or(Error::Unreadable { column: "hosted_media.name" })?,
            login: LoginId(login),
            length: read_length(length)?,
            hosted_at,
            expires_at,
        })
    }
}

/// Replaces nothing: a name is random and belongs to one file.
pub(super) async fn add(writer: &mut Writer<'_>, media: &HostedMedia) -> Result<(), Error> {
    let HostedMedia { name, login, length, hosted_at, expires_at } = media;
    sqlx::query(
        "insert into hosted_media (name, login, length, hosted_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(name.as_str())
    .bind(&login.0)
    // Nothing is as long as that; a limit refused it long before.
    .bind(i64::try_from(*length).unwrap_or(i64::MAX))
    .bind(hosted_at)
    .bind(expires_at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(writer: &mut Writer<'_>, name: &StorageRef) -> Result<(), Error> {
    sqlx::query("delete from hosted_media where name = $1")
        .bind(name.as_str())
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    name: &StorageRef,
) -> Result<Option<HostedMedia>, Error> {
    let row: Option<HostedMediaRow> = sqlx::query_as(
        "select name, login, length, hosted_at, expires_at from hosted_media where name = $1",
    )
    .bind(name.as_str())
    .fetch_optional(database.reader())
    .await?;
    row.map(HostedMediaRow::read).transpose()
}

pub(super) async fn bytes_of(database: &Database, LoginId(login): &LoginId) -> Result<u64, Error> {
    // PostgreSQL sums whole numbers to a decimal one.
    let bytes: i64 = sqlx::query_scalar(
        "select cast(coalesce(sum(length), 0) as bigint) from hosted_media where login = $1",
    )
    .bind(login)
    .fetch_one(database.reader())
    .await?;
    read_length(bytes)
}

pub(super) async fn of_login(
    database: &Database,
    LoginId(login): &LoginId,
) -> Result<Vec<HostedMedia>, Error> {
    let rows: Vec<HostedMediaRow> = sqlx::query_as(
        "select name, login, length, hosted_at, expires_at from hosted_media
         where login = $1 order by hosted_at, name",
    )
    .bind(login)
    .fetch_all(database.reader())
    .await?;
    rows.into_iter().map(HostedMediaRow::read).collect()
}

pub(super) async fn expired(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<HostedMedia>, Error> {
    let rows: Vec<HostedMediaRow> = sqlx::query_as(
        "select name, login, length, hosted_at, expires_at from hosted_media
         where expires_at <= $1
         order by expires_at, name
         limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(database.reader())
    .await?;
    rows.into_iter().map(HostedMediaRow::read).collect()
}

fn read_length(length: i64) -> Result<u64, Error> {
    u64::try_from(length).map_err(|_| Error::Unreadable { column: "hosted_media.length" })
}
