//! Keeps the network's list of blocked people the same as ours. Ours is the truth: what the network
//! has besides it is an older state of it, or came from nowhere that the person knows of.

use std::collections::BTreeSet;

use crate::{
    domain::ids::RemoteUser,
    port::{Failure, NetworkLink},
};

/// Corrects the network's list to `ours`. Repeating it is harmless; at a failure what was changed stays
/// changed and the rest is done the next time.
///
/// What is too much goes first: should the network call a person by two names, who is blocked under one
/// of them is blocked at the end.
pub async fn correct_blocklist(link: &dyn NetworkLink, ours: &[RemoteUser]) -> Result<(), Failure> {
    let ours: BTreeSet<&RemoteUser> = ours.iter().collect();
    let theirs = link.blocklist().await?;
    let theirs: BTreeSet<&RemoteUser> = theirs.iter().collect();
    let (too_many, missing) = (theirs.difference(&ours), ours.difference(&theirs));
    let changes = too_many.map(|user| (user, false)).chain(missing.map(|user| (user, true)));
    let mut changed = 0_u32;
    for (user, blocked) in changes {
        link.block(user, blocked).await?;
        changed += 1;
    }
    if changed > 0 {
        tracing::info!(changed, "corrected the network's list of blocked people");
    }
    Ok(())
}
