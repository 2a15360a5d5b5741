//! The keys that sign identity tokens: kept sealed, replaced in time, or when the operator wants it.
//! When is decided in [`domain::rotation`](crate::domain::rotation).

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
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
        let (stored, mut keys) = self.stored(now).await?;
        if self.rotation.due(&dates(&keys), now) {
            keys.push((now, TokenKey::generate()?.to_pkcs8_der()?));
            tracing::info!(keys = keys.len(), "made a key for identity tokens");
        }
        keys.drain(..self.rotation.spent(&dates(&keys), now));
        let bytes = write(&keys);
        if stored.is_none_or(|stored| *stored != *bytes) {
            self.save(&bytes).await?;
        }
        let signing = self.rotation.signing(&dates(&keys), now);
        let mut keys = keys
            .iter()
            .map(|(_, der)| TokenKey::from_pkcs8_der(der))
            .collect::<Result<Vec<_>, _>>()?;
        let signing = keys.remove(signing.expect("a key was made if there was none"));
        Ok(TokenKeys::new(signing, keys))
    }

    /// Makes a successor before it is due, unless one is waited for already. A bridge that runs takes it
    /// over when it looks the next time; which key signs is decided as ever.
    pub(super) async fn rotate(&self) -> Result<Rotated, Failure> {
        let now = self.clock.now();
        let (_, mut keys) = self.stored(now).await?;
        if let Some(signs_at) = self.rotation.takes_over(&dates(&keys), now) {
            return Ok(Rotated::Already { signs_at });
        }
        keys.push((now, TokenKey::generate()?.to_pkcs8_der()?));
        let signs_at = self.rotation.takes_over(&dates(&keys), now).unwrap_or(now);
        self.save(&write(&keys)).await?;
        Ok(Rotated::Made { signs_at })
    }

    async fn stored(
        &self,
        now: Timestamp,
    ) -> Result<(Option<Zeroizing<Vec<u8>>>, Vec<Dated>), Failure> {
        let stored = self.storage.setting(TOKEN_KEY).await?.map(Zeroizing::new);
        let keys = match &stored {
            Some(bytes) => read(bytes, now).ok_or_else(|| Failure::never(DAMAGED))?,
            None => Vec::new(),
        };
        Ok((stored, keys))
    }

    async fn save(&self, bytes: &[u8]) -> Result<(), Failure> {
        let value = bytes.to_vec();
        self.storage.commit(vec![Change::SettingSaved { key: TOKEN_KEY, value }]).await
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

/// What became of the wish for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotated {
    Made {
        signs_at: Timestamp,
    },
    /// The last one that was made does not sign yet.
    Already {
        signs_at: Timestamp,
    },
}

impl Rotated {
    /// What the operator reads.
    pub(super) fn text(self) -> String {
        let date = |at| {
            let at = DateTime::from_timestamp_millis(at).unwrap_or_default();
            at.format("%Y-%m-%d %H:%M UTC")
        };
        let days = |of: Duration| of.as_secs() / (24 * 3_600);
        match self {
            Self::Made { signs_at } => format!(
                "Made a new key for identity tokens. The bridge publishes it beside the old one within \
                 {} minutes, or when it starts. It signs from {} on, and the old one is withdrawn {} \
                 days later.\n",
                limits::TOKEN_KEY_LOOK.as_secs() / 60,
                date(signs_at),
                days(limits::TOKEN_KEY_BEHIND),
            ),
            Self::Already { signs_at } => format!(
                "Nothing was done: a new key was made already. It signs from {} on.\n",
                date(signs_at)
            ),
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
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::{cli::ambient::OsEntropy, storage::SqlStorage};

    const HOUR: Timestamp = 3_600 * 1_000;

    #[derive(Default)]
    struct ManualClock(AtomicI64);

    #[async_trait]
    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            self.0.load(Ordering::SeqCst)
        }

        async fn sleep(&self, _pause: Duration) {
            std::future::pending::<()>().await;
        }
    }

    /// The names of the keys that are published, the one that signs first.
    async fn published(keeper: &Keeper) -> Vec<String> {
        let set = keeper.keys().await.unwrap().key_set();
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_key_that_is_wanted_early_overlaps_with_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("keys.db").display());
        let storage = SqlStorage::open(&url, [7; 32], Arc::new(OsEntropy)).await.unwrap();
        let clock = Arc::<ManualClock>::default();
        let keeper = Keeper {
            storage: Arc::new(storage),
            clock: clock.clone(),
            rotation: Rotation { every: Duration::from_hours(90 * 24) },
        };
        let [old] = &published(&keeper).await[..] else { panic!("one key") };

        clock.0.store(HOUR, Ordering::SeqCst);
        let signs_at = HOUR + limits::millis(limits::TOKEN_KEY_AHEAD);
        let made = keeper.rotate().await.unwrap();
        assert_eq!(made, Rotated::Made { signs_at });
        assert!(made.text().contains("signs from 1970-01-03 01:00 UTC on"), "{}", made.text());
        let [signing, new] = &published(&keeper).await[..] else { panic!("two keys") };
        assert_eq!(signing, old);
        // Impatience changes nothing.
        clock.0.store(signs_at - 1, Ordering::SeqCst);
        assert_eq!(keeper.rotate().await.unwrap(), Rotated::Already { signs_at });
        assert_eq!(published(&keeper).await, [old.clone(), new.clone()]);

        clock.0.store(signs_at, Ordering::SeqCst);
        assert_eq!(published(&keeper).await, [new.clone(), old.clone()]);
        let spent_at = signs_at + limits::millis(limits::TOKEN_KEY_BEHIND);
        clock.0.store(spent_at - 1, Ordering::SeqCst);
        assert_eq!(published(&keeper).await.len(), 2);
        clock.0.store(spent_at, Ordering::SeqCst);
        assert_eq!(&published(&keeper).await[..], std::slice::from_ref(new));
    }

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
