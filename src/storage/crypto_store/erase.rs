//! What our users' devices keep of one person, and its end.

use std::collections::BTreeSet;

use matrix_sdk_crypto::DeviceData;
use ruma::UserId;

use super::{device::DEVICE, json, room::Kind};
use crate::storage::{database::Writer, error::Error};

/// The Curve25519 keys by which a person's devices are known, in base64.
pub(in crate::storage) struct Theirs {
    /// Of devices that are theirs for certain.
    devices: BTreeSet<String>,
    /// The same, and of devices that spoke in a room of theirs and are nobody else's: a device that
    /// they have removed is known by nothing else.
    sessions: BTreeSet<String>,
}

impl Theirs {
    pub(in crate::storage) async fn find(
        writer: &mut Writer<'_>,
        person: &UserId,
        rooms: &[String],
    ) -> Result<Self, Error> {
        let of_person = "select owner, user_id, device_id, device_sealed from key_device
             where user_id = $1";
        let devices = keys(writer, of_person, person.as_str()).await?;
        let (mut seen, mut owners) = (BTreeSet::new(), BTreeSet::new());
        for room in rooms {
            let sessions: Vec<(String, String)> = sqlx::query_as(
                "select distinct owner, sender_key from key_inbound_session where room = $1",
            )
            .bind(room)
            .fetch_all(&mut *writer.conn)
            .await?;
            for (owner, key) in sessions {
                owners.insert(owner);
                seen.insert(key);
            }
        }
        for owner in owners {
            let known = "select owner, user_id, device_id, device_sealed from key_device
                 where owner = $1";
            for key in keys(writer, known, &owner).await? {
                seen.remove(&key);
            }
        }
        Ok(Self { sessions: devices.union(&seen).cloned().collect(), devices })
    }
}

async fn keys(
    writer: &mut Writer<'_>,
    query: &'static str,
    about: &str,
) -> Result<BTreeSet<String>, Error> {
    let rows: Vec<(String, String, String, Vec<u8>)> =
        sqlx::query_as(query).bind(about).fetch_all(&mut *writer.conn).await?;
    let mut keys = BTreeSet::new();
    for (owner, user, device, sealed) in rows {
        let plain = writer.sealer.open(DEVICE, &[&owner, &user, &device], &sealed)?;
        let device: DeviceData =
            json::read(&plain).map_err(|_| Error::Unreadable { column: DEVICE })?;
        keys.extend(device.curve25519_key().map(|key| key.to_base64()));
    }
    Ok(keys)
}

/// Everything about the person, their devices and their rooms, whoever of ours has it. What our users
/// are themselves (accounts, identities, their own devices) stays: it is theirs.
pub(in crate::storage) async fn erase(
    writer: &mut Writer<'_>,
    person: &UserId,
    rooms: &[String],
    theirs: &Theirs,
) -> Result<(), Error> {
    for about_person in [
        "delete from key_device where user_id = $1",
        "delete from key_identity where user_id = $1",
        "delete from key_tracked_user where user_id = $1",
    ] {
        sqlx::query(about_person).bind(person.as_str()).execute(&mut *writer.conn).await?;
    }
    sqlx::query("delete from key_room_value where kind = $1 and item = $2")
        .bind(Kind::KeyBundle.as_str())
        .bind(person.as_str())
        .execute(&mut *writer.conn)
        .await?;
    for room in rooms {
        for about_room in [
            "delete from key_inbound_session where room = $1",
            "delete from key_room_value where room = $1",
            // As the library names a request for a room key.
            "delete from key_secret_request
             where substr(about, 1, length('keyRequest:' || $1 || ':')) = 'keyRequest:' || $1 || ':'",
        ] {
            sqlx::query(about_room).bind(room).execute(&mut *writer.conn).await?;
        }
    }
    for key in &theirs.devices {
        sqlx::query("delete from key_inbound_session where sender_key = $1")
            .bind(key)
            .execute(&mut *writer.conn)
            .await?;
    }
    for key in &theirs.sessions {
        for about_device in [
            "delete from key_olm_session where sender_key = $1",
            "delete from key_olm_message where sender_key = $1",
        ] {
            sqlx::query(about_device).bind(key).execute(&mut *writer.conn).await?;
        }
    }
    Ok(())
}
