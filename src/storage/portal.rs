//! Portals: which room mirrors which direct chat.

use ruma::{OwnedRoomId, RoomId};

use super::{
    database::{Database, Writer},
    error::Error,
    room,
};
use crate::domain::{
    bridged::Portal,
    ids::{GhostKey, LoginId, PortalKey},
};

#[derive(sqlx::FromRow)]
struct PortalRow {
    login: String,
    ghost: String,
    room: Option<String>,
}

impl PortalRow {
    fn read(self) -> Result<Portal, Error> {
        let Self { login, ghost, room } = self;
        let room = room
            .map(OwnedRoomId::try_from)
            .transpose()
            .map_err(|_| Error::Unreadable { column: "portal.room" })?;
        Ok(Portal { key: PortalKey { login: LoginId(login), ghost: GhostKey(ghost) }, room })
    }
}

pub(super) async fn save(writer: &mut Writer<'_>, portal: &Portal) -> Result<(), Error> {
    let Portal { key, room } = portal;
    let PortalKey { login, ghost } = key;
    sqlx::query(
        "insert into portal (login, ghost, room) values ($1, $2, $3)
         on conflict (login, ghost) do update set room = excluded.room",
    )
    .bind(&login.0)
    .bind(&ghost.0)
    .bind(room.as_ref().map(|room| room.as_str()))
    .execute(&mut *writer.conn)
    .await?;
    match room {
        Some(room) => room::remember_portal(writer, key, room).await,
        None => Ok(()),
    }
}

pub(super) async fn affirm(
    writer: &mut Writer<'_>,
    PortalKey { login, ghost }: &PortalKey,
    room: &RoomId,
) -> Result<(), Error> {
    let affirmed =
        sqlx::query("update portal set room = room where login = $1 and ghost = $2 and room = $3")
            .bind(&login.0)
            .bind(&ghost.0)
            .bind(room.as_str())
            .execute(&mut *writer.conn)
            .await?;
    if affirmed.rows_affected() == 0 {
        return Err(Error::Overtaken("a chat went to another room meanwhile"));
    }
    Ok(())
}

pub(super) async fn find(database: &Database, key: &PortalKey) -> Result<Option<Portal>, Error> {
    let row: Option<PortalRow> =
        sqlx::query_as("select login, ghost, room from portal where login = $1 and ghost = $2")
            .bind(&key.login.0)
            .bind(&key.ghost.0)
            .fetch_optional(database.reader())
            .await?;
    row.map(PortalRow::read).transpose()
}

pub(super) async fn of_room(database: &Database, room: &RoomId) -> Result<Option<Portal>, Error> {
    let row: Option<PortalRow> =
        sqlx::query_as("select login, ghost, room from portal where room = $1")
            .bind(room.as_str())
            .fetch_optional(database.reader())
            .await?;
    row.map(PortalRow::read).transpose()
}

pub(super) async fn of_login(database: &Database, login: &LoginId) -> Result<Vec<Portal>, Error> {
    let rows: Vec<PortalRow> =
        sqlx::query_as("select login, ghost, room from portal where login = $1 order by ghost")
            .bind(&login.0)
            .fetch_all(database.reader())
            .await?;
    rows.into_iter().map(PortalRow::read).collect()
}
