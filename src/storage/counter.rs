//! Ids of queue rows, in the order in which they are committed.

use super::{database::Writer, error::Error};

/// Gives out `count` ids and returns the one before the first.
///
/// From here until the end of the unit of work nobody else gets ids of this counter, so an id is never
/// visible before a smaller one. Take them before touching any other row: two units of work that lock
/// in different orders stop each other.
pub(super) async fn reserve(
    writer: &mut Writer<'_>,
    name: &'static str,
    count: usize,
) -> Result<i64, Error> {
    let count = i64::try_from(count).expect("a list in memory has fewer than 2^63 entries");
    let last: i64 =
        sqlx::query_scalar("update counter set last = last + $1 where name = $2 returning last")
            .bind(count)
            .bind(name)
            .fetch_one(&mut *writer.conn)
            .await?;
    Ok(last - count)
}
