//! Notices that may turn out wrong, so that they can be edited.

use ruma::{EventId, OwnedEventId};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::{domain::ids::PortalKey, port::storage::SaidNotice};

pub(super) async fn add(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    about: &str,
) -> Result<(), Error> {
    sqlx::query(
        "insert into notice (login, ghost, about) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(about)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn set_event(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    about: &str,
    event: &EventId,
) -> Result<(), Error> {
    sqlx::query("update notice set event = $1 where login = $2 and ghost = $3 and about = $4")
        .bind(event.as_str())
        .bind(&portal.login.0)
        .bind(&portal.ghost.0)
        .bind(about)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn remove(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    about: &str,
) -> Result<(), Error> {
    sqlx::query("delete from notice where login = $1 and ghost = $2 and about = $3")
        .bind(&portal.login.0)
        .bind(&portal.ghost.0)
        .bind(about)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    portal: &PortalKey,
    about: &str,
) -> Result<Option<SaidNotice>, Error> {
    let found: Option<Option<String>> = sqlx::query_scalar(
        "select event from notice where login = $1 and ghost = $2 and about = $3",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(about)
    .fetch_optional(database.reader())
    .await?;
    let Some(event) = found else { return Ok(None) };
    let event = event.map(OwnedEventId::try_from).transpose();
    let event = event.map_err(|_| Error::Unreadable { column: "notice.event" })?;
    Ok(Some(SaidNotice { event }))
}
