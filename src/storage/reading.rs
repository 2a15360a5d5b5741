//! Which messages have been read, as far as the other side was told.

use super::{
    database::{Database, Writer},
    error::Error,
    message,
};
use crate::domain::{
    bridged::{Direction, Message},
    ids::{PortalKey, RemoteMessageId},
};

pub(super) async fn mark(
    writer: &mut Writer<'_>,
    portal: &PortalKey,
    messages: &[RemoteMessageId],
) -> Result<(), Error> {
    use crate::domain::bridged::Delivery::Read;
    for id in messages {
        message::move_forward(writer, portal, id, Direction::ToMatrix, Read).await?;
    }
    Ok(())
}

pub(super) async fn newest_of(
    database: &Database,
    portal: &PortalKey,
    messages: &[RemoteMessageId],
) -> Result<Option<Message>, Error> {
    let mut newest: Option<(i64, &RemoteMessageId)> = None;
    for id in messages {
        let place: Option<i64> = sqlx::query_scalar(
            "select place from message
             where login = $1 and ghost = $2 and remote_id = $3 and direction = 'to_network'",
        )
        .bind(&portal.login.0)
        .bind(&portal.ghost.0)
        .bind(&id.0)
        .fetch_optional(database.reader())
        .await?;
        newest = newest.max(place.map(|place| (place, id)));
    }
    match newest {
        // Where both directions have the id, this gives ours.
        Some((_, id)) => message::by_remote(database, portal, id).await,
        None => Ok(None),
    }
}

pub(super) async fn unread_up_to(
    database: &Database,
    portal: &PortalKey,
    last: &RemoteMessageId,
    limit: usize,
) -> Result<Vec<RemoteMessageId>, Error> {
    // The direction and the delivery (3 is read) stand here as in the index, or it is not used.
    let ids: Vec<String> = sqlx::query_scalar(
        "select remote_id from message
         where login = $1 and ghost = $2 and direction = 'to_matrix' and delivery < 3
           and event is not null
           and place <= (select place from message where login = $1 and ghost = $2
                           and remote_id = $3 and direction = 'to_matrix')
         order by place limit $4",
    )
    .bind(&portal.login.0)
    .bind(&portal.ghost.0)
    .bind(&last.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(database.reader())
    .await?;
    Ok(ids.into_iter().map(RemoteMessageId).collect())
}
