//! The database goes away in the middle of a conversation and comes back: what comes in is refused
//! meanwhile and why is said once, nothing is lost, doubled or set aside, and nobody has to do anything.

use std::fs;

use anyhow::{Result, ensure};
use reqwest::StatusCode;

use crate::support::{
    bridge::{Bridge, Plan},
    emulator::Contact,
    matrix_client::{Person, must_be_clean},
    postgres::Server,
    wait::{PATIENCE, until},
    world::{PHONE, World, logs_in, starts_chat},
};

/// How many messages go each way while the database is away.
const MEANWHILE: usize = 5;

/// What the log says of an outage, once.
const AWAY: &str = "the database cannot be used: ";
const BACK: &str = "the database can be used again";

fn texts(by: &str) -> Vec<String> {
    (0..MEANWHILE).map(|number| format!("{by} {number}")).collect()
}

/// How often the bridge's log says something.
fn said(bridge: &Bridge, what: &str) -> Result<usize> {
    let log = fs::read_to_string(bridge.log())?;
    Ok(log.lines().filter(|line| line.contains(what)).count())
}

async fn got(contact: &Contact) -> Result<Vec<String>> {
    Ok(contact.got().await?.into_iter().map(|received| received.text).collect())
}

fn shown(person: &Person, room: &matrix_sdk::Room) -> Vec<String> {
    let all = person.saw(room.room_id()).into_iter().filter(|it| it.sender != person.id());
    all.filter(|it| it.unreadable.is_none()).map(|it| it.body).collect()
}

/// Both sides write while the database is away, for as long as it takes to be noticed everywhere.
async fn a_conversation_survives_an_outage(
    world: &World,
    why: &str,
    break_it: impl AsyncFnOnce() -> Result<()>,
    mend_it: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    let alice = world.person("alice").await?;
    let bruno = world.contact(PHONE, "Bruno").await?;
    let management = logs_in(&alice).await?;
    let (room, _) = starts_chat(&alice, &management, PHONE).await?;
    alice.says(&room, "before").await?;
    bruno.reads("before").await?;
    bruno.says(alice.id(), "before, too").await?;
    alice.reads(room.room_id(), "before, too").await?;

    break_it().await?;
    for (of_alice, of_bruno) in texts("alice").iter().zip(&texts("bruno")) {
        alice.says(&room, of_alice).await?;
        bruno.says(alice.id(), of_bruno).await?;
    }
    until("the bridge to say that it is not well", PATIENCE, || async {
        let (status, said) = world.bridge.health().await?;
        let unwell = status == StatusCode::SERVICE_UNAVAILABLE;
        ensure!(!unwell || said.contains(why), "it said {said:?}");
        Ok(unwell.then_some(()))
    })
    .await?;
    // The homeserver and the network have tried again by now, and so has the bridge itself.
    tokio::time::sleep(std::time::Duration::from_secs(15)).await;
    ensure!(got(&bruno).await? == ["before"], "the contact got {:?}", got(&bruno).await?);
    let transaction = world.bridge.transaction(
        "of-the-test",
        Some(crate::support::bridge::HS_TOKEN),
        r#"{"events": [{"type": "m.room.message", "room_id": "!a:b.c"}]}"#.to_owned(),
    );
    ensure!(transaction.await? == StatusCode::SERVICE_UNAVAILABLE);

    mend_it().await?;
    until("the bridge to be well again", PATIENCE, || async {
        Ok((world.bridge.health().await?.0 == StatusCode::OK).then_some(()))
    })
    .await?;
    until("every message", PATIENCE, || async {
        let done = got(&bruno).await?.len() > MEANWHILE && shown(&alice, &room).len() > MEANWHILE;
        Ok(done.then_some(()))
    })
    .await?;
    alice.says(&room, "over").await?;
    bruno.reads("over").await?;
    bruno.says(alice.id(), "and out").await?;
    must_be_clean(&alice.reads(room.room_id(), "and out").await?)?;
    let all = |first: &str, texts: Vec<String>, last: &str| {
        [vec![first.to_owned()], texts, vec![last.to_owned()]].concat()
    };
    let (to_bruno, to_alice) = (got(&bruno).await?, shown(&alice, &room));
    ensure!(to_bruno == all("before", texts("alice"), "over"), "the contact got {to_bruno:?}");
    ensure!(
        to_alice == all("before, too", texts("bruno"), "and out"),
        "the person saw {to_alice:?}"
    );
    ensure!(said(&world.bridge, AWAY)? == 1, "it was said {} times", said(&world.bridge, AWAY)?);
    ensure!(said(&world.bridge, BACK)? == 1);
    ensure!(said(&world.bridge, "item aside")? == 0, "something was set aside");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_postgresql_is_stopped() -> Result<()> {
    let server = Server::start().await?;
    let database = Some(server.url().to_owned());
    let mut world = World::start("postgres-away", Plan { database, ..Plan::default() }).await?;
    let server = tokio::sync::Mutex::new(server);
    let told = a_conversation_survives_an_outage(
        &world,
        "the database ",
        async || server.lock().await.stop().await,
        async || server.lock().await.start_again().await,
    );
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_disk_is_full() -> Result<()> {
    // Less than the database has already, and more than its log gets.
    const FULL: u64 = 64 * 1024;
    let plan = Plan { log: "info", ..Plan::default() };
    let mut world = World::start("disk-full", plan).await?;
    let told = a_conversation_survives_an_outage(
        &world,
        "the database ",
        async || world.bridge.limit_files(Some(FULL)),
        async || world.bridge.limit_files(None),
    );
    let told = told.await;
    world.report(told)
}

/// As a backup program does that holds the file's lock.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_somebody_else_has_the_file_locked() -> Result<()> {
    let mut world = World::start("file-locked", Plan::default()).await?;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", world.bridge.folder().join("causeway.db").display());
    let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(&url).await?;
    let locked = tokio::sync::Mutex::new(None);
    let told = a_conversation_survives_an_outage(
        &world,
        "the database is locked by another program",
        async || {
            *locked.lock().await = Some(pool.begin_with("begin immediate").await?);
            Ok(())
        },
        async || {
            let lock = locked.lock().await.take();
            Ok(lock.ok_or_else(|| anyhow::anyhow!("it was not locked"))?.rollback().await?)
        },
    );
    let told = told.await;
    world.report(told)
}
