//! Quotas of files that are on their way. A file counts against its login's quota from before its
//! first byte until its row does, so that files which are moved side by side do not overfill it
//! together.
//!
//! In memory alone: what was on its way when the process ended comes anew or is the cleaner's.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{NotMoved, admit};
use crate::{
    domain::{
        allowance::Day,
        bridged::{Login, Timestamp},
        hosting::Used,
        ids::{LoginId, StorageRef},
        limits,
        moving::{Ceiling, encrypted_len},
    },
    port::Failure,
    runtime::ports::Ports,
};

/// Cheap to clone; all clones see the same files.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas(Arc<Mutex<BTreeMap<StorageRef, OnItsWay>>>);

#[derive(Clone, Debug)]
struct OnItsWay {
    login: LoginId,
    /// Of the ciphertext; `u64::MAX` if nobody knows.
    bytes: u64,
    /// When it was whole in the store. From then on its row is to come.
    stored_at: Option<Timestamp>,
}

/// The place of one file in its login's quota. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Reserved {
    quotas: Quotas,
    name: StorageRef,
}

impl Quotas {
    /// Makes place under `name` for a file of `length` bytes in the clear; one of unknown length has the place
    /// to itself. A file that finds no place only because of others which are still on their way
    /// waits: they may yet come to nothing. The ceiling is that of the file itself.
    pub(super) async fn reserve(
        &self,
        ports: &Ports,
        login: &LoginId,
        name: &StorageRef,
        length: Option<u64>,
    ) -> Result<(Reserved, Ceiling), NotMoved> {
        let bytes = length.map_or(u64::MAX, encrypted_len);
        let others = self.enter(name, OnItsWay { login: login.clone(), bytes, stored_at: None });
        let reserved = Reserved { quotas: self.clone(), name: name.clone() };
        // Before the rows are counted: a row that comes in between counts twice and never not at all.
        let coming = self.still_coming(ports, others).await.map_err(NotMoved::Later)?;
        let used = used(ports, login).await.map_err(NotMoved::Later)?;
        let ceiling = Ceiling::to_network(&ports.media_rules, used);
        admit(&ceiling, length.unwrap_or(0))?;
        let beside = Ceiling::to_network(&ports.media_rules, used.with(coming));
        let fits = length.map_or(coming == 0, |length| beside.admits(length));
        if !fits {
            let failure = Failure::later("hosting a file: others of its login are on their way");
            return Err(NotMoved::Later(failure));
        }
        Ok((reserved, ceiling))
    }

    /// A file that is not to be hosted after all.
    pub(super) fn forget(&self, name: &StorageRef) {
        self.files().remove(name);
    }

    /// Adds a file; those that its login had on their way before are returned. In one go, so that of
    /// two that come together one sees the other.
    fn enter(&self, name: &StorageRef, file: OnItsWay) -> Vec<(StorageRef, OnItsWay)> {
        let mut files = self.files();
        let of_login = |(name, other): (&StorageRef, &OnItsWay)| {
            (other.login == file.login).then(|| (name.clone(), other.clone()))
        };
        let others = files.iter().filter_map(of_login).collect();
        files.insert(name.clone(), file);
        others
    }

    /// The bytes of those files that no row counts yet.
    async fn still_coming(
        &self,
        ports: &Ports,
        files: Vec<(StorageRef, OnItsWay)>,
    ) -> Result<u64, Failure> {
        let mut coming = 0_u64;
        for (name, OnItsWay { login: _, bytes, stored_at }) in files {
            if let Some(stored_at) = stored_at {
                let waited = ports.clock.now() - stored_at;
                let is_given_up = waited > limits::millis(limits::HOSTED_ROW_WAIT);
                if is_given_up || ports.storage.hosted_media(&name).await?.is_some() {
                    self.forget(&name);
                    continue;
                }
            }
            coming = coming.saturating_add(bytes);
        }
        Ok(coming)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<StorageRef, OnItsWay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a login has used up of what it may host, at all and today.
pub(super) async fn used(ports: &Ports, login: &LoginId) -> Result<Used, Failure> {
    let hosted = ports.storage.hosted_bytes(login).await?;
    // Of a login that is gone nothing is committed.
    let Some(Login { person, .. }) = ports.storage.login(login).await? else {
        return Ok(Used { hosted, today: 0, today_max: u64::MAX });
    };
    let today = ports.storage.day_usage(&person, Day::of(ports.clock.now())).await?;
    let today_max = ports.rules.limits(&person).media_bytes_a_day;
    Ok(Used { hosted, today: today.media_bytes, today_max })
}

impl Reserved {
    /// The file is in the store and has `bytes`: its place is kept until it has a row.
    pub(super) fn keep(self, bytes: u64, now: Timestamp) {
        if let Some(file) = self.quotas.files().get_mut(&self.name) {
            (file.bytes, file.stored_at) = (bytes, Some(now));
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut files = self.quotas.files();
        if files.get(&self.name).is_some_and(|file| file.stored_at.is_none()) {
            files.remove(&self.name);
        }
    }
}
