//! The connections to the database, and units of work over them.
//!
//! This file and the lease are the only ones that know which of the two databases they talk to. SQLite
//! has one connection that writes and some that only read; PostgreSQL has one pool for both.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
    sqlite::SqliteConnectOptions,
};
use url::Url;
use zeroize::Zeroizing;

use super::{
    error::Error,
    lease::{self, Holder, Lease, Look, Taken},
    outage::Outage,
    seal::Sealer,
};
use crate::{
    domain::limits,
    port::{Clock, Entropy, Failure},
};

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
    lease: Option<Arc<Lease>>,
    outage: Outage,
}

/// How a database is opened.
pub(super) enum Opening<'o> {
    /// Next to whoever else has it open.
    Shared,
    /// As the only one.
    Alone { holder: Holder, clock: &'o dyn Clock },
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
        opening: Opening<'_>,
    ) -> Result<Self, Failure> {
        let master_key = Zeroizing::new(master_key);
        sqlx::any::install_default_drivers();
        // The parser's own error might repeat the URL, and with it a password.
        let options = AnyConnectOptions::from_str(url)
            .map_err(|_| Failure::never("the database URL is not a URL"))?;
        let engine = Engine::of(&options.database_url)?;
        let (writer, lease) = match engine {
            Engine::Sqlite => open_sqlite(&options, &*entropy, opening).await?,
            Engine::Postgres => open_postgres(&options, &*entropy, opening).await?,
        };
        let reader = match engine {
            Engine::Sqlite => sqlite_readers(options),
            Engine::Postgres => writer.clone(),
        };
        let sealer = Sealer::new(&master_key, entropy);
        let (begin, outage) = (engine.begin(), Outage::default());
        let database = Self { writer, reader, begin, engine, sealer, lease, outage };
        database.check_master_key().await?;
        Ok(database)
    }

    /// Resolves when somebody else has the database; never without a lease. The look notices as well
    /// that the database is away or back, when nobody else writes. One that is away is taken from
    /// nobody.
    pub(super) async fn lease_lost(&self, clock: &dyn Clock) -> Failure {
        let Some(lease) = &self.lease else { return std::future::pending().await };
        let looking = async {
            loop {
                self.look(lease).await;
                clock.sleep(limits::LEASE_LOOK).await;
            }
        };
        tokio::select! {
            () = lease.lost() => {}
            () = looking => {}
        }
        Error::LeaseLost.into()
    }

    async fn look(&self, lease: &Lease) {
        if self.outage.why().is_none() {
            drop(self.perform(&Look { lease, ballast: None }).await);
            return;
        }
        if self.perform(&Look { lease, ballast: Some(&lease::ballast()) }).await.is_ok() {
            drop(self.perform(&Look { lease, ballast: Some(&[]) }).await);
        }
    }

    /// An error that somebody met who read.
    pub(super) fn meet(&self, error: &Error) {
        self.outage.note(Some(error));
    }

    /// The same for an error as the library gives it.
    pub(super) fn met(&self, error: sqlx::Error) -> Error {
        let error = Error::from(error);
        self.meet(&error);
        error
    }

    /// How often anybody has found that the database cannot be used.
    pub(super) fn outages(&self) -> u64 {
        self.outage.met()
    }

    /// Why the database cannot be used at the moment. Whoever asks waits until it can: without a
    /// lease, at which somebody looks, nobody would find out.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lease.as_ref().and_then(|_| self.outage.why())
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
                outcome => {
                    self.outage.note(outcome.as_ref().err());
                    return outcome;
                }
            }
        }
    }

    async fn attempt<W: UnitOfWork>(&self, work: &W) -> Result<W::Output, Error> {
        let mut conn = self.writer.acquire().await?;
        let outcome = self.attempt_over(&mut conn, work).await;
        // With such an error SQLite ends the transaction by itself. The library believes that it goes on,
        // and would begin no other one over this connection, ever. And a server that could only be read
        // may treat a new session better.
        if outcome.as_ref().is_err_and(Error::is_outage) {
            drop(conn.detach());
        }
        outcome
    }

    async fn attempt_over<W: UnitOfWork>(
        &self,
        conn: &mut AnyConnection,
        work: &W,
    ) -> Result<W::Output, Error> {
        let mut transaction = conn.begin_with(self.begin).await?;
        if let (Engine::Sqlite, Some(lease)) = (self.engine, &self.lease) {
            lease.check(&mut transaction).await?;
        }
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
        if let Some(lease) = &self.lease {
            lease.end();
        }
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

    fn begin(self) -> &'static str {
        match self {
            // Waits for its turn at the beginning, where waiting is possible, and not at the first
            // write, where it is not once something was read.
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin",
        }
    }
}

type Opened = (AnyPool, Option<Arc<Lease>>);

