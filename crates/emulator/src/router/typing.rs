//! Typing: passed on to whoever is connected now, and kept nowhere but in the log of a simulated person.

use serde::{Deserialize, Serialize};

use super::has_consent;
use crate::{
    network::Network,
    world::{AccountId, DeviceKey},
};

/// What somebody does in a chat right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Activity {
    Composing,
    Recording,
    Paused,
}

/// A sign of life for one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sign {
    pub(crate) from: DeviceKey,
    pub(crate) activity: Activity,
}

impl Network {
    /// Passes typing on, if both sides may hear of each other.
    pub(crate) fn send_typing(&self, from: DeviceKey, to: AccountId, activity: Activity) {
        let (devices, name) = self.with(|world| {
            if world.is_blocked(from.account, to) || !has_consent(world, from.account, to) {
                return (Vec::new(), None);
            }
            let view = world.view_of(DeviceKey::primary(to));
            (world.devices_of(to), Some(world.name(from, view).to_string()))
        });
        for device in devices {
            self.show(DeviceKey { account: to, device }, Sign { from, activity });
        }
        if let (AccountId::Person(phone), Some(name)) = (to, name)
            && let Some(actor) = self.actor(phone)
        {
            actor.typing.add(name, activity);
        }
    }
}
