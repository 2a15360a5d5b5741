//! The lease: one process works with a database, and a second one refuses to start.
//!
//! Two things make it. The **guard** dies with the process that holds it, however that ends, so that a
//! restart after a crash waits for nothing to run out. No mechanism does this in both databases, so there are
//! two: on PostgreSQL an advisory lock that all connections of the holder share, on SQLite, which has no
//! sessions, the operating system's lock of a file beside the database. The **row** says who holds the lease
//! since when, and it is the fence: a holder that lost the guard unnoticed (the server was restarted, the file
//! was removed) finds another name there before it can write anything. On PostgreSQL each connection looks
//! when it is made, and nobody takes over before all of the former holder's are gone; on SQLite, where
//! connections outlive the guard, every transaction looks.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::{Mutex, PoisonError},
};

use chrono::DateTime;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, any::AnyConnectOptions};
use tokio_util::sync::CancellationToken;

use super::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};
use crate::{
    domain::{bridged::Timestamp, limits},
    port::{Entropy, Failure},
};

/// Who asks for the lease, as a person reads it when another one is refused.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Such as "process 12 on alpha".
    pub name: String,
    pub since: Timestamp,
}

/// A lease that this process holds.
#[derive(Debug)]
pub(super) struct Lease {
    /// Unlike any other holder, also of the same name.
    id: String,
    lost: CancellationToken,
    /// SQLite's guard.
    file: Mutex<Option<File>>,
}

/// A look at the row. One that writes shows whether there is room for so much.
pub(super) struct Look<'l> {
    pub(super) lease: &'l Lease,
    pub(super) ballast: Option<&'l [u8]>,
}

/// As much as a database must be able to take before it is said to be well: something small may find room
/// on a disk that is full. It cannot be compressed, as PostgreSQL would do.
pub(super) fn ballast() -> Vec<u8> {
    let mut state = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    bytes.take(limits::BALLAST_BYTES).collect()
}

impl UnitOfWork for Look<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        self.lease.check(writer.conn).await?;
        let Some(ballast) = self.ballast else { return Ok(Verdict::Discard(())) };
        sqlx::query("update lease set ballast = $1 where name = $2")
            .bind(ballast.to_vec())
            .bind(NAME)
            .execute(&mut *writer.conn)
            .await?;
        Ok(Verdict::Keep(()))
    }
}

/// A guard that somebody else has.
pub(super) struct Taken;

/// The one row.
const NAME: &str = "bridge";

/// The key of PostgreSQL's lock, with the schema, since a database may hold several.
const LOCK: &str = "(1668642165, hashtext(current_schema()::text))";

/// How the server finds out that a client's machine is gone, which cannot say so any more: two questions
/// after a silence, [`limits::LEASE_OUTLIVES`] in all.
fn keepalive() -> String {
    let (idle, interval) = (limits::LEASE_OUTLIVES / 2, limits::LEASE_OUTLIVES / 4);
    format!(
        "set_config('tcp_keepalives_idle', '{}', false), \
         set_config('tcp_keepalives_interval', '{}', false), \
         set_config('tcp_keepalives_count', '2', false)",
        idle.as_secs(),
        interval.as_secs()
    )
}

