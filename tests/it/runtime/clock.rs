//! A clock that is wrong by a day, ahead or behind, set while the bridge runs or before it starts: no
//! message is dropped, set aside or kept waiting for that day.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::{
    domain::{consent::ContactState, limits},
    port::Storage as _,
    runtime::Answer,
};

use super::{cut::Cut, homeserver::PERSON, stage::Stage, surroundings::Trouble};

const DAY: i64 = 24 * 3_600 * 1_000;
/// Both ways of being wrong.
const WRONG: [i64; 2] = [DAY, -DAY];
/// No pause between two tries is longer.
const PAUSE: Duration = limits::ITEM_BACKOFF.max;

fn set_aside(stage: &Stage) -> Vec<String> {
    stage.set_aside.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_outside_arrives_however_the_clock_is_set_meanwhile() {
    for wrong in WRONG {
        let (mut stage, room) = Stage::connected().await;
        stage.homeserver.trouble(Some(Trouble::Later));
        stage.network.contact_writes("from anna");
        let event = stage.text(&room, "one");
        assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
        // Parked, with a time at which to be looked at again.
        stage.pass(Duration::from_secs(10)).await;
        stage.clock.set(wrong);
        stage.pass(Duration::from_secs(1)).await;
        let event = stage.text(&room, "two");
        assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
        stage.homeserver.trouble(None);
        stage.pass(2 * PAUSE).await;
        assert_eq!(stage.screen(), ["one", "two"], "{wrong}");
        assert_eq!(stage.homeserver.shown(), ["from anna"], "{wrong}");
        assert!(set_aside(&stage).is_empty(), "{wrong}: {:?}", set_aside(&stage));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_key_is_waited_for_however_the_clock_is_set_meanwhile() {
    for wrong in WRONG {
        let (mut stage, room) = Stage::connected().await;
        let event = stage.text_under(&room, "late key", "k1");
        let fetches = stage.homeserver.fetches();
        assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
        stage.until("a fetch", || stage.homeserver.fetches() > fetches).await;
        stage.clock.set(wrong);
        stage.pass(2 * limits::ROOM_KEY_RETRY).await;
        assert_eq!(stage.push(Vec::new(), &["k1"]).await, Answer::Acknowledge);
        stage.pass(2 * PAUSE).await;
        assert_eq!(stage.screen(), ["late key"], "{wrong}");
        assert!(set_aside(&stage).is_empty(), "{wrong}: {:?}", set_aside(&stage));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_starts_with_a_wrong_clock_takes_up_what_was_left() {
    for wrong in WRONG {
        let (mut stage, room) = Stage::connected().await;
        stage.homeserver.trouble(Some(Trouble::Later));
        stage.network.contact_writes("from anna");
        let event = stage.text_under(&room, "one", "k1");
        assert_eq!(stage.push(vec![event], &["k1"]).await, Answer::Acknowledge);
        stage.pass(Duration::from_secs(20)).await;
        stage.end();
        stage.clock.set(wrong);
        stage.homeserver.trouble(None);
        stage.begin(Cut::Never).await;
        stage.pass(2 * PAUSE).await;
        assert_eq!(stage.screen(), ["one"], "{wrong}");
        assert_eq!(stage.homeserver.shown(), ["from anna"], "{wrong}");
        // A conversation goes on as ever.
        let event = stage.text(&room, "two");
        assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
        stage.network.contact_writes("from anna, too");
        stage.pass(Duration::from_secs(10)).await;
        assert_eq!(stage.screen(), ["one", "two"], "{wrong}");
        assert_eq!(stage.homeserver.shown(), ["from anna", "from anna, too"], "{wrong}");
        assert!(set_aside(&stage).is_empty(), "{wrong}: {:?}", set_aside(&stage));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_wrote_is_held_however_the_clock_is_set_meanwhile() {
    for wrong in WRONG {
        let stage = Stage::new().await;
        stage.log_in().await;
        stage.is_asked(&["hello", "are you there"]).await;
        let portal = stage.portal_key().await;
        stage.clock.set(wrong);
        stage.clock.advance(2 * limits::CLEAN_EVERY);
        stage.pass(Duration::from_secs(1)).await;
        assert_eq!(stage.contact_state().await, ContactState::Requested, "{wrong}");
        assert_eq!(stage.storage().held(&portal).await.unwrap(), 2, "{wrong}");
    }
}

/// A token that is not valid yet, or no longer, is refused by the network: the login stays, and comes back
/// when the clock is right.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_refuses_the_tokens_of_a_wrong_clock_costs_nobody_their_login() {
    for wrong in WRONG {
        let (mut stage, room) = Stage::connected().await;
        stage.clock.set(wrong);
        stage.network.refuses_tokens.store(true, Ordering::SeqCst);
        stage.network.hang_up();
        stage.until("the connection to be gone", || !stage.network.is_connected()).await;
        let event = stage.text(&room, "meanwhile");
        assert_eq!(stage.push(vec![event], &[]).await, Answer::Acknowledge);
        stage.pass(Duration::from_secs(30)).await;
        assert!(stage.screen().is_empty());
        let status = stage.ask_as(PERSON, "status").await;
        assert!(status.contains("identity token"), "{wrong}: {status}");
        stage.clock.set(-wrong);
        stage.network.refuses_tokens.store(false, Ordering::SeqCst);
        stage.until("the message", || stage.screen() == ["meanwhile"]).await;
        assert!(set_aside(&stage).is_empty(), "{wrong}: {:?}", set_aside(&stage));
    }
}
