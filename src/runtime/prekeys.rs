//! One-time prekeys: made in batches, committed before they are uploaded, refilled when low.

use super::ports::Ports;
use crate::{
    domain::{ids::LoginId, limits},
    port::{
        Failure, NetworkLink,
        network::{LoginKeys, OurBundle},
        storage::Change,
    },
    signal::{MAX_PREKEY_ID, PreKey},
};

/// Brings the network's stock to [`limits::PREKEYS_FULL`] if fewer than
/// [`limits::PREKEYS_LOW`] are `left`.
pub(crate) async fn refill(
    ports: &Ports,
    link: &dyn NetworkLink,
    login: &LoginId,
    keys: &LoginKeys,
    left: u32,
) -> Result<(), Failure> {
    if left >= limits::PREKEYS_LOW {
        return Ok(());
    }
    let last = ports.storage.prekey_last_id(login).await?;
    let mut prekeys = Vec::new();
    let mut id = last;
    for _ in left..limits::PREKEYS_FULL {
        id = next_id(id);
        prekeys.push(make(ports, id)?);
    }
    let added = Change::PreKeysAdded { login: login.clone(), prekeys: prekeys.clone() };
    ports.storage.commit(vec![added]).await?;
    let bundle = OurBundle {
        identity: keys.identity.clone(),
        signed_prekey: keys.signed_prekey.clone(),
        prekey: None,
    };
    link.upload_prekeys(&bundle, &prekeys).await?;
    tracing::info!(login = login.0, left, "refilled one-time prekeys");
    Ok(())
}

/// A prekey outside the network's stock, for one retry receipt. The caller commits it.
pub(crate) async fn one_more(ports: &Ports, login: &LoginId) -> Result<PreKey, Failure> {
    let last = ports.storage.prekey_last_id(login).await?;
    make(ports, next_id(last))
}

fn make(ports: &Ports, id: u32) -> Result<PreKey, Failure> {
    PreKey::generate(id, &mut ports.rng())
        .map_err(|error| Failure::never("could not make a one-time prekey").because(error))
}

/// Ids start at 1 and begin anew after the highest one: by then the first are long spent.
fn next_id(last: u32) -> u32 {
    if last >= MAX_PREKEY_ID { 1 } else { last + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_anew_after_the_highest() {
        assert_eq!(next_id(0), 1);
        assert_eq!(next_id(MAX_PREKEY_ID - 1), MAX_PREKEY_ID);
        assert_eq!(next_id(MAX_PREKEY_ID), 1);
    }
}
