//! The outbox: what is ready to leave, in order for each lane and destination.

use super::{
    database::{Database, Writer},
    error::Error,
    inbox::{login_of, read_lane},
};
use crate::{
    domain::{
        bridged::Timestamp,
        ids::{Lane, LoginId},
        item::{Destination, OutboxItem},
    },
    port::storage::{OutboxId, OutboxRow},
};

const ITEM: &str = "outbox.item_sealed";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    item_sealed: Vec<u8>,
    attempts: i64,
    not_before: i64,
}

pub(super) async fn add(
    writer: &mut Writer<'_>,
    id: i64,
    lane: &Lane,
    item: &OutboxItem,
) -> Result<(), Error> {
    let destination = item.destination();
    let login = match &destination {
        Destination::Network(LoginId(login)) => Some(login.as_str()),
        Destination::Homeserver => login_of(lane),
    };
    let item = serde_json::to_vec(item).map_err(|_| Error::Unreadable { column: ITEM })?;
    sqlx::query(
        "insert into outbox (id, destination, lane, login, item_sealed, attempts, not_before)
         values ($1, $2, $3, $4, $5, 0, 0)",
    )
    .bind(id)
    .bind(destination_to_text(&destination))
    .bind(lane.to_text())
    .bind(login)
    .bind(writer.sealer.seal(ITEM, &[&id.to_string()], &item))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(writer: &mut Writer<'_>, OutboxId(id): OutboxId) -> Result<(), Error> {
    sqlx::query("delete from outbox where id = $1").bind(id).execute(&mut *writer.conn).await?;
    Ok(())
}

pub(super) async fn park(
    writer: &mut Writer<'_>,
    OutboxId(id): OutboxId,
    until: Timestamp,
    attempts: u32,
) -> Result<(), Error> {
    sqlx::query("update outbox set not_before = $1, attempts = $2 where id = $3")
        .bind(until)
        .bind(i64::from(attempts))
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn quarantine(
    writer: &mut Writer<'_>,
    OutboxId(id): OutboxId,
    reason: &str,
) -> Result<(), Error> {
    sqlx::query("update outbox set quarantine_reason = $1 where id = $2")
        .bind(reason)
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

/// The lane with the oldest row first.
pub(super) async fn lanes(database: &Database, to: &Destination) -> Result<Vec<Lane>, Error> {
    let lanes: Vec<String> = sqlx::query_scalar(
        "select lane from outbox where destination = $1 and quarantine_reason is null
         group by lane order by min(id)",
    )
    .bind(destination_to_text(to))
    .fetch_all(database.reader())
    .await?;
    lanes.iter().map(|lane| read_lane(lane, "outbox.lane")).collect()
}

pub(super) async fn next(
    database: &Database,
    lane: &Lane,
    to: &Destination,
) -> Result<Option<OutboxRow>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, item_sealed, attempts, not_before from outbox
         where destination = $1 and lane = $2 and quarantine_reason is null
         order by id limit 1",
    )
    .bind(destination_to_text(to))
    .bind(lane.to_text())
    .fetch_optional(database.reader())
    .await?;
    let Some(Row { id, item_sealed, attempts, not_before }) = row else { return Ok(None) };
    let item = database.sealer().open(ITEM, &[&id.to_string()], &item_sealed)?;
    Ok(Some(OutboxRow {
        id: OutboxId(id),
        lane: lane.clone(),
        item: serde_json::from_slice(&item).map_err(|_| Error::Unreadable { column: ITEM })?,
        attempts: u32::try_from(attempts)
            .map_err(|_| Error::Unreadable { column: "outbox.attempts" })?,
        not_before,
    }))
}

fn destination_to_text(destination: &Destination) -> String {
    match destination {
        Destination::Homeserver => "homeserver".to_owned(),
        Destination::Network(LoginId(login)) => format!("network/{login}"),
    }
}
