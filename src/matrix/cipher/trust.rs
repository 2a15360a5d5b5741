//! What can be seen of keys: a person's devices and whether their owner signed them, and our users'
//! own keys as others see them.

use ruma::UserId;

use super::{MatrixCipher, failure::from_store};
use crate::{
    domain::bridged::ActAs,
    port::{
        Failure,
        room_cipher::{Fingerprints, PersonDevice, PersonDevices},
    },
};

impl MatrixCipher {
    /// As the bot sees them.
    pub(super) async fn devices_of_person(
        &self,
        person: &UserId,
    ) -> Result<PersonDevices, Failure> {
        let what = "looking at a person's devices";
        let mut machine = self.machines.open(&ActAs::Bot).await?;
        self.ensure_prepared(&mut machine).await?;
        let tracked = machine.olm.update_tracked_users([person]).await;
        tracked.map_err(from_store(what))?;
        self.flush(&machine).await?;
        let identity = machine.olm.get_identity(person, None).await.map_err(from_store(what))?;
        let devices = machine.olm.get_user_devices(person, None).await.map_err(from_store(what))?;
        let devices = devices.devices().map(|device| PersonDevice {
            id: device.device_id().to_string(),
            name: device.display_name().map(str::to_owned),
            is_cross_signed: device.is_cross_signed_by_owner(),
        });
        Ok(PersonDevices { has_identity: identity.is_some(), devices: devices.collect() })
    }

    pub(super) async fn own_fingerprints(&self, who: &ActAs) -> Result<Fingerprints, Failure> {
        let mut machine = self.machines.open(who).await?;
        self.ensure_prepared(&mut machine).await?;
        let identity = machine.olm.get_identity(&machine.user, None).await;
        let identity = identity.map_err(from_store("looking at our own identity"))?;
        let master = identity.and_then(matrix_sdk_crypto::UserIdentity::own);
        Ok(Fingerprints {
            device: self.homeserver.device().to_string(),
            device_key: machine.olm.identity_keys().ed25519.to_base64(),
            master_key: master
                .and_then(|own| own.master_key().get_first_key().map(|key| key.to_base64())),
        })
    }
}
