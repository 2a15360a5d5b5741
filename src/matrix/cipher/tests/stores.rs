//! Key stores in memory; they outlive the cipher, as a database does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use matrix_sdk_crypto::store::{DynCryptoStore, IntoCryptoStore, MemoryStore};
use ruma::{DeviceId, OwnedUserId, UserId};

use crate::port::{Failure, KeyStores};

#[derive(Default)]
pub(super) struct MemoryStores {
    stores: Mutex<BTreeMap<OwnedUserId, Arc<DynCryptoStore>>>,
}

#[async_trait]
impl KeyStores for MemoryStores {
    fn crypto_store(&self, user: &UserId, _device: &DeviceId) -> Arc<DynCryptoStore> {
        let mut stores = self.stores.lock().unwrap();
        let new = || MemoryStore::new().into_crypto_store();
        Arc::clone(stores.entry(user.to_owned()).or_insert_with(new))
    }

    async fn users_tracking(&self, user: &UserId) -> Result<Vec<OwnedUserId>, Failure> {
        let stores = self.stores.lock().unwrap().clone();
        let mut tracking = Vec::new();
        for (owner, store) in stores {
            let tracked = store.load_tracked_users().await.unwrap();
            if tracked.iter().any(|tracked| tracked.user_id == user) {
                tracking.push(owner);
            }
        }
        Ok(tracking)
    }
}
