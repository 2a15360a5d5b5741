//! What the people of logins have chosen.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{choices::Choices, identity::IdentityPolicy, ids::LoginId};

const POLICY: &str = "choices.identity_changes";

pub(super) async fn save(
    writer: &mut Writer<'_>,
    LoginId(login): &LoginId,
    choices: Choices,
) -> Result<(), Error> {
    let Choices { read_receipts, typing, identity_changes } = choices;
    sqlx::query(
        "insert into choices (login, read_receipts, typing, identity_changes)
         values ($1, $2, $3, $4)
         on conflict (login) do update
         set read_receipts = excluded.read_receipts, typing = excluded.typing,
             identity_changes = excluded.identity_changes",
    )
    .bind(login)
    .bind(i64::from(read_receipts))
    .bind(i64::from(typing))
    .bind(identity_changes.name())
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Those of a login that never chose are the default.
pub(super) async fn of(database: &Database, LoginId(login): &LoginId) -> Result<Choices, Error> {
    let row: Option<(i64, i64, String)> = sqlx::query_as(
        "select read_receipts, typing, identity_changes from choices where login = $1",
    )
    .bind(login)
    .fetch_optional(database.reader())
    .await?;
    let Some((read_receipts, typing, policy)) = row else { return Ok(Choices::default()) };
    Ok(Choices {
        read_receipts: read_receipts != 0,
        typing: typing != 0,
        identity_changes: IdentityPolicy::from_name(&policy)
            .ok_or(Error::Unreadable { column: POLICY })?,
    })
}
