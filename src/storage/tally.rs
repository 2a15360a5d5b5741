//! How much there is of a login that is kept without being shown.

use super::{database::Database, error::Error};
use crate::domain::{export::Tally, ids::LoginId};

pub(super) async fn of(database: &Database, LoginId(login): &LoginId) -> Result<Tally, Error> {
    let (messages, reactions, sessions, prekeys, waiting_in, waiting_out): (
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
    ) = sqlx::query_as(
        "select (select count(*) from message where login = $1),
                (select count(*) from reaction where login = $1),
                (select count(*) from session where login = $1),
                (select count(*) from prekey where login = $1),
                (select count(*) from inbox where login = $1),
                (select count(*) from outbox where login = $1)",
    )
    .bind(login)
    .fetch_one(database.reader())
    .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Tally {
        messages: count(messages),
        reactions: count(reactions),
        sessions: count(sessions),
        one_time_keys: count(prekeys),
        waiting_for_matrix: count(waiting_in),
        waiting_to_leave: count(waiting_out),
    })
}
