//! In which rooms our users meet a person, now or ever.

use ruma::{OwnedRoomId, RoomId, UserId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    bridged::ActAs,
    erasure::Meeting,
    ids::{GhostKey, PortalKey},
};

/// What stands in place of a ghost where the bot meets the person.
const BOT: &str = "";

/// The rooms of a person alone: one that the bot shares with somebody else as well is not theirs to
/// have deleted.
pub(super) const OF_PERSON_ALONE: &str = "
    select id, ghost from room where person = $1
    and not exists (select 1 from room other where other.id = room.id and other.person <> $1)
    order by id, ghost";

pub(super) async fn remember_portal(
    writer: &mut Writer<'_>,
    PortalKey { login, ghost }: &PortalKey,
    room: &RoomId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into room (id, person, ghost) select $1, person, $2 from login where id = $3
         on conflict (id, person, ghost) do nothing",
    )
    .bind(room.as_str())
    .bind(&ghost.0)
    .bind(&login.0)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remember_bot(
    writer: &mut Writer<'_>,
    person: &UserId,
    room: &RoomId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into room (id, person, ghost) values ($1, $2, $3)
         on conflict (id, person, ghost) do nothing",
    )
    .bind(room.as_str())
    .bind(person.as_str())
    .bind(BOT)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn of(database: &Database, person: &UserId) -> Result<Vec<Meeting>, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as(OF_PERSON_ALONE).bind(person.as_str()).fetch_all(database.reader()).await?;
    rows.into_iter().map(|(room, ghost)| read(room, ghost)).collect()
}

fn read(room: String, ghost: String) -> Result<Meeting, Error> {
    let room = OwnedRoomId::try_from(room).map_err(|_| Error::Unreadable { column: "room.id" })?;
    let who = if ghost == BOT { ActAs::Bot } else { ActAs::Ghost(GhostKey(ghost)) };
    Ok(Meeting { who, room })
}
