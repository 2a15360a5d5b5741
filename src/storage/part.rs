//! Messages of contacts that became several events: those before the last one.

use ruma::{EventId, OwnedEventId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::{
    domain::ids::{PortalKey, RemoteMessageId},
    port::storage::MessagePart,
};

pub(super) async fn add(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
    number: u32,
    event: &EventId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into message_part (login, ghost, remote_id, number, event)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .bind(i64::from(number))
    .bind(event.as_str())
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
    number: u32,
) -> Result<(), Error> {
    sqlx::query(
        "delete from message_part
         where login = $1 and ghost = $2 and remote_id = $3 and number = $4",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .bind(i64::from(number))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn of(
    database: &Database,
    portal: &PortalKey,
    remote_id: &RemoteMessageId,
) -> Result<Vec<MessagePart>, Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select number, event from message_part
         where login = $1 and ghost = $2 and remote_id = $3 order by number",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&remote_id.0)
    .fetch_all(database.reader())
    .await?;
    rows.into_iter().map(read).collect()
}

fn read((number, event): (i64, String)) -> Result<MessagePart, Error> {
    let unreadable = |column| Error::Unreadable { column };
    Ok(MessagePart {
        number: u32::try_from(number).map_err(|_| unreadable("message_part.number"))?,
        event: OwnedEventId::try_from(event).map_err(|_| unreadable("message_part.event"))?,
    })
}
