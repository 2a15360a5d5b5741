//! Rooms tell their clients what can be sent in them. When another version or another configuration of
//! the bridge can do something else, the rooms that were made before are told as well.

use super::{ports::Ports, rooms::Rooms, stop::Stop};
use crate::{
    domain::{bridged::Login, limits},
    port::{Failure, storage::Change},
};

/// What all rooms were told last.
const TOLD: &str = "room_features";

/// Tells every room, if what there is to tell has changed since all were told. A death in between
/// begins anew: telling a room what it says already changes nothing.
pub async fn renew_signs(ports: Ports, rooms: Rooms, stop: Stop) {
    let renewed = async {
        let mut attempt = 0;
        while let Err(failure) = renew(&ports, &rooms).await {
            attempt += 1;
            tracing::warn!(%failure, "could not tell every room what can be sent; will try again");
            ports.clock.sleep(limits::ITEM_BACKOFF.pause(attempt)).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.soft() => {}
        () = renewed => {}
    }
}

async fn renew(ports: &Ports, rooms: &Rooms) -> Result<(), Failure> {
    let features = rooms.features().to_string().into_bytes();
    if ports.storage.setting(TOLD).await?.as_ref() == Some(&features) {
        return Ok(());
    }
    for login in ports.storage.logins().await? {
        renew_of(ports, rooms, &login).await?;
    }
    ports.storage.commit(vec![Change::SettingSaved { key: TOLD, value: features }]).await
}

async fn renew_of(ports: &Ports, rooms: &Rooms, login: &Login) -> Result<(), Failure> {
    for portal in ports.storage.portals_of(&login.id).await? {
        if let Some(room) = &portal.room {
            rooms.put_signs(login, &portal.key, room).await?;
        }
    }
    Ok(())
}
