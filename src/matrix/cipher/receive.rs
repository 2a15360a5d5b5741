//! Sorting the key material of a transaction by machine, and handing it over.
//!
//! A transaction names users and devices of all kinds: other devices than ours, the registration's
//! sender, cross-signing keys in the guise of devices. Only what belongs to a machine that exists
//! is taken (appservice facts, 1).

use std::collections::BTreeMap;

use matrix_sdk_crypto::EncryptionSyncChanges;
use ruma::{
    OneTimeKeyAlgorithm, OwnedUserId, UInt, UserId, api::client::sync::sync_events::DeviceLists,
    events::AnyToDeviceEvent, serde::Raw,
};
use serde_json::Value;

use super::{DECRYPTION, MatrixCipher, failure::from_olm, machines::Machine, verification};
use crate::{
    domain::{bridged::ActAs, item::KeyChanges},
    matrix::client::MatrixHomeserver,
    port::{Failure, Homeserver as _},
};

/// As many one-time keys as a machine keeps on the homeserver: with these it uploads none.
const ONE_TIME_KEYS_FULL: u64 = 50;

/// What a transaction or an answer holds for one machine.
#[derive(Default)]
pub(super) struct Portion {
    pub(super) to_device: Vec<Raw<AnyToDeviceEvent>>,
    pub(super) device_lists: DeviceLists,
    pub(super) key_counts: BTreeMap<OneTimeKeyAlgorithm, UInt>,
    pub(super) unused_fallback_keys: Option<Vec<OneTimeKeyAlgorithm>>,
    pub(super) next_batch: Option<String>,
}

impl MatrixCipher {
    pub(super) async fn receive_changes(&self, changes: &KeyChanges) -> Result<(), Failure> {
        let mut portions = sort(&self.homeserver, changes);
        self.add_device_lists(&mut portions, changes).await?;
        for (who, portion) in portions {
            let Some(machine) = self.machines.open_existing(&who).await? else {
                if !portion.to_device.is_empty() {
                    tracing::warn!(user = ?who, "to-device messages for a user without keys");
                }
                continue;
            };
            if is_news(&portion) {
                // A changed device list alone can wait until the machine next needs it: with
                // many ghosts, asking for each at once would keep every lane waiting.
                let flush = !portion.to_device.is_empty() || !portion.key_counts.is_empty();
                self.feed(&machine, portion).await?;
                if flush {
                    self.flush_or_remember(&machine).await;
                }
            }
        }
        self.flush_remembered().await;
        Ok(())
    }

    /// Hands a portion to its machine, which has saved it when this returns.
    pub(super) async fn feed(&self, machine: &Machine, portion: Portion) -> Result<(), Failure> {
        let verifying = verification::senders(&portion.to_device);
        let changes = EncryptionSyncChanges {
            to_device_events: portion.to_device,
            changed_devices: &portion.device_lists,
            one_time_keys_counts: &portion.key_counts,
            unused_fallback_keys: portion.unused_fallback_keys.as_deref(),
            next_batch_token: portion.next_batch,
        };
        let outages = self.stores.outages();
        let received = machine.olm.receive_sync_changes(changes, &DECRYPTION).await;
        received.map_err(from_olm("receiving key changes"))?;
        if self.stores.outages() != outages {
            // Taking in what was taken in already is harmless; to miss a room key is not.
            return Err(Failure::later("receiving key changes: the key store failed meanwhile"));
        }
        for person in verifying {
            if let Err(failure) = self.attend(machine, &person).await {
                tracing::warn!(%failure, "a verification does not go on");
            }
        }
        Ok(())
    }

    /// Adds each changed device list to the portions of those who track it.
    async fn add_device_lists(
        &self,
        portions: &mut BTreeMap<ActAs, Portion>,
        changes: &KeyChanges,
    ) -> Result<(), Failure> {
        let mut add = |user: &OwnedUserId, trackers: Vec<OwnedUserId>, has_left: bool| {
            for who in trackers.iter().filter_map(|tracker| self.homeserver.our_user(tracker)) {
                let lists = &mut portions.entry(who).or_default().device_lists;
                let list = if has_left { &mut lists.left } else { &mut lists.changed };
                list.push(user.clone());
            }
        };
        for user in &changes.device_lists_changed {
            add(user, self.stores.users_tracking(user).await?, false);
        }
        for user in &changes.device_lists_left {
            add(user, self.stores.users_tracking(user).await?, true);
        }
        Ok(())
    }
}

/// Whether a portion gives the machine anything to do. Counts come with every event of a ghost,
/// and taking them in costs a write each time.
fn is_news(portion: &Portion) -> bool {
    !portion.to_device.is_empty()
        || !portion.device_lists.is_empty()
        || portion.unused_fallback_keys.as_ref().is_some_and(Vec::is_empty)
        || portion.key_counts.values().any(|count| u64::from(*count) < ONE_TIME_KEYS_FULL)
}

fn sort(homeserver: &MatrixHomeserver, changes: &KeyChanges) -> BTreeMap<ActAs, Portion> {
    let mut portions: BTreeMap<ActAs, Portion> = BTreeMap::new();
    for event in &changes.to_device {
        match recipient(homeserver, event) {
            Recipient::Ours(who, event) => {
                portions.entry(who).or_default().to_device.push(event);
            }
            Recipient::Unknown => {}
            Recipient::Malformed => {
                tracing::warn!("skipping a to-device event without sender, type or recipient");
            }
        }
    }
    for (who, counts) in our_devices(homeserver, &changes.one_time_key_counts) {
        // Synapse says "none" by leaving the algorithm out.
        let count = counts.get("signed_curve25519").and_then(Value::as_u64).unwrap_or(0);
        let count = UInt::try_from(count).unwrap_or(UInt::MAX);
        let portion = portions.entry(who).or_default();
        portion.key_counts.insert(OneTimeKeyAlgorithm::SignedCurve25519, count);
    }
    for (who, types) in our_devices(homeserver, &changes.unused_fallback_key_types) {
        let Some(types) = types.as_array() else { continue };
        let types = types.iter().filter_map(Value::as_str).map(OneTimeKeyAlgorithm::from);
        portions.entry(who).or_default().unused_fallback_keys = Some(types.collect());
    }
    portions
}

enum Recipient {
    Ours(ActAs, Raw<AnyToDeviceEvent>),
    Unknown,
    Malformed,
}

fn recipient(homeserver: &MatrixHomeserver, event: &Value) -> Recipient {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let (Some(user), Some(device), Some(_), Some(_)) =
        (text("to_user_id"), text("to_device_id"), text("sender"), text("type"))
    else {
        return Recipient::Malformed;
    };
    let Ok(user) = <&UserId>::try_from(user) else { return Recipient::Malformed };
    let ours = homeserver.our_user(user).filter(|_| device == homeserver.device().as_str());
    let Some(who) = ours else { return Recipient::Unknown };
    match serde_json::value::to_raw_value(event) {
        Ok(json) => Recipient::Ours(who, Raw::from_json(json)),
        Err(_) => Recipient::Malformed,
    }
}

/// The entries of a user → device → value map that are about our users' device.
fn our_devices<'a>(
    homeserver: &'a MatrixHomeserver,
    map: &'a Value,
) -> impl Iterator<Item = (ActAs, &'a Value)> {
    map.as_object().into_iter().flatten().filter_map(|(user, devices)| {
        let who = homeserver.our_user(<&UserId>::try_from(user.as_str()).ok()?)?;
        Some((who, devices.get(homeserver.device().as_str())?))
    })
}
