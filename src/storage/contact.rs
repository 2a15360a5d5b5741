//! How logins stand to their contacts.

use super::{
    database::{Database, Writer},
    error::Error,
};
use crate::domain::{
    bridged::{Contact, Timestamp},
    consent::ContactState,
    ids::{GhostKey, LoginId, PortalKey},
};

const STATE: &str = "contact.state";

/// Writes even where nothing changes: the row's lock makes one decision about a contact wait for the
/// other.
pub(super) async fn move_on(
    writer: &mut Writer<'_>,
    PortalKey { login, ghost }: &PortalKey,
    from: ContactState,
    to: ContactState,
    at: Timestamp,
) -> Result<(), Error> {
    let query = if from == ContactState::Unknown {
        sqlx::query(
            "insert into contact (login, ghost, state, since) values ($1, $2, $3, $4)
             on conflict do nothing",
        )
    } else {
        sqlx::query(
            "update contact set state = $3, since = case when state = $3 then since else $4 end
             where login = $1 and ghost = $2 and state = $5",
        )
    };
    let query = query.bind(&login.0).bind(&ghost.0).bind(to.name()).bind(at);
    let query = if from == ContactState::Unknown { query } else { query.bind(from.name()) };
    if query.execute(&mut *writer.conn).await?.rows_affected() == 0 {
        return Err(Error::Overtaken("a contact's state changed meanwhile"));
    }
    Ok(())
}

pub(super) async fn state(
    database: &Database,
    PortalKey { login, ghost }: &PortalKey,
) -> Result<ContactState, Error> {
    let state: Option<String> =
        sqlx::query_scalar("select state from contact where login = $1 and ghost = $2")
            .bind(&login.0)
            .bind(&ghost.0)
            .fetch_optional(database.reader())
            .await?;
    state.map_or(Ok(ContactState::Unknown), |state| read(&state))
}

pub(super) async fn of_login(
    database: &Database,
    LoginId(login): &LoginId,
) -> Result<Vec<Contact>, Error> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("select ghost, state, since from contact where login = $1 order by ghost")
            .bind(login)
            .fetch_all(database.reader())
            .await?;
    rows.into_iter()
        .map(|(ghost, state, since)| {
            Ok(Contact { ghost: GhostKey(ghost), state: read(&state)?, since })
        })
        .collect()
}

pub(super) async fn requests_before(
    database: &Database,
    at: Timestamp,
    limit: u32,
) -> Result<Vec<PortalKey>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select login, ghost from contact where state = 'requested' and since < $1
         order by since limit $2",
    )
    .bind(at)
    .bind(i64::from(limit))
    .fetch_all(database.reader())
    .await?;
    let key = |(login, ghost)| PortalKey { login: LoginId(login), ghost: GhostKey(ghost) };
    Ok(rows.into_iter().map(key).collect())
}

fn read(state: &str) -> Result<ContactState, Error> {
    ContactState::from_name(state).ok_or(Error::Unreadable { column: STATE })
}
