//! Values of which an owner has one: account, cross-signing keys, backup keys, tokens, custom values.

use matrix_sdk_crypto::{
    Account,
    olm::{PickledAccount, PickledCrossSigningIdentity, PrivateCrossSigningIdentity},
    store::{
        CryptoStoreError,
        types::{BackupKeys, DehydratedDeviceKey},
    },
};

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};

const VALUE: &str = "key_value.value_sealed";

pub(super) const ACCOUNT: &str = "account";
pub(super) const CROSS_SIGNING: &str = "cross_signing";
pub(super) const BACKUP_VERSION: &str = "backup_version";
pub(super) const BACKUP_KEY: &str = "backup_key";
pub(super) const DEHYDRATED_DEVICE_KEY: &str = "dehydrated_device_key";
pub(super) const NEXT_BATCH: &str = "next_batch";

/// The prefix keeps names that the library's users choose away from ours.
pub(super) fn custom(name: &str) -> String {
    format!("custom/{name}")
}

pub(super) struct Value {
    pub(super) name: String,
    pub(super) plain: Plain,
}

impl Value {
    pub(super) fn json(
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<Self, CryptoStoreError> {
        Ok(Self { name: name.to_owned(), plain: json::write(value)? })
    }
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    owner: &str,
    Value { name, plain }: &Value,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_value (owner, name, value_sealed) values ($1, $2, $3)
         on conflict (owner, name) do update set value_sealed = excluded.value_sealed",
    )
    .bind(owner)
    .bind(name)
    .bind(writer.sealer.seal(VALUE, &[owner, name], plain))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Removes one value.
pub(super) struct Remove<'r> {
    pub(super) owner: &'r str,
    pub(super) name: &'r str,
}

impl UnitOfWork for Remove<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        sqlx::query("delete from key_value where owner = $1 and name = $2")
            .bind(self.owner)
            .bind(self.name)
            .execute(&mut *writer.conn)
            .await?;
        Ok(Verdict::Keep(()))
    }
}

impl SqlCryptoStore {
    pub(super) async fn value(&self, name: &str) -> Result<Option<Plain>, CryptoStoreError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("select value_sealed from key_value where owner = $1 and name = $2")
                .bind(&self.owner)
                .bind(name)
                .fetch_optional(self.database.reader())
                .await
                .map_err(|error| self.database.met(error))?;
        let open =
            |sealed: Vec<u8>| self.database.sealer().open(VALUE, &[&self.owner, name], &sealed);
        Ok(sealed.map(open).transpose()?)
    }

    pub(super) async fn account(&self) -> Result<Option<Account>, CryptoStoreError> {
        let Some(bytes) = self.value(ACCOUNT).await? else { return Ok(None) };
        let pickle: PickledAccount = json::read(&bytes)?;
        let account = Account::from_pickle(pickle)?;
        self.remember_account(&account);
        Ok(Some(account))
    }

    pub(super) async fn cross_signing(
        &self,
    ) -> Result<Option<PrivateCrossSigningIdentity>, CryptoStoreError> {
        let Some(bytes) = self.value(CROSS_SIGNING).await? else { return Ok(None) };
        let pickle: PickledCrossSigningIdentity = json::read(&bytes)?;
        PrivateCrossSigningIdentity::from_pickle(pickle)
            .map(Some)
            .map_err(|_| CryptoStoreError::UnpicklingError)
    }

    pub(super) async fn backup_keys(&self) -> Result<BackupKeys, CryptoStoreError> {
        let decryption_key = self.value(BACKUP_KEY).await?;
        let backup_version = self.value(BACKUP_VERSION).await?;
        Ok(BackupKeys {
            decryption_key: decryption_key.map(|bytes| json::read(&bytes)).transpose()?,
            backup_version: backup_version.map(|bytes| json::read(&bytes)).transpose()?,
        })
    }

    pub(super) async fn dehydrated_device_key(
        &self,
    ) -> Result<Option<DehydratedDeviceKey>, CryptoStoreError> {
        self.value(DEHYDRATED_DEVICE_KEY).await?.map(|bytes| json::read(&bytes)).transpose()
    }
}
