//! A power cut, or an orderly stop, in the middle of a conversation: nothing may be lost, doubled or out of
//! order.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use crate::support::{
    bridge::{Bridge, Plan},
    emulator::Contact,
    matrix_client::{Person, must_be_clean},
    place::dice,
    postgres,
    wait::until,
    world::{PHONE, World, logs_in, starts_chat},
};

/// How many messages go each way.
const MESSAGES: usize = 200;

/// How often the bridge is ended.
const KILLS: usize = 3;

/// How the bridge is ended.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As by a power cut.
    Killed,
    /// As by a service manager. It must exit with 0, and in time.
    Stopped,
}

/// The longest that a stop may take: the bridge's own deadline, and some patience.
const STOP_LIMIT: Duration = Duration::from_secs(25);

/// For any one wait: a homeserver on two busy cores takes some ten messages a second.
const LIMIT: Duration = Duration::from_mins(3);

fn texts(by: &str) -> Vec<String> {
    (0..MESSAGES).map(|number| format!("{by} {number:03}")).collect()
}

/// After how many arrived messages the bridge is to be killed: at random, once in each third.
fn moments() -> Vec<usize> {
    let third = MESSAGES * 2 / KILLS;
    let within = |room: usize| usize::try_from(dice() % 1_000).unwrap_or(0) * room / 1_000;
    (0..KILLS).map(|kill| kill * third + within(third * 9 / 10)).collect()
}

/// What the person saw of the contact, in the order of the room.
fn shown(person: &Person, room: &matrix_sdk::Room) -> Vec<String> {
    let others = person.saw(room.room_id()).into_iter().filter(|it| it.sender != person.id());
    others.filter(|it| it.unreadable.is_none()).map(|it| it.body).collect()
}

async fn got(contact: &Contact) -> Result<Vec<String>> {
    Ok(contact.got().await?.into_iter().map(|received| received.text).collect())
}

/// Names the first place at which two lists differ: four hundred lines would help nobody.
fn must_equal(who: &str, got: &[String], sent: &[String]) -> Result<()> {
    if let Some(place) = (0..got.len().max(sent.len())).find(|at| got.get(*at) != sent.get(*at)) {
        let around = &got[place.saturating_sub(2)..got.len().min(place + 3)];
        let wanted = sent.get(place);
        let came = got.iter().position(|text| Some(text) == wanted);
        anyhow::bail!(
            "{who} got {} of {} messages; at {place}, {wanted:?} should be in {around:?} (it is at {came:?})",
            got.len(),
            sent.len()
        );
    }
    Ok(())
}

/// How many messages the person writes while the bridge is dead, each time.
const WRITTEN_MEANWHILE: usize = 5;

/// Kills the bridge at each of the moments and starts it again when some were written meanwhile. Both
/// sides write on all the time, also while the homeserver and the network find the bridge back: then
/// Synapse may keep a transaction back that later ones would overtake (`domain::sequence`).
#[expect(clippy::future_not_send, reason = "it is awaited where it is made")]
async fn cut_power(
    bridge: &mut Bridge,
    end: End,
    moments: &[usize],
    written: &AtomicUsize,
    arrived: impl AsyncFn() -> Result<usize>,
) -> Result<()> {
    for moment in moments {
        let what = format!("{moment} arrived messages");
        until(&what, LIMIT, || async { Ok((arrived().await? >= *moment).then_some(())) }).await?;
        match end {
            End::Killed => bridge.kill().await?,
            End::Stopped => {
                let began = Instant::now();
                bridge.stop().await?;
                ensure!(began.elapsed() < STOP_LIMIT, "a stop took {:?}", began.elapsed());
            }
        }
        let enough = (written.load(Ordering::SeqCst) + WRITTEN_MEANWHILE).min(MESSAGES);
        until("messages written meanwhile", LIMIT, || async {
            Ok((written.load(Ordering::SeqCst) >= enough).then_some(()))
        })
        .await?;
        bridge.start().await?;
    }
    Ok(())
}

async fn a_conversation_survives(end: End, plan: Plan) -> Result<()> {
    let mut world = World::start("crash", plan).await?;
    let moments = moments();
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let (from_alice, from_bruno) = (texts("alice"), texts("bruno"));

        let written = AtomicUsize::new(0);
        let alice_writes = async {
            for text in &from_alice {
                alice.says(&room, text).await?;
                written.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        };
        let bruno_writes = async {
            for text in &from_bruno {
                bruno.says(alice.id(), text).await?;
            }
            Ok(())
        };
        let arrived = async || Ok(got(&bruno).await?.len() + shown(&alice, &room).len());
        let power_cuts = cut_power(&mut world.bridge, end, &moments, &written, arrived);
        tokio::try_join!(alice_writes, bruno_writes, power_cuts)?;

        let all_arrived = until("the last messages", LIMIT, || async {
            let done =
                got(&bruno).await?.len() >= MESSAGES && shown(&alice, &room).len() >= MESSAGES;
            Ok(done.then_some(()))
        });
        let all_arrived = all_arrived.await;
        must_equal("the contact", &got(&bruno).await?, &from_alice)?;
        must_equal("the person", &shown(&alice, &room), &from_bruno)?;
        all_arrived?;
        // Whatever a repetition might still bring comes before what is written now.
        alice.says(&room, "over").await?;
        bruno.reads("over").await?;
        bruno.says(alice.id(), "and out").await?;
        alice.reads(room.room_id(), "and out").await?;
        ensure!(got(&bruno).await?.len() == MESSAGES + 1, "something came late to the contact");
        ensure!(shown(&alice, &room).len() == MESSAGES + 1, "something came late to the person");
        for message in alice.saw(room.room_id()) {
            if message.sender != alice.id() {
                must_be_clean(&message)?;
            }
        }
        Ok(())
    };
    let told = told.await.with_context(|| format!("{end:?} after {moments:?} messages"));
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_bridge_loses_and_doubles_nothing() -> Result<()> {
    a_conversation_survives(End::Killed, Plan::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_with_postgresql() -> Result<()> {
    let database = Some(postgres::new_database().await?);
    a_conversation_survives(End::Killed, Plan { database, ..Plan::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_bridge_loses_and_doubles_nothing() -> Result<()> {
    a_conversation_survives(End::Stopped, Plan::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_bridge_is_down_arrives_when_it_is_up() -> Result<()> {
    let mut world = World::start("downtime", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "before").await?;
        bruno.reads("before").await?;
        world.bridge.stop().await?;
        // A new room key: it goes to a bridge that is not there, and the homeserver will not push it again.
        room.discard_room_key().await?;
        alice.says(&room, "meanwhile").await?;
        bruno.says(alice.id(), "meanwhile, too").await?;
        world.bridge.start().await?;
        bruno.reads("meanwhile").await?;
        must_be_clean(&alice.reads(room.room_id(), "meanwhile, too").await?)?;

        // And the other way round: a homeserver that is away for a moment.
        world.synapse.pause();
        bruno.says(alice.id(), "while the homeserver is away").await?;
        world.synapse.resume().await?;
        alice.reads(room.room_id(), "while the homeserver is away").await?;
        alice.says(&room, "there it is").await?;
        bruno.reads("there it is").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
