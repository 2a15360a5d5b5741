//! In which rooms our users meet a person, now or ever.

use ruma::{OwnedRoomId, RoomId, UserId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    bridged::ActAs,
    erasure::Meeting,
    ids::{GhostKey, LoginId, PortalKey},
};

/// What stands in place of a ghost where the bot meets the person.
const BOT: &str = "";

/// The rooms of a person alone: one that the bot shares with somebody else as well is not theirs to
/// have deleted.
pub(super) const OF_PERSON_ALONE: &str = "
    select id, ghost, login from room where person = $1
    and not exists (select 1 from room other where other.id = room.id and other.person <> $1)
    order by id, ghost";

pub(super) async fn remember_portal(
    writer: &mut Writer<'_>,
    PortalKey { login, ghost }: &PortalKey,
    room: &RoomId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into room (id, person, ghost, login) select $1, person, $2, id from login where id = $3
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
    let rows: Vec<RoomRow> =
        sqlx::query_as(OF_PERSON_ALONE).bind(person.as_str()).fetch_all(database.reader()).await?;
    rows.into_iter().map(RoomRow::read).collect()
}

#[derive(sqlx::FromRow)]
pub(super) struct RoomRow {
    pub(super) id: String,
    ghost: String,
    login: Option<String>,
}

impl RoomRow {
    fn read(self) -> Result<Meeting, Error> {
        let Self { id, ghost, login } = self;
        let room =
            OwnedRoomId::try_from(id).map_err(|_| Error::Unreadable { column: "room.id" })?;
        if ghost == BOT {
            return Ok(Meeting { who: ActAs::Bot, room, chat: None });
        }
        let ghost = GhostKey(ghost);
        let chat = login.map(|login| PortalKey { login: LoginId(login), ghost: ghost.clone() });
        Ok(Meeting { who: ActAs::Ghost(ghost), room, chat })
    }
}
