//! Erasing a person: which wishes there are, and the one unit of work that fulfils one.
//!
//! Rows are found by what names the person: their id, their login, their rooms, the keys of their
//! devices. What is sealed is opened where only its content tells whose it is.

use ruma::{OwnedUserId, UserId};

use super::{
    crypto_store::{self, Theirs},
    database::{Database, Writer},
    error::Error,
    room::{OF_PERSON_ALONE, RoomRow},
};
use crate::domain::{
    bridged::Timestamp,
    erasure::Erasure,
    ids::{GhostKey, Lane},
};

/// Ghosts that `$1` has or had as a contact, and nobody else.
const GHOSTS: &str = "
    select id from ghost
    where (exists (select 1 from ledger where ledger.ghost = ghost.id and ledger.person = $1)
        or exists (select 1 from room where room.ghost = ghost.id and room.person = $1))
    and not exists (select 1 from ledger where ledger.ghost = ghost.id and ledger.person <> $1)
    and not exists (
        select 1 from portal join login on login.id = portal.login
        where portal.ghost = ghost.id and login.person <> $1)
    and not exists (
        select 1 from contact join login on login.id = contact.login
        where contact.ghost = ghost.id and login.person <> $1)";

#[derive(sqlx::FromRow)]
struct ErasureRow {
    person: String,
    left_at: Option<i64>,
}

impl ErasureRow {
    fn read(self) -> Result<Erasure, Error> {
        let Self { person, left_at } = self;
        let person = OwnedUserId::try_from(person)
            .map_err(|_| Error::Unreadable { column: "erasure.person" })?;
        Ok(Erasure { person, left_at })
    }
}

/// A wish that there is already stays as it is.
pub(super) async fn ask(
    writer: &mut Writer<'_>,
    person: &UserId,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into erasure (person, asked_at) values ($1, $2) on conflict (person) do nothing",
    )
    .bind(person.as_str())
    .bind(at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn set_left(
    writer: &mut Writer<'_>,
    person: &UserId,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update erasure set left_at = $1 where person = $2")
        .bind(at)
        .bind(person.as_str())
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

/// The oldest first.
pub(super) async fn all(database: &Database) -> Result<Vec<Erasure>, Error> {
    let rows: Vec<ErasureRow> =
        sqlx::query_as("select person, left_at from erasure order by asked_at, person")
            .fetch_all(database.reader())
            .await?;
    rows.into_iter().map(ErasureRow::read).collect()
}

pub(super) async fn of(database: &Database, person: &UserId) -> Result<Option<Erasure>, Error> {
    let row: Option<ErasureRow> =
        sqlx::query_as("select person, left_at from erasure where person = $1")
            .bind(person.as_str())
            .fetch_optional(database.reader())
            .await?;
    row.map(ErasureRow::read).transpose()
}

pub(super) async fn ghosts_of_nobody_else(
    database: &Database,
    person: &UserId,
) -> Result<Vec<GhostKey>, Error> {
    let ghosts: Vec<String> =
        sqlx::query_scalar(GHOSTS).bind(person.as_str()).fetch_all(database.reader()).await?;
    Ok(ghosts.into_iter().map(GhostKey).collect())
}

/// Everything of a person goes, and what is anybody else's stays.
pub(super) async fn fulfil(writer: &mut Writer<'_>, person: &UserId) -> Result<(), Error> {
    let rooms = rooms(writer, person).await?;
    let theirs = Theirs::find(writer, person, &rooms).await?;
    crypto_store::erase(writer, person, &rooms, &theirs).await?;
    for room in &rooms {
        remove_lane(writer, person, room).await?;
    }
    remove_set_aside(writer, person, &rooms).await?;
    // Before what tells whose contact a ghost is.
    let query = format!("delete from ghost where id in ({GHOSTS})");
    sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(person.as_str())
        .execute(&mut *writer.conn)
        .await?;
    for of_person in [
        "delete from login where person = $1",
        "delete from ledger where person = $1",
        "delete from day_usage where person = $1",
        "delete from management_room where person = $1",
        "delete from room where person = $1",
        "delete from erasure where person = $1",
    ] {
        sqlx::query(of_person).bind(person.as_str()).execute(&mut *writer.conn).await?;
    }
    Ok(())
}

async fn rooms(writer: &mut Writer<'_>, person: &UserId) -> Result<Vec<String>, Error> {
    let rows: Vec<RoomRow> =
        sqlx::query_as(OF_PERSON_ALONE).bind(person.as_str()).fetch_all(&mut *writer.conn).await?;
    let mut rooms: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    rooms.dedup();
    Ok(rooms)
}

/// What came in after our users had left is of nobody any more, perhaps the invite with which the
/// person begins anew: it is worked on as a stranger's and ends by itself.
async fn remove_lane(writer: &mut Writer<'_>, person: &UserId, room: &str) -> Result<(), Error> {
    let Ok(room) = room.try_into() else { return Err(Error::Unreadable { column: "room.id" }) };
    let lane = Lane::Room(room).to_text();
    sqlx::query(
        "delete from inbox where lane = $1 and (quarantine_reason is not null or received_at <
         (select coalesce(max(left_at), 9223372036854775807) from erasure where person = $2))",
    )
    .bind(&lane)
    .bind(person.as_str())
    .execute(&mut *writer.conn)
    .await?;
    sqlx::query("delete from outbox where lane = $1")
        .bind(&lane)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

/// What waits for the operator belongs to no login where it was set aside before it was known whose it
/// is: batches of keys, malformed events, rooms that became nothing.
async fn remove_set_aside(
    writer: &mut Writer<'_>,
    person: &UserId,
    rooms: &[String],
) -> Result<(), Error> {
    // As strings of JSON, so that no longer name is meant.
    let names: Vec<_> = rooms
        .iter()
        .map(String::as_str)
        .chain([person.as_str()])
        .map(|name| serde_json::Value::from(name).to_string().into_bytes())
        .collect();
    for (select, delete, column) in [
        (
            "select id, item_sealed from inbox
             where login is null and quarantine_reason is not null",
            "delete from inbox where id = $1",
            "inbox.item_sealed",
        ),
        (
            "select id, item_sealed from outbox
             where login is null and quarantine_reason is not null",
            "delete from outbox where id = $1",
            "outbox.item_sealed",
        ),
    ] {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(select).fetch_all(&mut *writer.conn).await?;
        for (id, sealed) in rows {
            let item = writer.sealer.open(column, &[&id.to_string()], &sealed)?;
            if names.iter().any(|name| holds(&item, name)) {
                sqlx::query(delete).bind(id).execute(&mut *writer.conn).await?;
            }
        }
    }
    Ok(())
}

fn holds(item: &[u8], name: &[u8]) -> bool {
    item.windows(name.len()).any(|window| window == name)
}
