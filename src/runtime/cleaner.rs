//! The cleaner: requests that nobody answered end, looked up numbers are forgotten, and of the media
//! store goes what has expired and what nobody knows.
//!
//! The rows are the truth. A file goes before its row, so that a crash between the two repeats
//! harmlessly; a file without a row is of an upload that never came to its commit, or of a login
//! that is gone.

use super::{consents::Consents, ports::Ports, stop::Stop};
use crate::{
    domain::{bridged::Timestamp, limits},
    port::{Failure, storage::Change},
};

/// Cleans until the stop, the first time at once.
pub async fn clean(ports: Ports, consents: Consents, stop: Stop) {
    let mut orphans_due = ports.clock.now();
    loop {
        let round = async {
            let now = ports.clock.now();
            if let Err(failure) = remove_expired(&ports, now).await {
                tracing::warn!(%failure, "could not remove expired media; will try again");
            }
            if let Err(failure) = consents.expire(now).await {
                tracing::warn!(%failure, "could not end old requests; will try again");
            }
            if let Err(failure) = forget_lookups(&ports, now).await {
                tracing::warn!(%failure, "could not forget looked up numbers; will try again");
            }
            if now >= orphans_due {
                match remove_orphans(&ports, now).await {
                    Ok(()) => orphans_due = now + limits::millis(limits::ORPHANS_EVERY),
                    Err(failure) => {
                        tracing::warn!(%failure, "could not look for orphaned media; will try again");
                    }
                }
            }
            ports.clock.sleep(limits::CLEAN_EVERY).await;
        };
        tokio::select! {
            biased;
            () = stop.soft() => return,
            () = round => {}
        }
    }
}

async fn forget_lookups(ports: &Ports, now: Timestamp) -> Result<(), Failure> {
    if ports.storage.lookups().await? == 0 {
        return Ok(());
    }
    let before = now.saturating_sub(limits::millis(limits::LOOKUP_KEPT));
    ports.storage.commit(vec![Change::LookupsForgotten { before }]).await
}

/// Goes on after a file that cannot be removed and gives the last failure at the end.
async fn remove_expired(ports: &Ports, now: Timestamp) -> Result<(), Failure> {
    let mut removed = 0_usize;
    let outcome = loop {
        let expired = ports.storage.hosted_expired(now, limits::EXPIRED_AT_ONCE_MAX).await?;
        if expired.is_empty() {
            break Ok(());
        }
        let (mut forgotten, mut failed) = (Vec::with_capacity(expired.len()), None);
        for media in expired {
            match ports.media.delete(&media.name).await {
                Ok(()) => forgotten.push(Change::MediaForgotten(media.name)),
                Err(failure) => failed = Some(failure),
            }
        }
        removed += forgotten.len();
        ports.storage.commit(forgotten).await?;
        // The same files would come again.
        if let Some(failure) = failed {
            break Err(failure);
        }
    };
    if removed > 0 {
        tracing::info!(removed, "removed expired media");
    }
    outcome
}

/// Goes on after a file that cannot be removed and gives the last failure at the end.
async fn remove_orphans(ports: &Ports, now: Timestamp) -> Result<(), Failure> {
    // What is younger may be an upload whose commit is still to come.
    let before = now.saturating_sub(limits::millis(limits::ORPHAN_GRACE));
    let unfinished = ports.media.discard_unfinished(before).await?;
    let (mut removed, mut outcome) = (0_usize, Ok(()));
    for entry in ports.media.list().await? {
        if entry.written_at < before && ports.storage.hosted_media(&entry.name).await?.is_none() {
            match ports.media.delete(&entry.name).await {
                Ok(()) => removed += 1,
                Err(failure) => outcome = Err(failure),
            }
        }
    }
    if removed > 0 || unfinished > 0 {
        tracing::info!(removed, unfinished, "removed orphaned media");
    }
    outcome
}
