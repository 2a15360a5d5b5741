//! Two bridges and one database, as processes: the second one says why it does not start, a killed one
//! keeps nobody waiting, and one that lost its database ends.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use sqlx::{AnyPool, any::AnyPoolOptions};
use tokio::time::Instant;

use crate::support::{
    bridge::{Bridge, Plan},
    emulator::Emulator,
    place::{RunFolder, free_url},
    postgres,
};

/// Longer than a start takes, and less than a starting bridge waits for another one.
const AT_ONCE: Duration = Duration::from_secs(4);

struct Scene {
    bridge: Bridge,
    /// The database past the bridge.
    database: String,
    _emulator: Emulator,
    run: RunFolder,
}

impl Scene {
    /// A bridge that was not started; there is no homeserver.
    async fn set(name: &str, database: Option<String>) -> Result<Self> {
        let run = RunFolder::new(name)?;
        let face = free_url()?;
        let emulator = Emulator::start(&face).await?;
        let plan = Plan { database: database.clone(), ..Plan::default() };
        let place = emulator.place();
        let bridge = Bridge::prepare(&run, &free_url()?, &face, place, &plan)?;
        let file = bridge.folder().join("causeway.db");
        let database = database.unwrap_or_else(|| format!("sqlite:{}", file.display()));
        Ok(Self { bridge, database, _emulator: emulator, run })
    }

    async fn raw(&self) -> Result<AnyPool> {
        sqlx::any::install_default_drivers();
        Ok(AnyPoolOptions::new().max_connections(1).connect(&self.database).await?)
    }

    async fn alter(&self, statement: &'static str) -> Result<()> {
        let raw = self.raw().await?;
        sqlx::query(statement).fetch_all(&raw).await?;
        raw.close().await;
        Ok(())
    }
}

async fn only_one_bridge_works_with_a_database(database: Option<String>) -> Result<()> {
    let mut scene = Scene::set("lease", database).await?;
    let told = async {
        let bridge = &mut scene.bridge;
        bridge.start().await?;
        let holder = format!("process {} on", bridge.process()?);
        let (code, said) = bridge.start_in_vain().await?;
        ensure!(code == Some(1), "the second one ended with {code:?}: {said}");
        ensure!(said.contains("another instance of the bridge works with this database"), "{said}");
        ensure!(said.contains(&holder) && said.contains("stop it first"), "{said}");
        bridge.must_run()?;

        bridge.kill().await?;
        let started = Instant::now();
        bridge.start().await?;
        ensure!(started.elapsed() < AT_ONCE, "a restart took {:?}", started.elapsed());
        bridge.must_run()
    };
    let told = told.await;
    scene.run.report(told)
}

async fn a_bridge_that_lost_its_database_ends(database: Option<String>) -> Result<()> {
    let mut scene = Scene::set("lost-lease", database).await?;
    let told = async {
        scene.bridge.start().await?;
        scene.alter("update lease set holder = 'another'").await?;
        let code = scene.bridge.ends().await?;
        ensure!(code == Some(1), "it ended with {code:?}");
        let log = fs::read_to_string(scene.bridge.log())?;
        let last = log.lines().last().context("an empty log")?;
        ensure!(
            last.contains("another instance of the bridge has taken the database over"),
            "{last}"
        );
        Ok(())
    };
    let told = told.await;
    scene.run.report(told)
}

async fn an_older_bridge_refuses_a_newer_database(database: Option<String>) -> Result<()> {
    let mut scene = Scene::set("newer", database).await?;
    let told = async {
        scene.bridge.start().await?;
        scene.bridge.stop().await?;
        let newer = "update _sqlx_migrations set version = version + 90000000000000
             where version = (select max(version) from _sqlx_migrations)";
        scene.alter(newer).await?;
        let (code, said) = scene.bridge.start_in_vain().await?;
        ensure!(code == Some(1), "it ended with {code:?}: {said}");
        ensure!(said.contains("the database was made by a newer version of the bridge"), "{said}");
        ensure!(said.contains("start that version"), "{said}");
        Ok(())
    };
    let told = told.await;
    scene.run.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_bridge_works_with_a_file() -> Result<()> {
    only_one_bridge_works_with_a_database(None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_bridge_works_with_a_database_of_postgresql() -> Result<()> {
    only_one_bridge_works_with_a_database(Some(postgres::new_database().await?)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_lost_its_file_ends() -> Result<()> {
    a_bridge_that_lost_its_database_ends(None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_lost_its_database_of_postgresql_ends() -> Result<()> {
    a_bridge_that_lost_its_database_ends(Some(postgres::new_database().await?)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_bridge_refuses_a_newer_file() -> Result<()> {
    an_older_bridge_refuses_a_newer_database(None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_bridge_refuses_a_newer_database_of_postgresql() -> Result<()> {
    an_older_bridge_refuses_a_newer_database(Some(postgres::new_database().await?)).await
}
