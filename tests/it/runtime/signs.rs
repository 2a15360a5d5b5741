//! What rooms tell their clients, after the bridge has learned something else.

use causeway::{
    domain::capability::ROOM_FEATURES,
    runtime::{Rooms, Stop, renew_signs},
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{cut::Cut, stage::Stage, surroundings::Trouble};

fn older() -> Value {
    json!({"file": {}})
}

/// A chat in which the bridge of an earlier day said something else.
async fn old_room() -> (Stage, OwnedRoomId, Value) {
    let (stage, room) = Stage::connected().await;
    let told = stage.homeserver.features_in(&room).unwrap();
    stage.homeserver.set_state(&room, ROOM_FEATURES, older());
    (stage, room, told)
}

async fn renew(stage: &Stage) {
    let ports = stage.ports();
    let rooms = Rooms::new(ports.clone());
    stage.run(renew_signs(ports, rooms, Stop::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_an_earlier_version_is_told_once() {
    let (stage, room, told) = old_room().await;
    assert_eq!(told["file"]["m.file"]["max_size"], stage.ports().media_rules.max_bytes);
    renew(&stage).await;
    assert_eq!(stage.homeserver.features_in(&room), Some(told));
    stage.homeserver.set_state(&room, ROOM_FEATURES, older());
    renew(&stage).await;
    assert_eq!(stage.homeserver.features_in(&room), Some(older()), "told again for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_away_is_waited_for_over_a_restart() {
    let (mut stage, room, told) = old_room().await;
    stage.homeserver.trouble(Some(Trouble::Later));
    let ports = stage.ports();
    let (rooms, stop) = (Rooms::new(ports.clone()), Stop::default());
    let renewing = renew_signs(ports, rooms, stop.clone());
    let stopping = async {
        stage.pass(std::time::Duration::from_secs(30)).await;
        stop.begin();
    };
    tokio::join!(renewing, stopping);
    assert_eq!(stage.homeserver.features_in(&room), Some(older()));
    stage.homeserver.trouble(None);
    stage.begin(Cut::Never).await;
    renew(&stage).await;
    assert_eq!(stage.homeserver.features_in(&room), Some(told));
}
