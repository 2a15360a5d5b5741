//! The inbox: what came in and waits for its lane, and what was taken in already.

use super::{
    counter,
    database::{Database, UnitOfWork, Verdict, Writer},
    error::Error,
};
use crate::{
    domain::{
        bridged::Timestamp,
        ids::{Lane, LoginId, PortalKey},
    },
    port::storage::{InboxDraft, InboxId, InboxRow, Intake, IntakeKey},
};

const ITEM: &str = "inbox.item_sealed";
const KEY_HASH: &str = "intake.key_hash";

/// How long a repetition is recognised, in milliseconds: 30 days, for which the network keeps what
/// it could not deliver.
const INTAKE_KEY_AGE_MAX: Timestamp = 30 * 24 * 60 * 60 * 1000;

/// Takes in all drafts, or none of them.
pub(super) struct TakeIn<'t> {
    pub(super) key: &'t IntakeKey,
    pub(super) drafts: &'t [InboxDraft],
    pub(super) at: Timestamp,
    pub(super) rows_max: u64,
}

impl UnitOfWork for TakeIn<'_> {
    type Output = Intake;

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<Intake>, Error> {
        // First, because it makes one intake wait for the other: two that carry the same key both
        // would see that it is new.
        let mut id = counter::reserve(writer, "inbox", self.drafts.len()).await?;
        if !self.remember_key(writer).await? {
            return Ok(Verdict::Discard(Intake::Repeated));
        }
        if !self.has_room(writer).await? {
            return Ok(Verdict::Discard(Intake::Full));
        }
        for draft in self.drafts {
            id += 1;
            add(writer, id, draft).await?;
        }
        forget_old_keys(writer, self.at).await?;
        Ok(Verdict::Keep(Intake::Stored))
    }
}

impl TakeIn<'_> {
    /// Whether the key was new.
    async fn remember_key(&self, writer: &mut Writer<'_>) -> Result<bool, Error> {
        let (parts, login) = match self.key {
            IntakeKey::Transaction(id) => (["transaction", "", id], None),
            IntakeKey::Stanza { login: LoginId(login), about } => {
                (["stanza", login.as_str(), about], Some(login))
            }
        };
        let outcome = sqlx::query(
            "insert into intake (key_hash, login, at) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(writer.sealer.lookup(KEY_HASH, &parts))
        .bind(login)
        .bind(self.at)
        .execute(&mut *writer.conn)
        .await?;
        Ok(outcome.rows_affected() == 1)
    }

    async fn has_room(&self, writer: &mut Writer<'_>) -> Result<bool, Error> {
        if self.drafts.is_empty() {
            return Ok(true);
        }
        let waiting: i64 =
            // What is held or awaits keys has limits of its own: nobody fills the inbox with it.
            sqlx::query_scalar(
                "select count(*) from inbox
                 where quarantine_reason is null and lane not like 'held/%'
                 and lane not like 'awaiting-key/%'",
            )
            .fetch_one(&mut *writer.conn)
            .await?;
        let after = u64::try_from(waiting).unwrap_or(0).saturating_add(self.drafts.len() as u64);
        Ok(after <= self.rows_max)
    }
}

