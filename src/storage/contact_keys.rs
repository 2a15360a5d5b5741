//! What people have said of their contacts' identity keys.

use serde::{Deserialize, Serialize};

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    identity::{ChangedKeys, ContactKeys},
    ids::PortalKey,
};

const KEYS: &str = "contact_keys.keys_sealed";

/// What is sealed. A new field needs a default.
#[derive(Serialize, Deserialize)]
struct Sealed {
    pending: Vec<(u16, [u8; 32])>,
    confirmed: Vec<(u16, [u8; 32])>,
    verified: Option<[u8; 32]>,
}

/// Refused if the row is not of the version that `keys` were made from.
pub(super) async fn save(
    writer: &mut Writer<'_>,
    PortalKey { login, ghost }: &PortalKey,
    keys: &ContactKeys,
) -> Result<(), Error> {
    let plain = |keys: &ChangedKeys| keys.iter().map(|(id, key)| (*id, *key.as_bytes())).collect();
    let sealed = Sealed {
        pending: plain(&keys.pending),
        confirmed: plain(&keys.confirmed),
        verified: keys.verified.map(|key| *key.as_bytes()),
    };
    let sealed = serde_json::to_vec(&sealed).map_err(|_| Error::Unreadable { column: KEYS })?;
    let saved = sqlx::query(
        "insert into contact_keys (login, ghost, version, keys_sealed) values ($1, $2, $3 + 1, $4)
         on conflict (login, ghost) do update
         set version = excluded.version, keys_sealed = excluded.keys_sealed
         where contact_keys.version = $3",
    )
    .bind(&login.0)
    .bind(&ghost.0)
    .bind(i64::from(keys.version))
    .bind(writer.sealer.seal(KEYS, &[&login.0, &ghost.0], &sealed))
    .execute(&mut *writer.conn)
    .await?;
    if saved.rows_affected() == 0 {
        return Err(Error::Overtaken("a contact's keys were judged meanwhile"));
    }
    Ok(())
}

pub(super) async fn of(
    database: &Database,
    PortalKey { login, ghost }: &PortalKey,
) -> Result<ContactKeys, Error> {
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "select version, keys_sealed from contact_keys where login = $1 and ghost = $2",
    )
    .bind(&login.0)
    .bind(&ghost.0)
    .fetch_optional(database.reader())
    .await?;
    let Some((version, sealed)) = found else { return Ok(ContactKeys::default()) };
    let plain = database.sealer().open(KEYS, &[&login.0, &ghost.0], &sealed)?;
    let unreadable = || Error::Unreadable { column: KEYS };
    let Sealed { pending, confirmed, verified } =
        serde_json::from_slice(&plain).map_err(|_| unreadable())?;
    let keys = |list: Vec<(u16, [u8; 32])>| list.into_iter().map(|(id, key)| (id, key.into()));
    Ok(ContactKeys {
        version: u32::try_from(version).map_err(|_| unreadable())?,
        pending: keys(pending).collect(),
        confirmed: keys(confirmed).collect(),
        verified: verified.map(Into::into),
    })
}
