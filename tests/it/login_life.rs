//! The life of a login on a real homeserver: forgotten and back, driven out and back, gone without a key
//! left behind.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;
use sqlx::{AnyPool, AssertSqlSafe, Row, any::AnyPoolOptions};

use crate::support::{
    bridge::{BOT, GHOST_PREFIX, Plan},
    matrix_client::Person,
    wait::{PATIENCE, until},
    world::{PHONE, World, logs_in, starts_chat},
};

/// Longer than several attempts to reconnect take.
const A_WHILE: Duration = Duration::from_secs(8);

/// What the network knows of a person who is enlisted.
async fn login(world: &World, person: &Person) -> Result<Value> {
    world.network().login(person.id()).await?.context("the network does not know the person")
}

/// How often a person's client has logged in.
async fn logins(world: &World, person: &Person) -> Result<Value> {
    Ok(login(world, person).await?["logins"].clone())
}

/// Has the network do something with a person's login.
async fn order(world: &World, person: &Person, what: &str) -> Result<()> {
    let path = format!("partners/{}/{what}", person.id());
    world.network().call(Method::POST, &path, None).await.map(drop)
}

/// How many of the messages that a person sees in a room hold `words`.
fn count(person: &Person, room: &matrix_sdk::Room, words: &str) -> usize {
    person.saw(room.room_id()).iter().filter(|message| message.body.contains(words)).count()
}

