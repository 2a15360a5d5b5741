//! Who agreed to which text, and when.

use ruma::UserId;

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::bridged::Consent;

#[derive(sqlx::FromRow)]
struct ConsentRow {
    text_version: i64,
    agreed_at: i64,
}

pub(super) async fn save(writer: &mut Writer<'_>, consent: &Consent) -> Result<(), Error> {
    sqlx::query(
        "insert into consent (person, text_version, agreed_at) values ($1, $2, $3)
         on conflict (person) do update
         set text_version = excluded.text_version, agreed_at = excluded.agreed_at",
    )
    .bind(consent.person.as_str())
    .bind(i64::from(consent.text_version))
    .bind(consent.agreed_at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn of(database: &Database, person: &UserId) -> Result<Option<Consent>, Error> {
    let row: Option<ConsentRow> =
        sqlx::query_as("select text_version, agreed_at from consent where person = $1")
            .bind(person.as_str())
            .fetch_optional(database.reader())
            .await?;
    let Some(ConsentRow { text_version, agreed_at }) = row else { return Ok(None) };
    let text_version = u32::try_from(text_version)
        .map_err(|_| Error::Unreadable { column: "consent.text_version" })?;
    Ok(Some(Consent { person: person.to_owned(), text_version, agreed_at }))
}
