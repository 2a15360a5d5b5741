//! One process works with a database at a time, and whoever lost it writes nothing more.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use causeway::{
    domain::{bridged::Timestamp, limits},
    port::{Clock, Failure, Retry, Storage as _, storage::Change},
    storage::{Holder, SqlStorage},
};
use sqlx::AssertSqlSafe;
use tokio::time::timeout;

use super::{
    on_both,
    place::{MASTER_KEY, Place, dice},
};

on_both!(
    a_second_instance_is_refused_and_told_by_whom,
    who_starts_waits_for_the_one_before_to_let_go,
    who_lost_the_database_is_told_and_writes_nothing_more,
    an_instance_that_does_not_start_leaves_no_name,
);

/// A time at which nothing is waited for.
#[derive(Default)]
struct Hasty {
    slept: Mutex<Duration>,
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        1_800_000_000_000
    }

    async fn sleep(&self, pause: Duration) {
        *self.slept.lock().unwrap() += pause;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn alone(place: &Place, name: &str, clock: &Hasty) -> Result<SqlStorage, Failure> {
    let holder = Holder { name: name.to_owned(), since: clock.now() };
    SqlStorage::open_alone(&place.url, MASTER_KEY, dice(), holder, clock).await
}

fn change(value: u8) -> Vec<Change> {
    vec![Change::SettingSaved { key: "a", value: vec![value] }]
}

/// Ends every connection to the database but this one's, as a server that is restarted does. SQLite has
/// none that could be ended.
async fn cut_connections(place: &Place) {
    if place.url.starts_with("postgres") {
        let statement = "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()";
        let raw = place.raw().await;
        sqlx::query(statement).fetch_all(&raw).await.unwrap();
        raw.close().await;
    }
}

async fn a_second_instance_is_refused_and_told_by_whom(place: Place) {
    let clock = Hasty::default();
    let first = alone(&place, "process 12 on alpha", &clock).await.unwrap();
    let refused = alone(&place, "process 13 on beta", &clock).await.unwrap_err();
    assert_eq!(refused.retry, Retry::Never);
    let told = refused.to_string();
    assert!(told.contains("(process 12 on alpha, since 2027-01-15 08:00:00 UTC)"), "{told}");
    assert!(told.contains("stop it first"), "{told}");
    assert_eq!(*clock.slept.lock().unwrap(), limits::LEASE_WAIT);
    // The refused one has changed nothing.
    first.commit(change(1)).await.unwrap();
    cut_connections(&place).await;
    first.commit(change(2)).await.unwrap();
    alone(&place, "process 14 on beta", &clock).await.unwrap_err();
    first.close().await;
    let next = alone(&place, "process 15 on beta", &clock).await.unwrap();
    assert_eq!(next.setting("a").await.unwrap(), Some(vec![2]));
}

async fn who_starts_waits_for_the_one_before_to_let_go(place: Place) {
    let clock = Hasty::default();
    let first = alone(&place, "one", &clock).await.unwrap();
    let let_go = async {
        while *clock.slept.lock().unwrap() < 3 * limits::LEASE_PAUSE {
            tokio::task::yield_now().await;
        }
        first.close().await;
    };
    let (next, ()) = tokio::join!(alone(&place, "two", &clock), let_go);
    next.unwrap().commit(change(1)).await.unwrap();
    assert!(*clock.slept.lock().unwrap() < limits::LEASE_WAIT);
}

async fn who_lost_the_database_is_told_and_writes_nothing_more(place: Place) {
    let clock = Hasty::default();
    let first = alone(&place, "one", &clock).await.unwrap();
    first.commit(change(1)).await.unwrap();
    assert!(timeout(Duration::from_millis(300), first.lease_lost(&clock)).await.is_err());
    // What somebody writes who took over while the guard was away.
    let raw = place.raw().await;
    sqlx::query("update lease set holder = 'another'").execute(&raw).await.unwrap();
    raw.close().await;
    cut_connections(&place).await;
    let too_late = timeout(Duration::from_secs(2), first.commit(change(2))).await;
    assert!(!matches!(too_late, Ok(Ok(()))), "it wrote");
    let why = timeout(Duration::from_secs(20), first.lease_lost(&clock)).await.unwrap();
    assert!(why.to_string().contains("has taken the database over"), "{why}");
    let shared = place.open().await;
    assert_eq!(shared.setting("a").await.unwrap(), Some(vec![1]));
}

async fn an_instance_that_does_not_start_leaves_no_name(place: Place) {
    let clock = Hasty::default();
    let raw = place.raw().await;
    sqlx::query("create table room (x bigint)").execute(&raw).await.unwrap();
    alone(&place, "one", &clock).await.unwrap_err();
    sqlx::query("drop table room").execute(&raw).await.unwrap();
    raw.close().await;
    // Nor does it keep the database from the next one.
    *clock.slept.lock().unwrap() = Duration::ZERO;
    let next = alone(&place, "two", &clock).await.unwrap();
    assert!(*clock.slept.lock().unwrap() < limits::LEASE_WAIT);
    next.close().await;
}

/// As while its place is taken by a copy of it that follows.
#[tokio::test]
async fn a_server_that_can_only_be_read_is_an_outage_until_it_can_be_written() {
    let (place, clock) = (Place::postgres().await, Hasty::default());
    let storage = alone(&place, "one", &clock).await.unwrap();
    storage.commit(change(1)).await.unwrap();
    let (_, name) = place.url.rsplit_once('/').unwrap();
    let set = async |read_only: &str| {
        let raw = place.raw().await;
        for statement in [
            "set default_transaction_read_only = off".to_owned(),
            format!("alter database {name} set default_transaction_read_only = {read_only}"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&raw).await.unwrap();
        }
        raw.close().await;
    };
    set("on").await;
    cut_connections(&place).await;
    let failure = storage.commit(change(2)).await.unwrap_err();
    assert_eq!((failure.retry, failure.is_told()), (Retry::Later, true), "{failure}");
    assert!(storage.trouble().is_some_and(|why| why.contains("can only be read")), "{failure}");
    assert_eq!(storage.setting("a").await.unwrap(), Some(vec![1]));

    set("off").await;
    let well = async {
        while storage.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        lost = storage.lease_lost(&clock) => panic!("{lost}"),
        well = timeout(Duration::from_secs(30), well) => well.unwrap(),
    }
    storage.commit(change(2)).await.unwrap();
    assert_eq!(storage.setting("a").await.unwrap(), Some(vec![2]));
}