async fn add(writer: &mut Writer<'_>, id: i64, draft: &InboxDraft) -> Result<(), Error> {
    let InboxDraft { lane, item, received_at } = draft;
    let item = serde_json::to_vec(item).map_err(|_| Error::Unreadable { column: ITEM })?;
    sqlx::query(
        "insert into inbox (id, lane, login, item_sealed, received_at, attempts, not_before)
         values ($1, $2, $3, $4, $5, 0, 0)",
    )
    .bind(id)
    .bind(lane.to_text())
    .bind(login_of(lane))
    .bind(writer.sealer.seal(ITEM, &[&id.to_string()], &item))
    .bind(received_at)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

async fn forget_old_keys(writer: &mut Writer<'_>, now: Timestamp) -> Result<(), Error> {
    sqlx::query("delete from intake where at < $1")
        .bind(now.saturating_sub(INTAKE_KEY_AGE_MAX))
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn remove(writer: &mut Writer<'_>, InboxId(id): InboxId) -> Result<(), Error> {
    sqlx::query("delete from inbox where id = $1").bind(id).execute(&mut *writer.conn).await?;
    Ok(())
}

pub(super) async fn park(
    writer: &mut Writer<'_>,
    InboxId(id): InboxId,
    until: Timestamp,
    attempts: u32,
) -> Result<(), Error> {
    sqlx::query("update inbox set not_before = $1, attempts = $2 where id = $3")
        .bind(until)
        .bind(i64::from(attempts))
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn move_to(
    writer: &mut Writer<'_>,
    InboxId(id): InboxId,
    lane: &Lane,
) -> Result<(), Error> {
    sqlx::query(
        "update inbox set lane = $1, login = $2, attempts = 0, not_before = 0 where id = $3",
    )
    .bind(lane.to_text())
    .bind(login_of(lane))
    .bind(id)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn make_due(writer: &mut Writer<'_>, lane: &Lane) -> Result<(), Error> {
    sqlx::query("update inbox set not_before = 0 where lane = $1")
        .bind(lane.to_text())
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn quarantine(
    writer: &mut Writer<'_>,
    InboxId(id): InboxId,
    reason: &str,
) -> Result<(), Error> {
    sqlx::query("update inbox set quarantine_reason = $1 where id = $2")
        .bind(reason)
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn release(writer: &mut Writer<'_>, portal: &PortalKey) -> Result<(), Error> {
    sqlx::query("update inbox set lane = $1, attempts = 0, not_before = 0 where lane = $2")
        .bind(Lane::Portal(portal.clone()).to_text())
        .bind(Lane::Held(portal.clone()).to_text())
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn drop_held(writer: &mut Writer<'_>, portal: &PortalKey) -> Result<(), Error> {
    sqlx::query("delete from inbox where lane = $1")
        .bind(Lane::Held(portal.clone()).to_text())
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn held(database: &Database, portal: &PortalKey) -> Result<u64, Error> {
    let held: i64 = sqlx::query_scalar("select count(*) from inbox where lane = $1")
        .bind(Lane::Held(portal.clone()).to_text())
        .fetch_one(database.reader())
        .await?;
    Ok(u64::try_from(held).unwrap_or(0))
}

pub(super) async fn awaiting_key(database: &Database, portal: &PortalKey) -> Result<u64, Error> {
    let waiting: i64 = sqlx::query_scalar(
        "select count(*) from inbox
         where quarantine_reason is null and login = $1 and substr(lane, 1, length($2)) = $2",
    )
    .bind(&portal.login.0)
    .bind(Lane::awaiting(portal))
    .fetch_one(database.reader())
    .await?;
    Ok(u64::try_from(waiting).unwrap_or(0))
}

/// The lane with the oldest row first.
pub(super) async fn lanes(database: &Database) -> Result<Vec<Lane>, Error> {
    let lanes: Vec<String> = sqlx::query_scalar(
        "select lane from inbox where quarantine_reason is null and lane <> $1
         and lane not like 'held/%'
         group by lane order by min(id)",
    )
    .bind(Lane::Keys.to_text())
    .fetch_all(database.reader())
    .await?;
    lanes.iter().map(|lane| read_lane(lane, "inbox.lane")).collect()
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    item_sealed: Vec<u8>,
    received_at: i64,
    attempts: i64,
    not_before: i64,
}

pub(super) async fn next(
    database: &Database,
    lane: &Lane,
    bound: Option<InboxId>,
) -> Result<Option<InboxRow>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, item_sealed, received_at, attempts, not_before from inbox
         where lane = $1 and quarantine_reason is null and id <= $2
         order by id limit 1",
    )
    .bind(lane.to_text())
    .bind(bound.map_or(i64::MAX, |InboxId(id)| id))
    .fetch_optional(database.reader())
    .await?;
    let Some(Row { id, item_sealed, received_at, attempts, not_before }) = row else {
        return Ok(None);
    };
    let item = database.sealer().open(ITEM, &[&id.to_string()], &item_sealed)?;
    Ok(Some(InboxRow {
        id: InboxId(id),
        lane: lane.clone(),
        item: serde_json::from_slice(&item).map_err(|_| Error::Unreadable { column: ITEM })?,
        received_at,
        attempts: u32::try_from(attempts)
            .map_err(|_| Error::Unreadable { column: "inbox.attempts" })?,
        not_before,
    }))
}

pub(super) async fn bound(database: &Database) -> Result<Option<InboxId>, Error> {
    let youngest: Option<i64> =
        sqlx::query_scalar("select max(id) from inbox").fetch_one(database.reader()).await?;
    Ok(youngest.map(InboxId))
}

pub(super) fn read_lane(text: &str, column: &'static str) -> Result<Lane, Error> {
    Lane::from_text(text).ok_or(Error::Unreadable { column })
}

/// The login with which a row of this lane goes.
pub(super) fn login_of(lane: &Lane) -> Option<&str> {
    match lane {
        Lane::Portal(portal) | Lane::Held(portal) | Lane::AwaitingKey(portal, _) => {
            Some(&portal.login.0)
        }
        Lane::Room(_) | Lane::Keys | Lane::Unplaced => None,
    }
}
