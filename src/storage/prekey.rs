//! The one-time prekeys that the network may still hand out for a login.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::{domain::ids::LoginId, signal::PreKey};

const KEY: &str = "prekey.key_sealed";

pub(super) async fn add(
    writer: &mut Writer<'_>,
    LoginId(login): &LoginId,
    prekeys: &[PreKey],
) -> Result<(), Error> {
    for prekey in prekeys {
        let id = i64::from(prekey.id());
        let outcome = sqlx::query(
            "insert into prekey (login, id, key_sealed) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(login)
        .bind(id)
        .bind(writer.sealer.seal(KEY, &[login, &id.to_string()], &prekey.to_bytes()))
        .execute(&mut *writer.conn)
        .await?;
        // Two keys under one id would break the sessions that start with either.
        if outcome.rows_affected() == 0 {
            return Err(Error::Overtaken("the id of a prekey was given out meanwhile"));
        }
    }
    let last = prekeys.iter().map(PreKey::id).max().unwrap_or(0);
    sqlx::query("update login set prekey_last_id = $1 where id = $2 and prekey_last_id < $1")
        .bind(i64::from(last))
        .bind(login)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn spend(
    writer: &mut Writer<'_>,
    LoginId(login): &LoginId,
    id: u32,
) -> Result<(), Error> {
    sqlx::query("delete from prekey where login = $1 and id = $2")
        .bind(login)
        .bind(i64::from(id))
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    LoginId(login): &LoginId,
    id: u32,
) -> Result<Option<PreKey>, Error> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("select key_sealed from prekey where login = $1 and id = $2")
            .bind(login)
            .bind(i64::from(id))
            .fetch_optional(database.reader())
            .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let bytes = database.sealer().open(KEY, &[login, &id.to_string()], &sealed)?;
    PreKey::from_bytes(&bytes).map(Some).map_err(|_| Error::Unreadable { column: KEY })
}

pub(super) async fn last_id(database: &Database, LoginId(login): &LoginId) -> Result<u32, Error> {
    let last: Option<i64> = sqlx::query_scalar("select prekey_last_id from login where id = $1")
        .bind(login)
        .fetch_optional(database.reader())
        .await?;
    u32::try_from(last.unwrap_or(0))
        .map_err(|_| Error::Unreadable { column: "login.prekey_last_id" })
}
