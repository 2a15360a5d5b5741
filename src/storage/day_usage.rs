//! What people did on a day, for the limits that the operator set.

use ruma::UserId;

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::allowance::{Counted, Day, DayUsage, UsedToday};

pub(super) async fn add(writer: &mut Writer<'_>, used: &UsedToday) -> Result<(), Error> {
    let UsedToday { person, day: Day(day), what, amount } = used;
    // Nobody asks about a day that has passed.
    sqlx::query("delete from day_usage where day < $1")
        .bind(day)
        .execute(&mut *writer.conn)
        .await?;
    sqlx::query(
        "insert into day_usage (person, day, what, amount) values ($1, $2, $3, $4)
         on conflict (person, day, what) do update
         set amount = day_usage.amount + excluded.amount",
    )
    .bind(person.as_str())
    .bind(day)
    .bind(what.name())
    // Nothing is as much as that; a limit refused it long before.
    .bind(i64::try_from(*amount).unwrap_or(i64::MAX))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn of(
    database: &Database,
    person: &UserId,
    Day(day): Day,
) -> Result<DayUsage, Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select what, amount from day_usage where person = $1 and day = $2")
            .bind(person.as_str())
            .bind(day)
            .fetch_all(database.reader())
            .await?;
    let amount = |what: Counted| -> Result<u64, Error> {
        let row = rows.iter().find(|(name, _)| name == what.name());
        u64::try_from(row.map_or(0, |(_, amount)| *amount))
            .map_err(|_| Error::Unreadable { column: "day_usage.amount" })
    };
    Ok(DayUsage { contacts: amount(Counted::Contacts)?, media_bytes: amount(Counted::MediaBytes)? })
}
