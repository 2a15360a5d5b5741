//! Stopping in two stages, with something in hand that does not end: the first signal waits for it, up to
//! a deadline; the second does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::support::{
    bridge::Plan,
    matrix_client::Person,
    world::{PHONE, World, logs_in, starts_chat},
};

/// How long the bridge itself waits for what is in hand, and the patience for a busy machine.
const GRACE: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(8);

fn times(person: &Person, room: &matrix_sdk::Room, text: &str) -> usize {
    person.saw(room.room_id()).iter().filter(|message| message.body == text).count()
}

/// The bridge is told to stop while the homeserver does not answer it.
async fn told_to_stop_in_the_middle(world: &mut World) -> Result<()> {
    world.bridge.terminate()?;
    sleep(Duration::from_secs(2)).await;
    world.bridge.must_run()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_or_the_deadline_ends_what_does_not_end_by_itself() -> Result<()> {
    let mut world = World::start("stopping", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "before").await?;
        bruno.reads("before").await?;

        for (again, text) in [(true, "twice told"), (false, "told once")] {
            world.synapse.freeze(true)?;
            bruno.says(alice.id(), text).await?;
            let log = world.bridge.log().to_owned();
            let before = std::fs::read_to_string(&log)?.len();
            // What came in is being sent to a homeserver that does not answer.
            sleep(Duration::from_secs(2)).await;
            let began = Instant::now();
            told_to_stop_in_the_middle(&mut world).await?;
            if again {
                world.bridge.terminate()?;
            }
            let code = world.bridge.ends().await?;
            let lasted = began.elapsed();
            ensure!(code == Some(0), "it ended with {code:?}");
            if again {
                ensure!(lasted < SOON, "it went on for {lasted:?} after the second signal");
            } else {
                ensure!((GRACE..GRACE + SOON).contains(&lasted), "it stopped after {lasted:?}");
            }
            let said = std::fs::read_to_string(&log)?.split_off(before);
            ensure!(said.contains("stopping at once"), "{said}");
            world.synapse.freeze(false)?;
            world.bridge.start().await?;
            alice.reads(room.room_id(), text).await?;
        }
        alice.says(&room, "after").await?;
        bruno.reads("after").await?;
        bruno.says(alice.id(), "and out").await?;
        alice.reads(room.room_id(), "and out").await?;
        for text in ["twice told", "told once", "and out"] {
            ensure!(
                times(&alice, &room, text) == 1,
                "{text:?} came {} times",
                times(&alice, &room, text)
            );
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
