//! Opening a database: by URL, with its key, at its schema, for its owner alone.

use std::fmt::Write as _;

use causeway::{
    port::{Retry, Storage as _, storage::Change},
    storage::SqlStorage,
};
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    on_both,
    place::{MASTER_KEY, Place, dice},
};

on_both!(
    another_master_key_is_refused_in_words,
    the_schema_is_the_same_on_both,
    a_newer_database_is_refused_in_words,
    a_version_that_fails_half_way_leaves_the_database_as_it_was,
);

async fn another_master_key_is_refused_in_words(place: Place) {
    let storage = place.open().await;
    storage.commit(vec![Change::SettingSaved { key: "a", value: vec![1] }]).await.unwrap();
    storage.close().await;
    let failure = SqlStorage::open(&place.url, [8; 32], dice()).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.to_string().contains("another master key"), "{failure}");
    // And the refusal changed nothing.
    assert_eq!(place.open().await.setting("a").await.unwrap(), Some(vec![1]));
}

async fn the_schema_is_the_same_on_both(place: Place) {
    place.open().await.close().await;
    let raw = place.raw().await;
    let query = if place.url.starts_with("sqlite") {
        "select sqlite_master.name as tab, info.name as col, lower(info.type) as typ,
                case when info.\"notnull\" = 1 then 'not null' else 'null' end as nul
         from sqlite_master join pragma_table_info(sqlite_master.name) as info
         where sqlite_master.type = 'table' and sqlite_master.name not like '%sqlx%'
         order by 1, 2"
    } else {
        "select table_name::text as tab, column_name::text as col, data_type::text as typ,
                case when is_nullable = 'NO' then 'not null' else 'null' end as nul
         from information_schema.columns
         where table_schema = 'public' and table_name not like '%sqlx%'
         order by 1, 2"
    };
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&raw).await.unwrap();
    let mut schema = String::new();
    for row in rows {
        let [tab, col, typ, nul] =
            ["tab", "col", "typ", "nul"].map(|name| row.get::<String, _>(name));
        writeln!(schema, "{tab}.{col} {typ} {nul}").unwrap();
    }
    insta::assert_snapshot!("schema", schema);
}

async fn a_newer_database_is_refused_in_words(place: Place) {
    place.open().await.close().await;
    let raw = place.raw().await;
    sqlx::query("update _sqlx_migrations set version = version + 90000000000000")
        .execute(&raw)
        .await
        .unwrap();
    raw.close().await;
    let failure = SqlStorage::open(&place.url, MASTER_KEY, dice()).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.to_string().contains("newer version"), "{failure}");
}

/// The tables of the database, and how many of the steps to this version are written down.
async fn tables(place: &Place) -> (Vec<String>, i64) {
    let query = if place.url.starts_with("sqlite") {
        "select name as tab from sqlite_master where type in ('table', 'index') order by 1"
    } else {
        "select relname::text as tab from pg_class where relnamespace = 'public'::regnamespace
         order by 1"
    };
    let raw = place.raw().await;
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&raw).await.unwrap();
    let tables: Vec<String> = rows.iter().map(|row| row.get("tab")).collect();
    let mut steps = 0;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        let count = sqlx::query_scalar("select count(*) from _sqlx_migrations");
        steps = count.fetch_one(&raw).await.unwrap();
    }
    raw.close().await;
    (tables, steps)
}

/// Past the bridge.
async fn alter(place: &Place, statements: &[&'static str]) {
    let raw = place.raw().await;
    for statement in statements {
        sqlx::query(*statement).execute(&raw).await.unwrap();
    }
    raw.close().await;
}

async fn a_version_that_fails_half_way_leaves_the_database_as_it_was(place: Place) {
    // A new database, whose last but one step fails in the middle.
    alter(&place, &["create table room (x bigint)"]).await;
    let before = tables(&place).await;
    let failure = SqlStorage::open(&place.url, MASTER_KEY, dice()).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.to_string().contains("left as it was"), "{failure}");
    assert_eq!(tables(&place).await, before);
    alter(&place, &["drop table room"]).await;

    // A database of the version before, with something in it.
    let storage = place.open().await;
    storage.commit(vec![Change::SettingSaved { key: "a", value: vec![1] }]).await.unwrap();
    storage.close().await;
    let newest = "delete from _sqlx_migrations
         where version = (select max(version) from _sqlx_migrations)";
    alter(&place, &["drop table lease", newest, "create table lease (x bigint)"]).await;
    let before = tables(&place).await;
    let failure = SqlStorage::open(&place.url, MASTER_KEY, dice()).await.unwrap_err();
    assert!(failure.to_string().contains("left as it was"), "{failure}");
    assert_eq!(tables(&place).await, before);
    alter(&place, &["drop table lease"]).await;
    assert_eq!(place.open().await.setting("a").await.unwrap(), Some(vec![1]));
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused_without_repeating_it() {
    for url in ["causeway.db", "mysql://u:hunter2@host/db", "postgres://u:hunter2@host:port/db"] {
        let failure = SqlStorage::open(url, MASTER_KEY, dice()).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
    }
    for url in ["sqlite::memory:", "sqlite:x.db?mode=memory"] {
        let failure = SqlStorage::open(url, MASTER_KEY, dice()).await.unwrap_err();
        assert!(failure.to_string().contains("loses messages"), "{failure}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    // Bound and not listening: nobody else takes the port, and nobody answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://causeway@{}/causeway", listener.local_addr().unwrap());
    drop(listener);
    let failure = SqlStorage::open(&url, MASTER_KEY, dice()).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::sqlite();
    let storage = place.open().await;
    storage.commit(vec![Change::SettingSaved { key: "a", value: vec![1] }]).await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(place.folder.as_ref().unwrap().path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
        files += 1;
    }
    assert!(files >= 2, "the log of the WAL mode is one of them");
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() {
    let place = Place::sqlite();
    let url = place.url.replace("causeway.db", "no/such/causeway.db");
    let failure = SqlStorage::open(&url, MASTER_KEY, dice()).await.unwrap_err();
    assert!(failure.to_string().contains("no/such/causeway.db"), "{failure}");
}
