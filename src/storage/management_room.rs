//! The room in which a person commands the bot.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::{
    database::{Database, Writer},
    error::Error,
    room,
};

pub(super) async fn save(
    writer: &mut Writer<'_>,
    person: &UserId,
    room: &RoomId,
) -> Result<(), Error> {
    // The latest to talk to the bot in a room is the one whom the room serves.
    sqlx::query("delete from management_room where room = $1 and person <> $2")
        .bind(room.as_str())
        .bind(person.as_str())
        .execute(&mut *writer.conn)
        .await?;
    sqlx::query(
        "insert into management_room (person, room) values ($1, $2)
         on conflict (person) do update set room = excluded.room",
    )
    .bind(person.as_str())
    .bind(room.as_str())
    .execute(&mut *writer.conn)
    .await?;
    room::remember_bot(writer, person, room).await
}

pub(super) async fn of(database: &Database, person: &UserId) -> Result<Option<OwnedRoomId>, Error> {
    let room: Option<String> =
        sqlx::query_scalar("select room from management_room where person = $1")
            .bind(person.as_str())
            .fetch_optional(database.reader())
            .await?;
    room.map(OwnedRoomId::try_from)
        .transpose()
        .map_err(|_| Error::Unreadable { column: "management_room.room" })
}

pub(super) async fn person(
    database: &Database,
    room: &RoomId,
) -> Result<Option<OwnedUserId>, Error> {
    let person: Option<String> =
        sqlx::query_scalar("select person from management_room where room = $1")
            .bind(room.as_str())
            .fetch_optional(database.reader())
            .await?;
    person
        .map(OwnedUserId::try_from)
        .transpose()
        .map_err(|_| Error::Unreadable { column: "management_room.person" })
}
