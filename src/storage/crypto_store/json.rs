//! The library's own forms, as JSON in memory that is wiped.

use matrix_sdk_crypto::store::CryptoStoreError;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

pub(super) type Plain = Zeroizing<Vec<u8>>;

pub(super) fn write(value: &impl Serialize) -> Result<Plain, CryptoStoreError> {
    Ok(Zeroizing::new(serde_json::to_vec(value)?))
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CryptoStoreError> {
    Ok(serde_json::from_slice(bytes)?)
}
