//! The keys that sign identity tokens: kept sealed, replaced in time. When is decided in
//! [`domain::rotation`](crate::domain::rotation).

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{
    domain::{bridged::Timestamp, limits, rotation::Rotation},
    interop::{Interop, TokenKey, TokenKeys},
    port::{Clock, Failure, Storage, storage::Change},
    runtime::Stop,
};

/// Where the keys are kept, sealed.
const TOKEN_KEY: &str = "token_key";
/// The first byte of a list of keys. A single key, as it was kept before there was a list, is DER and
/// begins with another one.
const LIST: u8 = 2;

/// A key and when it was made.
type Dated = (Timestamp, Zeroizing<Vec<u8>>);

/// What the keys are kept with.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rotation: Rotation,
}

impl Keeper {
    /// The keys as they are to be used now. What is due is made, and what is spent is forgotten; both
    /// are durable when this returns.
    pub(super) async fn keys(&self) -> Result<TokenKeys, Failure> {
        let now = self.clock.now();
        let stored = self.storage.setting(TOKEN_KEY).await?.map(Zeroizing::new);
        let mut keys = match &stored {
            Some(bytes) => read(bytes, now).ok_or_else(|| Failure::never(DAMAGED))?,
            None => Vec::new(),
        };
        if self.rotation.due(&dates(&keys), now) {
            keys.push((now, TokenKey::generate()?.to_pkcs8_der()?));
            tracing::info!(keys = keys.len(), "made a key for identity tokens");
        }
        keys.drain(..self.rotation.spent(&dates(&keys), now));
        let bytes = write(&keys);
        if stored.is_none_or(|stored| *stored != *bytes) {
            let value = bytes.to_vec();
            self.storage.commit(vec![Change::SettingSaved { key: TOKEN_KEY, value }]).await?;
        }
        let signing = self.rotation.signing(&dates(&keys), now);
        let mut keys = keys
            .iter()
            .map(|(_, der)| TokenKey::from_pkcs8_der(der))
            .collect::<Result<Vec<_>, _>>()?;
        let signing = keys.remove(signing.expect("a key was made if there was none"));
        Ok(TokenKeys::new(signing, keys))
    }

    /// Looks now and then, until the stop.
    pub(super) async fn keep(self, interop: Arc<Interop>, stop: Stop) {
        loop {
            tokio::select! {
                () = stop.soft() => return,
                () = self.clock.sleep(limits::TOKEN_KEY_LOOK) => {}
            }
            match self.keys().await {
                Ok(keys) => interop.use_token_keys(keys),
                Err(failure) => {
                    tracing::error!(%failure, "could not look after the keys of identity tokens");
                }
            }
        }
    }
}

const DAMAGED: &str = "the stored token keys are damaged";

fn dates(keys: &[Dated]) -> Vec<Timestamp> {
    keys.iter().map(|(made, _)| *made).collect()
}

/// Of each key its date, its length and itself. One whose date was not kept counts as made now.
fn read(bytes: &[u8], now: Timestamp) -> Option<Vec<Dated>> {
    let Some(mut rest) = bytes.strip_prefix(&[LIST]) else {
        return Some(vec![(now, Zeroizing::new(bytes.to_vec()))]);
    };
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let (made, after) = rest.split_first_chunk::<8>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (der, after) = after.split_at_checked(length)?;
        keys.push((Timestamp::from_be_bytes(*made), Zeroizing::new(der.to_vec())));
        rest = after;
    }
    Some(keys)
}

fn write(keys: &[Dated]) -> Zeroizing<Vec<u8>> {
    // One allocation of the right size: a buffer that grows leaves copies behind.
    let length = keys.iter().map(|(_, der)| 12 + der.len()).sum::<usize>() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.push(LIST);
    for (made, der) in keys {
        let length = u32::try_from(der.len()).expect("a key is some thousand bytes long");
        bytes.extend_from_slice(&made.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(der);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_keys_survives_and_a_single_one_of_before_is_taken_over() {
        let keys: Vec<Dated> =
            vec![(-5, Zeroizing::new(vec![1; 300])), (7, Zeroizing::new(vec![2]))];
        assert_eq!(read(&write(&keys), 9), Some(keys.clone()));
        assert_eq!(read(&write(&[]), 9), Some(Vec::new()));
        let der = TokenKey::generate().unwrap().to_pkcs8_der().unwrap();
        assert_eq!(read(&der, 9), Some(vec![(9, der.clone())]));
        let whole = write(&keys);
        assert_eq!(read(&whole[..whole.len() - 1], 9), None);
    }
}
