//! Which messages are reactions to which. Of each side's to one message, one is current.

use super::{
    database::{Database, Writer},
    error::Error,
    message::direction_to_text,
};
use crate::domain::{
    bridged::{Direction, Reaction},
    ids::{PortalKey, RemoteMessageId},
};

/// Replaces what the same side reacted with before.
pub(super) async fn save(writer: &mut Writer<'_>, reaction: &Reaction) -> Result<(), Error> {
    let Reaction { portal, direction, target, remote_id } = reaction;
    remove(writer, portal, *direction, target).await?;
    sqlx::query(
        "insert into reaction (login, ghost, direction, target, remote_id, is_current)
         values ($1, $2, $3, $4, $5, 1)
         on conflict (login, ghost, direction, remote_id) do update set is_current = 1",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(direction_to_text(*direction))
    .bind(&target.0)
    .bind(&remote_id.0)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Leaves the side without a current reaction to the target.
pub(super) async fn remove(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    direction: Direction,
    target: &RemoteMessageId,
) -> Result<(), Error> {
    sqlx::query(
        "update reaction set is_current = 0
         where login = $1 and ghost = $2 and direction = $3 and target = $4",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(direction_to_text(direction))
    .bind(&target.0)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn on(
    database: &Database,
    portal: &PortalKey,
    direction: Direction,
    target: &RemoteMessageId,
) -> Result<Option<RemoteMessageId>, Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select remote_id from reaction
         where login = $1 and ghost = $2 and direction = $3 and target = $4 and is_current = 1",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(direction_to_text(direction))
    .bind(&target.0)
    .fetch_optional(database.reader())
    .await?;
    Ok(found.map(RemoteMessageId))
}

pub(super) async fn target(
    database: &Database,
    portal: &PortalKey,
    direction: Direction,
    remote_id: &RemoteMessageId,
) -> Result<Option<RemoteMessageId>, Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select target from reaction
         where login = $1 and ghost = $2 and direction = $3 and remote_id = $4",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(direction_to_text(direction))
    .bind(&remote_id.0)
    .fetch_optional(database.reader())
    .await?;
    Ok(found.map(RemoteMessageId))
}
