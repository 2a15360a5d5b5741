//! What the people of logins want their contacts to see.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{choices::Choices, ids::LoginId};

pub(super) async fn save(
    writer: &mut Writer<'_>,
    LoginId(login): &LoginId,
    choices: Choices,
) -> Result<(), Error> {
    let Choices { read_receipts, typing } = choices;
    sqlx::query(
        "insert into choices (login, read_receipts, typing) values ($1, $2, $3)
         on conflict (login) do update
         set read_receipts = excluded.read_receipts, typing = excluded.typing",
    )
    .bind(login)
    .bind(i64::from(read_receipts))
    .bind(i64::from(typing))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Those of a login that never chose are the default.
pub(super) async fn of(database: &Database, LoginId(login): &LoginId) -> Result<Choices, Error> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("select read_receipts, typing from choices where login = $1")
            .bind(login)
            .fetch_optional(database.reader())
            .await?;
    Ok(row.map_or_else(Choices::default, |(read_receipts, typing)| Choices {
        read_receipts: read_receipts != 0,
        typing: typing != 0,
    }))
}