impl Lease {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut id = [0; 16];
        entropy.fill(&mut id);
        Self { id: hex::encode(id), lost: CancellationToken::new(), file: Mutex::new(None) }
    }

    /// Tries to become SQLite's holder.
    pub(super) async fn lock_file(&self, database: &Path) -> Result<Result<(), Taken>, Failure> {
        let mut path = database.as_os_str().to_owned();
        path.push("-lease");
        let named = format!("the lock file {}", Path::new(&path).display());
        let file = tokio::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .await
            .map_err(|error| Failure::never(format!("{named} cannot be made")).because(error))?;
        let file = file.into_std().await;
        match file.try_lock() {
            Ok(()) => {
                *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
                Ok(Ok(()))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(Taken)),
            Err(TryLockError::Error(error)) => {
                Err(Failure::never(format!("{named} cannot be locked")).because(error))
            }
        }
    }

    /// Tries to become PostgreSQL's holder, as which nobody else has a connection.
    pub(super) async fn lock_server(
        &self,
        conn: &mut AnyConnection,
    ) -> Result<Result<(), Taken>, Error> {
        let statement = format!("select pg_try_advisory_lock{LOCK} as taken, {}", keepalive());
        Ok(if asked(conn, statement).await? { Ok(()) } else { Err(Taken) })
    }

    /// From here on further connections may join.
    pub(super) async fn share_server(&self, conn: &mut AnyConnection) -> Result<(), Error> {
        asked(conn, format!("select pg_try_advisory_lock_shared{LOCK} as taken")).await?;
        asked(conn, format!("select pg_advisory_unlock{LOCK} as taken")).await?;
        Ok(())
    }

    /// A further connection to PostgreSQL. It fails while somebody else takes over and afterwards.
    pub(super) async fn join(&self, conn: &mut AnyConnection) -> Result<(), Error> {
        let shared = format!("pg_try_advisory_lock_shared{LOCK} as taken");
        let statement = format!("select {shared}, {}", keepalive());
        if !asked(conn, statement).await? {
            return Err(Error::LeaseLost);
        }
        self.check(conn).await
    }

    /// Writes down who holds it from now on. The guard must be held.
    pub(super) async fn claim(
        &self,
        conn: &mut AnyConnection,
        holder: &Holder,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into lease (name, holder, holder_name, since) values ($1, $2, $3, $4)
             on conflict (name) do update set holder = excluded.holder,
                 holder_name = excluded.holder_name, since = excluded.since",
        )
        .bind(NAME)
        .bind(&self.id)
        .bind(&holder.name)
        .bind(holder.since)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Whether the row still names this holder.
    pub(super) async fn check(&self, conn: &mut AnyConnection) -> Result<(), Error> {
        let holder: Option<String> = sqlx::query_scalar("select holder from lease where name = $1")
            .bind(NAME)
            .fetch_optional(conn)
            .await?;
        if holder.as_ref() == Some(&self.id) {
            return Ok(());
        }
        self.lost.cancel();
        Err(Error::LeaseLost)
    }

    /// Resolves when somebody looked and another name was there.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// After the last connection is closed.
    pub(super) fn end(&self) {
        drop(self.file.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

async fn asked(conn: &mut AnyConnection, statement: String) -> Result<bool, Error> {
    // Made of constants.
    let statement = sqlx::AssertSqlSafe(statement);
    let answer: (bool,) = sqlx::query_as(statement).fetch_one(conn).await?;
    Ok(answer.0)
}

/// Why a second instance does not start.
pub(super) async fn refusal(options: &AnyConnectOptions) -> Failure {
    let holder = match named(options).await {
        Some(Holder { name, since }) => {
            let since = DateTime::from_timestamp_millis(since).unwrap_or_default();
            format!("{name}, since {}", since.format("%Y-%m-%d %H:%M:%S UTC"))
        }
        None => "it has just started, and did not say yet which it is".to_owned(),
    };
    Failure::never(format!(
        "another instance of the bridge works with this database ({holder}); stop it first, or give \
         this one a database of its own: two would spoil each other's keys"
    ))
}

/// Nothing if the table is not there yet, or nobody has written into it.
async fn named(options: &AnyConnectOptions) -> Option<Holder> {
    let mut conn = options.connect().await.ok()?;
    let row: Result<Option<(String, i64)>, _> =
        sqlx::query_as("select holder_name, since from lease where name = $1")
            .bind(NAME)
            .fetch_optional(&mut conn)
            .await;
    drop(conn.close().await);
    row.ok().flatten().map(|(name, since)| Holder { name, since })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_questions_after_a_silence_take_as_long_as_a_lease_outlives_its_machine() {
        let said = keepalive();
        let seconds: Vec<u64> = said.split('\'').filter_map(|word| word.parse().ok()).collect();
        let [silence, pause, questions] = seconds[..] else { panic!("{said}") };
        assert_eq!(silence + pause * questions, limits::LEASE_OUTLIVES.as_secs());
    }
}
