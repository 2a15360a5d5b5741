//! The ground that the end-to-end tests stand on, without the bridge: if one of these fails, what is
//! wrong is the machine or the support code, and no other end-to-end test means anything.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::{
    emulator::Emulator,
    leash::Errand,
    matrix_client::{Person, Shield, must_be_clean, user},
    nio::NioPerson,
    place::{RunFolder, free_url},
    postgres,
    synapse::Synapse,
    wait::{PATIENCE, until},
};

/// Whether a process of this id exists. A zombie whose parent has not fetched its end counts as gone.
fn is_alive(pid: &str) -> bool {
    if Path::new("/proc/self/stat").exists() {
        // "pid (name) state …"; the name may hold anything, so look behind its last bracket.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
    }
    Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .is_ok_and(|out| out.status.success() && !out.stdout.starts_with(b"Z"))
}

#[tokio::test]
async fn a_dropped_child_takes_its_own_children_along() -> Result<()> {
    let run = RunFolder::new("leash")?;
    let log = run.log("family");
    let family = Errand::new("family", "sh".as_ref(), &log)
        .arg("-c")
        .arg("sleep 600 & echo $! $$; wait")
        .start()?;
    let pids = until("the family's process ids", PATIENCE, || async {
        let text = fs::read_to_string(&log)?;
        Ok(text.ends_with('\n').then(|| text.trim().to_owned()))
    })
    .await?;
    for pid in pids.split(' ') {
        ensure!(is_alive(pid), "process {pid} should be running");
    }
    drop(family);
    until("the family to be gone", Duration::from_secs(5), || async {
        Ok((!pids.split(' ').any(is_alive)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_killed_child_reports_how_it_ended() -> Result<()> {
    let run = RunFolder::new("leash")?;
    let mut child =
        Errand::new("sleeper", "sleep".as_ref(), &run.log("sleeper")).arg("600").start()?;
    child.must_run()?;
    child.signal("KILL")?;
    let status = child.end(PATIENCE).await?;
    ensure!(status.code() == Some(128 + 9), "it ended with {status}");
    ensure!(child.must_run().is_err(), "an ended child must not count as running");
    Ok(())
}

#[tokio::test]
async fn postgres_gives_every_test_a_database_of_its_own() -> Result<()> {
    let (one, other) = (postgres::new_database().await?, postgres::new_database().await?);
    ensure!(one != other, "two databases share a name");
    let mut connection = PgConnection::connect(&one).await?;
    let tables: i64 =
        sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'public'")
            .fetch_one(&mut connection)
            .await?;
    ensure!(tables == 0, "a new database holds {tables} tables");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_strict_clients_write_to_each_other_without_a_shield() -> Result<()> {
    let mut run = RunFolder::new("two-clients")?;
    let told = async {
        let synapse = Synapse::start(&run, None).await?;
        let alice = Person::join(&synapse, "alice").await?;
        let bob = Person::join(&synapse, "bob").await?;
        let (alice_room, (bob_room, inviter)) = tokio::try_join!(
            alice.open_chat_with(bob.id()),
            bob.accepts_invitation(|inviter| inviter == alice.id()),
        )?;
        ensure!(inviter == alice.id() && bob_room.room_id() == alice_room.room_id());
        let room = bob_room.room_id();
        for turn in 0..3 {
            let (question, answer) =
                (format!("question {turn} \u{1f30d}"), format!("answer {turn}"));
            alice.says(&alice_room, &question).await?;
            must_be_clean(&bob.reads(room, &question).await?)?;
            bob.says(&bob_room, &answer).await?;
            must_be_clean(&alice.reads(room, &answer).await?)?;
        }
        ensure!(alice.saw(room).len() == 6, "alice saw {:?}", alice.saw(room));
        Ok(())
    };
    let told = told.await;
    run.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_the_clear_is_seen_as_such() -> Result<()> {
    let mut run = RunFolder::new("in-the-clear")?;
    let told = async {
        let synapse = Synapse::start(&run, None).await?;
        let alice = Person::join(&synapse, "alice").await?;
        let bob = Person::join(&synapse, "bob").await?;
        let (alice_room, (bob_room, _)) = tokio::try_join!(
            alice.open_unencrypted_chat_with(bob.id()),
            bob.accepts_invitation(|inviter| inviter == alice.id()),
        )?;
        alice.says(&alice_room, "for all to read").await?;
        let read = bob.reads(bob_room.room_id(), "for all to read").await?;
        ensure!(read.shield == Shield::Unencrypted, "bob saw {read:?}");
        ensure!(must_be_clean(&read).is_err());
        Ok(())
    };
    let told = told.await;
    run.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nio_clients_write_to_each_other() -> Result<()> {
    let mut run = RunFolder::new("nio")?;
    let told = async {
        let synapse = Synapse::start(&run, None).await?;
        let mut nina = NioPerson::join(&synapse, &run, "nina").await?;
        let mut nils = NioPerson::join(&synapse, &run, "nils").await?;
        let (nina_id, nils_id) = (nina.id().to_owned(), nils.id().to_owned());
        let (room, invited) = tokio::try_join!(
            nina.open_chat_with(&nils_id),
            nils.accepts_invitation(|inviter| inviter == nina_id),
        )?;
        ensure!(room == invited);
        nina.says(&room, "hello Nils").await?;
        let read = nils.reads_words(&room, &["hello nils"]).await?;
        ensure!(read["decrypted"] == true, "nils read {read}");
        nils.says(&room, "hello Nina").await?;
        let read = nina.reads_words(&room, &["hello nina"]).await?;
        ensure!(read["decrypted"] == true, "nina read {read}");
        Ok(())
    };
    let told = told.await;
    run.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulated_network_plays_people() -> Result<()> {
    let network = Emulator::start(&free_url()?).await?;
    let control = network.control();
    let (bruno, bella) = (
        control.person("+33612345678", "Bruno", true).await?,
        control.person("+393331234567", "Bella", true).await?,
    );
    let to_bella = json!({"to": bella.phone(), "text": "ciao \u{1f44b}"});
    control.call(Method::POST, "people/33612345678/send", Some(&to_bella)).await?;
    let read = bella.reads("ciao \u{1f44b}").await?;
    ensure!(read.display_name.as_deref() == Some("Bruno"), "Bella sees it from {read:?}");
    ensure!(bruno.got().await?.is_empty(), "Bruno got {:?}", bruno.got().await?);
    let alice = user("alice")?;
    ensure!(control.login(&alice).await?.is_none(), "somebody is enlisted in a new network");
    ensure!(bruno.says(&alice, "to nobody").await.is_err(), "a message to nobody was taken");
    Ok(())
}

#[test]
fn a_folder_of_ones_choice_is_emptied_and_stays() -> Result<()> {
    let run = RunFolder::new("emptied")?;
    let chosen = run.path().join("chosen");
    fs::create_dir_all(&chosen)?;
    fs::write(chosen.join("old"), "old")?;
    drop(RunFolder::emptied(chosen.clone())?);
    ensure!(chosen.join("logs").is_dir() && !chosen.join("old").exists());
    let path = run.path().to_owned();
    drop(run);
    ensure!(!path.exists(), "a run that went well leaves its folder behind");
    Ok(())
}
