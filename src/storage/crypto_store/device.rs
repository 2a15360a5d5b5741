//! Devices and identities of everybody whom an owner tracks, as the owner verified them.

use std::collections::HashMap;

use matrix_sdk_crypto::{DeviceData, UserIdentityData, store::CryptoStoreError};
use ruma::{DeviceId, OwnedDeviceId, UserId};

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{database::Writer, error::Error};

pub(super) const DEVICE: &str = "key_device.device_sealed";
const IDENTITY: &str = "key_identity.identity_sealed";

pub(super) struct Device {
    user: String,
    id: String,
    plain: Plain,
}

impl Device {
    pub(super) fn of(device: &DeviceData) -> Result<Self, CryptoStoreError> {
        Ok(Self {
            user: device.user_id().to_string(),
            id: device.device_id().to_string(),
            plain: json::write(device)?,
        })
    }
}

pub(super) struct Identity {
    user: String,
    plain: Plain,
}

impl Identity {
    pub(super) fn of(identity: &UserIdentityData) -> Result<Self, CryptoStoreError> {
        Ok(Self { user: identity.user_id().to_string(), plain: json::write(identity)? })
    }
}

#[derive(sqlx::FromRow)]
struct DeviceRow {
    device_id: String,
    device_sealed: Vec<u8>,
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    owner: &str,
    Device { user, id, plain }: &Device,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_device (owner, user_id, device_id, device_sealed)
         values ($1, $2, $3, $4)
         on conflict (owner, user_id, device_id) do update
         set device_sealed = excluded.device_sealed",
    )
    .bind(owner)
    .bind(user)
    .bind(id)
    .bind(writer.sealer.seal(DEVICE, &[owner, user, id], plain))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(
    writer: &mut Writer<'_>,
    owner: &str,
    user: &str,
    device: &str,
) -> Result<(), Error> {
    sqlx::query("delete from key_device where owner = $1 and user_id = $2 and device_id = $3")
        .bind(owner)
        .bind(user)
        .bind(device)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn save_identity(
    writer: &mut Writer<'_>,
    owner: &str,
    Identity { user, plain }: &Identity,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_identity (owner, user_id, identity_sealed) values ($1, $2, $3)
         on conflict (owner, user_id) do update set identity_sealed = excluded.identity_sealed",
    )
    .bind(owner)
    .bind(user)
    .bind(writer.sealer.seal(IDENTITY, &[owner, user], plain))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

impl SqlCryptoStore {
    fn read_device(&self, user: &UserId, row: &DeviceRow) -> Result<DeviceData, CryptoStoreError> {
        let DeviceRow { device_id, device_sealed } = row;
        let row = [&*self.owner, user.as_str(), device_id];
        json::read(&self.database.sealer().open(DEVICE, &row, device_sealed)?)
    }

    pub(super) async fn device(
        &self,
        user: &UserId,
        device: &DeviceId,
    ) -> Result<Option<DeviceData>, CryptoStoreError> {
        let row: Option<DeviceRow> = sqlx::query_as(
            "select device_id, device_sealed from key_device
             where owner = $1 and user_id = $2 and device_id = $3",
        )
        .bind(&self.owner)
        .bind(user.as_str())
        .bind(device.as_str())
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        row.map(|row| self.read_device(user, &row)).transpose()
    }

    pub(super) async fn own_device(&self) -> Result<DeviceData, CryptoStoreError> {
        self.device(&self.user, &self.device).await?.ok_or(CryptoStoreError::AccountUnset)
    }

    pub(super) async fn devices(
        &self,
        user: &UserId,
    ) -> Result<HashMap<OwnedDeviceId, DeviceData>, CryptoStoreError> {
        let rows: Vec<DeviceRow> = sqlx::query_as(
            "select device_id, device_sealed from key_device where owner = $1 and user_id = $2",
        )
        .bind(&self.owner)
        .bind(user.as_str())
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        rows.iter()
            .map(|row| {
                let device = self.read_device(user, row)?;
                Ok((device.device_id().to_owned(), device))
            })
            .collect()
    }

    pub(super) async fn identity(
        &self,
        user: &UserId,
    ) -> Result<Option<UserIdentityData>, CryptoStoreError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(
            "select identity_sealed from key_identity where owner = $1 and user_id = $2",
        )
        .bind(&self.owner)
        .bind(user.as_str())
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        let Some(sealed) = sealed else { return Ok(None) };
        let row = [&*self.owner, user.as_str()];
        let bytes = self.database.sealer().open(IDENTITY, &row, &sealed)?;
        Ok(Some(json::read(&bytes)?))
    }
}
