//! Ghosts: whom they stand for, sealed, under a key that does not tell.

use super::{
    database::{Database, Writer},
    error::Error,
    seal::Sealer,
};
use crate::domain::{
    bridged::Ghost,
    ids::{GhostKey, RemoteUser},
};

const REMOTE: &str = "ghost.remote_sealed";
const DISPLAY_NAME: &str = "ghost.display_name_sealed";

#[derive(sqlx::FromRow)]
struct GhostRow {
    remote_sealed: Vec<u8>,
    display_name_sealed: Option<Vec<u8>>,
    prepared: i64,
}

pub(super) async fn save(writer: &mut Writer<'_>, ghost: &Ghost) -> Result<(), Error> {
    let Ghost { key: GhostKey(id), remote, display_name, prepared } = ghost;
    let sealer = writer.sealer;
    let display_name =
        display_name.as_ref().map(|name| sealer.seal(DISPLAY_NAME, &[id], name.as_bytes()));
    sqlx::query(
        "insert into ghost (id, remote_sealed, display_name_sealed, prepared)
         values ($1, $2, $3, $4)
         on conflict (id) do update
         set remote_sealed = excluded.remote_sealed,
             display_name_sealed =
                 coalesce(excluded.display_name_sealed, ghost.display_name_sealed),
             prepared = excluded.prepared",
    )
    .bind(id)
    .bind(sealer.seal(REMOTE, &[id], remote.0.as_bytes()))
    .bind(display_name)
    .bind(i64::from(*prepared))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn find(
    database: &Database,
    GhostKey(id): &GhostKey,
) -> Result<Option<Ghost>, Error> {
    let row: Option<GhostRow> = sqlx::query_as(
        "select remote_sealed, display_name_sealed, prepared from ghost where id = $1",
    )
    .bind(id)
    .fetch_optional(database.reader())
    .await?;
    let Some(GhostRow { remote_sealed, display_name_sealed, prepared }) = row else {
        return Ok(None);
    };
    let sealer = database.sealer();
    let display_name = display_name_sealed
        .map(|sealed| open_text(sealer, DISPLAY_NAME, id, &sealed))
        .transpose()?;
    Ok(Some(Ghost {
        key: GhostKey(id.clone()),
        remote: RemoteUser(open_text(sealer, REMOTE, id, &remote_sealed)?),
        display_name,
        prepared: prepared != 0,
    }))
}

fn open_text(
    sealer: &Sealer,
    column: &'static str,
    id: &str,
    sealed: &[u8],
) -> Result<String, Error> {
    String::from_utf8(sealer.open(column, &[id], sealed)?.to_vec())
        .map_err(|_| Error::Unreadable { column })
}
