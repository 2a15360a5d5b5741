//! Whose devices an owner keeps up to date.

use matrix_sdk_crypto::{TrackedUser, store::CryptoStoreError};
use ruma::{OwnedUserId, UserId};

use super::SqlCryptoStore;
use crate::storage::{
    database::{Database, UnitOfWork, Verdict, Writer},
    error::Error,
};

const USER: &str = "key_tracked_user.user_id";

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    dirty: i64,
}

/// Saves every user, and whether their devices are to be asked for again.
pub(super) struct Save<'s> {
    pub(super) store: &'s SqlCryptoStore,
    pub(super) users: &'s [(&'s UserId, bool)],
}

impl UnitOfWork for Save<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        for (user, dirty) in self.users {
            sqlx::query(
                "insert into key_tracked_user (owner, user_id, owner_user, dirty)
                 values ($1, $2, $3, $4)
                 on conflict (owner, user_id) do update set dirty = excluded.dirty",
            )
            .bind(&self.store.owner)
            .bind(user.as_str())
            .bind(self.store.user.as_str())
            .bind(i64::from(*dirty))
            .execute(&mut *writer.conn)
            .await?;
        }
        Ok(Verdict::Keep(()))
    }
}

/// Which of our users track the devices of `user`.
pub(crate) async fn users_tracking(
    database: &Database,
    user: &UserId,
) -> Result<Vec<OwnedUserId>, Error> {
    let owners: Vec<String> = sqlx::query_scalar(
        "select distinct owner_user from key_tracked_user where user_id = $1 order by owner_user",
    )
    .bind(user.as_str())
    .fetch_all(database.reader())
    .await?;
    owners.into_iter().map(read_user).collect()
}

fn read_user(user: String) -> Result<OwnedUserId, Error> {
    OwnedUserId::try_from(user).map_err(|_| Error::Unreadable { column: USER })
}

impl SqlCryptoStore {
    pub(super) async fn tracked_users(&self) -> Result<Vec<TrackedUser>, CryptoStoreError> {
        let rows: Vec<Row> =
            sqlx::query_as("select user_id, dirty from key_tracked_user where owner = $1")
                .bind(&self.owner)
                .fetch_all(self.database.reader())
                .await
                .map_err(|error| self.database.met(error))?;
        let read = |Row { user_id, dirty }| {
            Ok(TrackedUser { user_id: read_user(user_id)?, dirty: dirty != 0 })
        };
        rows.into_iter().map(read).collect()
    }
}
