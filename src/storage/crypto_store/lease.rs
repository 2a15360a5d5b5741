//! Leases: which process may use an owner's keys for a while.
//!
//! The bridge has one process and takes none; they are here because the trait promises them.

use std::time::SystemTime;

use crate::storage::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};

/// Takes or prolongs a lease. The output is its generation, or `None` while somebody else has it.
pub(super) struct Take<'t> {
    pub(super) owner: &'t str,
    pub(super) name: &'t str,
    pub(super) holder: &'t str,
    pub(super) duration_ms: u32,
}

impl UnitOfWork for Take<'_> {
    type Output = Option<u64>;

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<Option<u64>>, Error> {
        let now = now_ms();
        // One statement, because between two of them somebody else could take it.
        let generation: Option<i64> = sqlx::query_scalar(
            "insert into key_lease (owner, name, holder, generation, expires_at)
             values ($1, $2, $3, 1, $4)
             on conflict (owner, name) do update
             set generation = case
                     when key_lease.holder = excluded.holder then key_lease.generation
                     else key_lease.generation + 1
                 end,
                 holder = excluded.holder,
                 expires_at = excluded.expires_at
             where key_lease.holder = excluded.holder or key_lease.expires_at <= $5
             returning generation",
        )
        .bind(self.owner)
        .bind(self.name)
        .bind(self.holder)
        .bind(now.saturating_add(i64::from(self.duration_ms)))
        .bind(now)
        .fetch_optional(&mut *writer.conn)
        .await?;
        Ok(Verdict::Keep(generation.and_then(|generation| u64::try_from(generation).ok())))
    }
}

/// Milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a lease is agreed between processes by the clock on the wall, and the trait that asks \
              for it passes none"
)]
fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
