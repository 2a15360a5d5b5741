//! The connections to the database, and units of work over them.
//!
//! This is the only file that knows which of the two databases it talks to. SQLite has one connection
//! that writes and some that only read; PostgreSQL has one pool for both.

use std::{path::Path, str::FromStr as _, sync::Arc};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
    sqlite::SqliteConnectOptions,
};
use url::Url;
use zeroize::Zeroizing;

use super::{error::Error, seal::Sealer};
use crate::port::{Entropy, Failure};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections to PostgreSQL; its own default allows a hundred for all of its clients.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// SQLite reads are short and from memory.
const SQLITE_READERS_MAX: u32 = 4;
/// How often a unit of work is run that only ever met another one.
const ATTEMPTS_MAX: u32 = 8;

const CANARY_COLUMN: &str = "seal_check.canary_sealed";
const CANARY_ROW: &str = "master key";

#[derive(Debug)]
pub(super) struct Database {
    writer: AnyPool,
    reader: AnyPool,
    begin: &'static str,
    engine: Engine,
    sealer: Sealer,
}

/// Statements that stand or fall together. They may be run more than once, each time on a fresh
/// transaction, so they must not remember anything.
pub(super) trait UnitOfWork: Sync {
    type Output: Send;

    fn run(
        &self,
        writer: &mut Writer<'_>,
    ) -> impl Future<Output = Result<Verdict<Self::Output>, Error>> + Send;
}

/// What becomes of a unit of work that met no error.
pub(super) enum Verdict<T> {
    Keep(T),
    /// Nothing of it is written.
    Discard(T),
}

/// Where the statements of a unit of work go.
pub(super) struct Writer<'c> {
    pub(super) conn: &'c mut AnyConnection,
    pub(super) sealer: &'c Sealer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Database {
    pub(super) async fn open(
        url: &str,
        master_key: [u8; 32],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Failure> {
        let master_key = Zeroizing::new(master_key);
        sqlx::any::install_default_drivers();
        // The parser's own error might repeat the URL, and with it a password.
        let options = AnyConnectOptions::from_str(url)
            .map_err(|_| Failure::never("the database URL is not a URL"))?;
        let engine = Engine::of(&options.database_url)?;
        if engine == Engine::Sqlite {
            make_sqlite_file(&options.database_url).await?;
        }
        let writer = engine.connect_writer(options.clone()).await.map_err(Error::from)?;
        migrate(&writer).await?;
        let reader = match engine {
            Engine::Sqlite => sqlite_readers(options),
            Engine::Postgres => writer.clone(),
        };
        let begin = match engine {
            // Waits for its turn at the beginning, where waiting is possible, and not at the first
            // write, where it is not once something was read.
            Engine::Sqlite => "begin immediate",
            Engine::Postgres => "begin",
        };
        let database =
            Self { writer, reader, begin, engine, sealer: Sealer::new(&master_key, entropy) };
        database.check_master_key().await?;
        Ok(database)
    }

    /// For single statements that only read.
    pub(super) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Runs the unit of work, again if it only met another one, and commits it.
    pub(super) async fn perform<W: UnitOfWork>(&self, work: &W) -> Result<W::Output, Error> {
        let mut attempt = 1;
        loop {
            match self.attempt(work).await {
                Err(error) if error.is_contention() && attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn attempt<W: UnitOfWork>(&self, work: &W) -> Result<W::Output, Error> {
        let mut transaction = self.writer.begin_with(self.begin).await?;
        let mut writer = Writer { conn: &mut transaction, sealer: &self.sealer };
        match work.run(&mut writer).await? {
            Verdict::Keep(output) => {
                transaction.commit().await?;
                Ok(output)
            }
            Verdict::Discard(output) => {
                transaction.rollback().await?;
                Ok(output)
            }
        }
    }

    /// Empties SQLite's log, which holds pages as they were, into the file. Nobody who reads at the
    /// moment is waited for: closing does the same at the latest.
    pub(super) async fn scrub(&self) {
        if self.engine == Engine::Sqlite {
            let emptied = self.writer.execute("pragma wal_checkpoint(truncate)").await;
            drop(emptied);
        }
    }

    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn check_master_key(&self) -> Result<(), Failure> {
        let canary = self.sealer.seal(CANARY_COLUMN, &[CANARY_ROW], b"causeway");
        sqlx::query(
            "insert into seal_check (name, canary_sealed) values ($1, $2) on conflict do nothing",
        )
        .bind(CANARY_ROW)
        .bind(canary)
        .execute(&self.writer)
        .await
        .map_err(Error::from)?;
        let canary: Vec<u8> =
            sqlx::query_scalar("select canary_sealed from seal_check where name = $1")
                .bind(CANARY_ROW)
                .fetch_one(&self.writer)
                .await
                .map_err(Error::from)?;
        self.sealer.open(CANARY_COLUMN, &[CANARY_ROW], &canary).map_err(|_| {
            Failure::never(
                "the database was sealed with another master key than the configured one; \
                 configure the key that it was made with",
            )
        })?;
        Ok(())
    }
}

impl Engine {
    fn of(url: &Url) -> Result<Self, Failure> {
        match url.scheme() {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            _ => Err(Failure::never(
                "the database URL must begin with sqlite: or postgres:, such as \
                 sqlite:causeway.db or postgres://user@host/causeway",
            )),
        }
    }

    async fn connect_writer(self, options: AnyConnectOptions) -> Result<AnyPool, sqlx::Error> {
        match self {
            Self::Sqlite => {
                AnyPoolOptions::new()
                    .max_connections(1)
                    .after_connect(|conn, _| {
                        Box::pin(async move {
                            // A commit must be on the disk before we speak of it: hence `full`,
                            // which a log in WAL mode does not have by default.
                            conn.execute("pragma journal_mode = wal").await?;
                            conn.execute("pragma synchronous = full").await?;
                            // What is deleted is gone from the file, not only from the tables.
                            conn.execute("pragma secure_delete = on").await?;
                            Ok(())
                        })
                    })
                    .connect_with(options)
                    .await
            }
            Self::Postgres => {
                // A pool tries until its patience ends; whoever starts the bridge shall know at once.
                options.connect().await?.close().await?;
                AnyPoolOptions::new()
                    .max_connections(POSTGRES_CONNECTIONS_MAX)
                    .connect_with(options)
                    .await
            }
        }
    }
}

fn sqlite_readers(options: AnyConnectOptions) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(SQLITE_READERS_MAX)
        .after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute("pragma query_only = true").await?;
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

/// Makes the file before SQLite does, because SQLite lets everybody read it. Its companions in WAL mode
/// take the file's permissions over.
async fn make_sqlite_file(url: &Url) -> Result<(), Failure> {
    let options = SqliteConnectOptions::from_url(url).map_err(Error::from)?;
    let path = options.get_filename();
    let in_memory = url.as_str().contains(":memory:") || url.as_str().contains("mode=memory");
    if in_memory || path == Path::new("") {
        return Err(Failure::never(
            "a database in memory loses messages; name a file, such as sqlite:causeway.db",
        ));
    }
    let made =
        tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await;
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let what = format!("the database file {} cannot be made", path.display());
            Err(Failure::never(what).because(error))
        }
    }
}

async fn migrate(writer: &AnyPool) -> Result<(), Failure> {
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        MigrateError::Execute(error) => Error::from(error).into(),
        MigrateError::VersionMissing(_) => {
            Failure::never("the database was made by a newer version of the bridge").because(error)
        }
        other => Failure::never("the database cannot be brought to this version").because(other),
    })
}
