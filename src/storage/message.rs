//! The message map: which message of the network is which event, and how far it has come. Also how
//! often we asked for a message again.

use ruma::{EventId, OwnedEventId, RoomId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    bridged::{Delivery, Direction, Message},
    ids::{GhostKey, LoginId, PortalKey, RemoteMessageId},
};

const TO_NETWORK: &str = "to_network";
const TO_MATRIX: &str = "to_matrix";

#[derive(sqlx::FromRow)]
struct MessageRow {
    login: String,
    ghost: String,
    direction: String,
    remote_id: String,
    event: Option<String>,
    delivery: i64,
    at: i64,
}

impl MessageRow {
    fn read(self) -> Result<Message, Error> {
        let Self { login, ghost, direction, remote_id, event, delivery, at } = self;
        let direction = match direction.as_str() {
            TO_NETWORK => Direction::ToNetwork,
            TO_MATRIX => Direction::ToMatrix,
            _ => return Err(Error::Unreadable { column: "message.direction" }),
        };
        let event = event
            .map(OwnedEventId::try_from)
            .transpose()
            .map_err(|_| Error::Unreadable { column: "message.event" })?;
        Ok(Message {
            portal: PortalKey { login: LoginId(login), ghost: GhostKey(ghost) },
            direction,
            remote_id: RemoteMessageId(remote_id),
            event,
            delivery: delivery_from_number(delivery)?,
            at,
        })
    }
}

pub(super) async fn add(writer: &mut Writer<'_>, message: &Message) -> Result<(), Error> {
    let Message { portal, direction, remote_id, event, delivery, at } = message;
    sqlx::query(
        // Whoever adds a message has the lane of its chat, so that no other can have this place.
        "insert into message (login, ghost, direction, remote_id, event, delivery, at, place)
         values ($1, $2, $3, $4, $5, $6, $7,
                 (select coalesce(max(place), 0) + 1 from message where login = $1 and ghost = $2))
         on conflict do nothing",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(direction_to_text(*direction))
    .bind(&remote_id.0)
    .bind(event.as_ref().map(|event| event.as_str()))
    .bind(delivery_to_number(*delivery))
    .bind(at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn set_event(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
    event: &EventId,
) -> Result<(), Error> {
    sqlx::query(
        "update message set event = $1
         where login = $2 and ghost = $3 and remote_id = $4 and direction = $5",
    )
    .bind(event.as_str())
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .bind(TO_MATRIX)
    .execute(&mut *writer.conn)
    .await?;
    // The homeserver has it, which is what `Sent` says.
    move_forward(writer, portal, remote_id, Direction::ToMatrix, Delivery::Sent).await
}

/// Leaves a delivery alone that is as far already, or farther.
pub(super) async fn move_forward(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
    direction: Direction,
    delivery: Delivery,
) -> Result<(), Error> {
    sqlx::query(
        "update message set delivery = $1
         where login = $2 and ghost = $3 and remote_id = $4 and direction = $5 and delivery < $1",
    )
    .bind(delivery_to_number(delivery))
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .bind(direction_to_text(direction))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn by_remote(
    database: &Database,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
) -> Result<Option<Message>, Error> {
    // Each side draws its ids at random. Should the two ever meet, ours wins: receipts name it.
    let row: Option<MessageRow> = sqlx::query_as(
        "select login, ghost, direction, remote_id, event, delivery, at from message
         where login = $1 and ghost = $2 and remote_id = $3
         order by direction desc limit 1",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .fetch_optional(database.reader())
    .await?;
    row.map(MessageRow::read).transpose()
}

pub(super) async fn find(
    database: &Database,
    portal: &PortalKey,
    direction: Direction,
    remote_id: &RemoteMessageId,
) -> Result<Option<Message>, Error> {
    let row: Option<MessageRow> = sqlx::query_as(
        "select login, ghost, direction, remote_id, event, delivery, at from message
         where login = $1 and ghost = $2 and remote_id = $3 and direction = $4",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .bind(direction_to_text(direction))
    .fetch_optional(database.reader())
    .await?;
    row.map(MessageRow::read).transpose()
}

pub(super) async fn by_event(
    database: &Database,
    room: &RoomId,
    event: &EventId,
) -> Result<Option<Message>, Error> {
    let whole: Option<MessageRow> = sqlx::query_as(
        "select message.login, message.ghost, message.direction, message.remote_id,
                message.event, message.delivery, message.at
         from message
         join portal on portal.login = message.login and portal.ghost = message.ghost
         where message.event = $1 and portal.room = $2",
    )
    .bind(event.as_str())
    .bind(room.as_str())
    .fetch_optional(database.reader())
    .await?;
    let row = match whole {
        Some(row) => Some(row),
        None => by_part(database, room, event).await?,
    };
    row.map(MessageRow::read).transpose()
}

async fn by_part(
    database: &Database,
    room: &RoomId,
    event: &EventId,
) -> Result<Option<MessageRow>, Error> {
    let row = sqlx::query_as(
        "select message.login, message.ghost, message.direction, message.remote_id,
                message.event, message.delivery, message.at
         from message_part part
         join message on message.login = part.login and message.ghost = part.ghost
           and message.remote_id = part.remote_id and message.direction = 'to_matrix'
         join portal on portal.login = message.login and portal.ghost = message.ghost
         where part.event = $1 and portal.room = $2",
    )
    .bind(event.as_str())
    .bind(room.as_str())
    .fetch_optional(database.reader())
    .await?;
    Ok(row)
}

pub(super) async fn newest_of_login(
    database: &Database,
    LoginId(login): &LoginId,
    limit: u32,
) -> Result<Vec<Message>, Error> {
    let rows: Vec<MessageRow> = sqlx::query_as(
        "select login, ghost, direction, remote_id, event, delivery, at from message
         where login = $1 order by at desc, ghost, place desc limit $2",
    )
    .bind(login)
    .bind(i64::from(limit))
    .fetch_all(database.reader())
    .await?;
    rows.into_iter().map(MessageRow::read).collect()
}

pub(super) async fn count_retry(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into retry (login, ghost, remote_id, asked) values ($1, $2, $3, 1)
         on conflict (login, ghost, remote_id) do update set asked = retry.asked + 1",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn retries(
    database: &Database,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
) -> Result<u32, Error> {
    let asked: Option<i64> = sqlx::query_scalar(
        "select asked from retry where login = $1 and ghost = $2 and remote_id = $3",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .fetch_optional(database.reader())
    .await?;
    u32::try_from(asked.unwrap_or(0)).map_err(|_| Error::Unreadable { column: "retry.asked" })
}

pub(super) fn direction_to_text(direction: Direction) -> &'static str {
    match direction {
        Direction::ToNetwork => TO_NETWORK,
        Direction::ToMatrix => TO_MATRIX,
    }
}

fn delivery_to_number(delivery: Delivery) -> i64 {
    match delivery {
        Delivery::Committed => 0,
        Delivery::Sent => 1,
        Delivery::Delivered => 2,
        Delivery::Read => 3,
    }
}

fn delivery_from_number(number: i64) -> Result<Delivery, Error> {
    match number {
        0 => Ok(Delivery::Committed),
        1 => Ok(Delivery::Sent),
        2 => Ok(Delivery::Delivered),
        3 => Ok(Delivery::Read),
        _ => Err(Error::Unreadable { column: "message.delivery" }),
    }
}