async fn open_sqlite(
    options: &AnyConnectOptions,
    entropy: &dyn Entropy,
    opening: Opening<'_>,
) -> Result<Opened, Failure> {
    let path = make_sqlite_file(&options.database_url).await?;
    let lease = match &opening {
        Opening::Shared => None,
        Opening::Alone { clock, .. } => {
            let lease = Lease::new(entropy);
            let mut pauses = patience(*clock);
            while let Err(Taken) = lease.lock_file(&path).await? {
                if !pauses.pause().await {
                    return Err(lease::refusal(options).await);
                }
            }
            Some(Arc::new(lease))
        }
    };
    let writer = sqlite_writer(options.clone()).await.map_err(Error::from)?;
    let mut conn = writer.acquire().await.map_err(Error::from)?;
    migrate(&mut conn, Engine::Sqlite).await?;
    if let (Some(lease), Opening::Alone { holder, .. }) = (&lease, &opening) {
        lease.claim(&mut conn, holder).await?;
    }
    drop(conn);
    Ok((writer, lease))
}

async fn open_postgres(
    options: &AnyConnectOptions,
    entropy: &dyn Entropy,
    opening: Opening<'_>,
) -> Result<Opened, Failure> {
    // A pool tries until its patience ends; whoever starts the bridge shall know at once.
    let mut conn = options.connect().await.map_err(Error::from)?;
    let lease = match &opening {
        Opening::Shared => {
            migrate(&mut conn, Engine::Postgres).await?;
            None
        }
        Opening::Alone { holder, clock } => {
            let lease = Lease::new(entropy);
            let mut pauses = patience(*clock);
            while let Err(Taken) = lease.lock_server(&mut conn).await? {
                if !pauses.pause().await {
                    return Err(lease::refusal(options).await);
                }
            }
            migrate(&mut conn, Engine::Postgres).await?;
            lease.claim(&mut conn, holder).await?;
            lease.share_server(&mut conn).await?;
            Some(Arc::new(lease))
        }
    };
    let pool = postgres_pool(options.clone(), lease.clone()).await.map_err(Error::from)?;
    // Only now: the guard must not be free for a moment.
    drop(conn.close().await);
    Ok((pool, lease))
}

/// How long a starting bridge waits for the one before it to be gone.
struct Patience<'c> {
    clock: &'c dyn Clock,
    left: Duration,
}

fn patience(clock: &dyn Clock) -> Patience<'_> {
    Patience { clock, left: limits::LEASE_WAIT }
}

impl Patience<'_> {
    /// Whether to try once more.
    async fn pause(&mut self) -> bool {
        if self.left == limits::LEASE_WAIT {
            tracing::info!("another instance has the database; waiting for it to end");
        }
        let Some(left) = self.left.checked_sub(limits::LEASE_PAUSE) else { return false };
        self.left = left;
        self.clock.sleep(limits::LEASE_PAUSE).await;
        true
    }
}

async fn sqlite_writer(options: AnyConnectOptions) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(1)
        .after_connect(|conn, _| {
            Box::pin(async move {
                // A commit must be on the disk before we speak of it: hence `full`, which a log in
                // WAL mode does not have by default.
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

async fn postgres_pool(
    options: AnyConnectOptions,
    lease: Option<Arc<Lease>>,
) -> Result<AnyPool, sqlx::Error> {
    let pool = AnyPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS_MAX)
        .acquire_timeout(limits::DATABASE_WAIT);
    let Some(lease) = lease else { return pool.connect_with(options).await };
    // There is always a connection that has the guard: the look at the lease keeps one in use, and none
    // ends of old age.
    pool.max_lifetime(None)
        .after_connect(move |conn, _| {
            let lease = Arc::clone(&lease);
            Box::pin(async move { lease.join(conn).await.map_err(Error::into_sqlx) })
        })
        .connect_with(options)
        .await
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
async fn make_sqlite_file(url: &Url) -> Result<PathBuf, Failure> {
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
        Ok(_) => Ok(path.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(path.to_owned()),
        Err(error) => {
            let what = format!("the database file {} cannot be made", path.display());
            Err(Failure::never(what).because(error))
        }
    }
}

/// All of them or none: a version that fails half-way leaves the database to the one before it.
async fn migrate(conn: &mut AnyConnection, engine: Engine) -> Result<(), Failure> {
    let mut transaction = conn.begin_with(engine.begin()).await.map_err(Error::from)?;
    let migrated = MIGRATIONS.run_direct(None, &mut *transaction, false).await;
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) => Error::from(error).into(),
        MigrateError::VersionMissing(_) => Failure::never(
            "the database was made by a newer version of the bridge; start that version, or go back \
             to a backup from before it",
        )
        .because(error),
        other => Failure::never(
            "the database cannot be brought to this version, and was left as it was",
        )
        .because(other),
    })?;
    Ok(transaction.commit().await.map_err(Error::from)?)
}
