//! Small values that the bridge keeps under a name of its own.

use super::{
    database::{Database, Writer},
    error::Error,
};

const VALUE: &str = "setting.value_sealed";

pub(super) async fn save(writer: &mut Writer<'_>, name: &str, value: &[u8]) -> Result<(), Error> {
    sqlx::query(
        "insert into setting (name, value_sealed) values ($1, $2)
         on conflict (name) do update set value_sealed = excluded.value_sealed",
    )
    .bind(name)
    .bind(writer.sealer.seal(VALUE, &[name], value))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn find(database: &Database, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("select value_sealed from setting where name = $1")
            .bind(name)
            .fetch_optional(database.reader())
            .await?;
    let open = |sealed: Vec<u8>| database.sealer().open(VALUE, &[name], &sealed);
    Ok(sealed.map(open).transpose()?.map(|value| value.to_vec()))
}