/// The names of the keys that the network finds at the bridge.
async fn token_keys(world: &World) -> Result<Vec<Value>> {
    let at = world.bridge.network_face().join(".well-known/oauth/openid/jwks")?;
    let set: Value =
        reqwest::Client::builder().no_proxy().build()?.get(at).send().await?.json().await?;
    let keys = set["keys"].as_array().context("no set of keys")?;
    Ok(keys.iter().map(|key| key["kid"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_key_that_the_operator_wants_is_published_beside_the_old_one() -> Result<()> {
    let mut world = World::start("token-key", Plan::default()).await?;
    let told = async {
        let before = token_keys(&world).await?;
        ensure!(before.len() == 1, "{before:?}");
        for expected in ["Made a new key", "Nothing was done"] {
            let said = world.bridge.command(&["rotate-token-key"])?;
            ensure!(said.starts_with(expected), "{said}");
        }
        world.bridge.stop().await?;
        world.bridge.start().await?;
        let keys = token_keys(&world).await?;
        ensure!(keys.len() == 2 && keys.starts_with(&before), "{before:?}, then {keys:?}");
        logs_in(&world.person("alice").await?).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_network_forgot_comes_back_with_one_word_and_nothing_is_lost() -> Result<()> {
    const NEWS: &str = "WhatsApp no longer knows you, as happens";
    let mut world = World::start("forgotten", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "before").await?;
        bruno.reads("before").await?;
        bruno.says(alice.id(), "I am here").await?;
        alice.reads(room.room_id(), "I am here").await?;
        let before = login(&world, &alice).await?;

        order(&world, &alice, "unenlist").await?;
        alice.reads_words(management.room_id(), &[NEWS, "`agree`"]).await?;
        alice.says(&room, "while away").await?;
        alice.says(&room, "still away").await?;
        alice.reads_words(room.room_id(), &["what you write here waits"]).await?;
        world.bridge.stop().await?;
        world.bridge.start().await?;
        tokio::time::sleep(A_WHILE).await;
        ensure!(world.network().login(alice.id()).await?.is_none(), "enlisted without being asked");
        ensure!(count(&alice, &management, NEWS) == 1, "told more than once");
        ensure!(count(&alice, &room, "what you write here waits") == 1, "told more than once");

        alice.asks(&management, "agree", &["you are connected"]).await?;
        for text in ["while away", "still away"] {
            bruno.reads(text).await?;
        }
        let after = login(&world, &alice).await?;
        ensure!(after["jid"] != before["jid"], "this network gives another id");
        // In the session of before, which the contact has with nobody of the new id.
        alice.says(&room, "back").await?;
        bruno.reads("back").await?;
        bruno.says(alice.id(), "so am I").await?;
        alice.reads(room.room_id(), "so am I").await?;
        let got = bruno.got().await?;
        ensure!(got.len() == 4, "the contact got {got:?}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_with_one_identity_do_not_drive_each_other_out() -> Result<()> {
    let mut world = World::start("replaced", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        ensure!(logins(&world, &alice).await? == 1);
        order(&world, &alice, "replace").await?;
        alice
            .reads_words(management.room_id(), &["Somebody else connected", "`reconnect`"])
            .await?;
        // The network has something for the person, and says so.
        bruno.says(alice.id(), "are you there?").await?;
        tokio::time::sleep(A_WHILE).await;
        ensure!(logins(&world, &alice).await? == 1, "connected again by itself");
        ensure!(count(&alice, &management, "Somebody else connected") == 1, "told more than once");
        alice.asks(&management, "status", &["`reconnect`"]).await?;
        world.bridge.stop().await?;
        world.bridge.start().await?;
        alice.reads(room.room_id(), "are you there?").await?;
        ensure!(logins(&world, &alice).await? == 2, "a restart connects once");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// What may stay when a person has left: what they agreed to and when, what they used of their day, where they spoke with the bot, what belongs to
/// no person (who has the database, too), and the keys of ghosts and the bot, which are Matrix users of the bridge's own.
const STAYS: [&str; 10] = [
    "_sqlx_migrations",
    "counter",
    "day_usage",
    "ghost",
    "lease",
    "ledger",
    "management_room",
    "room",
    "seal_check",
    "setting",
];

async fn names(database: &AnyPool, query: String) -> Result<Vec<String>> {
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(database).await?;
    rows.iter().map(|row| Ok(row.try_get::<String, _>(0)?)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_leaves_no_key_behind() -> Result<()> {
    let mut world = World::start("left", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "goodbye").await?;
        bruno.reads("goodbye").await?;
        bruno.says(alice.id(), "farewell").await?;
        alice.reads(room.room_id(), "farewell").await?;
        alice.asks(&management, "logout", &["your keys are deleted"]).await?;
        until("the network to forget", PATIENCE, || async {
            Ok(world.network().login(alice.id()).await?.is_none().then_some(()))
        })
        .await?;
        world.bridge.stop().await?;

        sqlx::any::install_default_drivers();
        let file = world.bridge.folder().join("causeway.db");
        let url = format!("sqlite:{}", file.display());
        let database = AnyPoolOptions::new().max_connections(1).connect(&url).await?;
        let tables = "select name from sqlite_master where type = 'table'".to_owned();
        for table in names(&database, tables).await? {
            if STAYS.contains(&table.as_str()) || table.starts_with("sqlite_") {
                continue;
            }
            let columns =
                names(&database, format!("select name from pragma_table_info('{table}')"));
            let columns: BTreeSet<_> = columns.await?.into_iter().collect();
            if columns.contains("owner") {
                let owners = format!("select distinct owner from {table}");
                for owner in names(&database, owners).await? {
                    let ours = [format!("@{GHOST_PREFIX}"), format!("@{BOT}:")];
                    ensure!(
                        ours.iter().any(|ours| owner.starts_with(ours)),
                        "{table} holds a key of {owner}"
                    );
                }
            } else if columns.contains("login") {
                let of_logins = format!("select login from {table} where login is not null");
                let kept = names(&database, of_logins).await?;
                ensure!(kept.is_empty(), "{table} holds {} rows of a login", kept.len());
            } else {
                let rows: i64 =
                    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
                        .fetch_one(&database)
                        .await?;
                ensure!(rows == 0, "{table} holds {rows} rows: whose are they?");
            }
        }
        world.bridge.start().await
    };
    let told = told.await;
    world.report(told)
}
