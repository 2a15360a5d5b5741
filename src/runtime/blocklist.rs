//! Keeps the network's list of blocked people the same as ours. Ours is the truth: what the network
//! has besides it is an older state of it, or came from nowhere that the person knows of.

use std::{collections::BTreeSet, sync::Arc};

use super::{hints::Hints, ports::Ports, stop::Stop};
use crate::{
    domain::{
        consent::ContactState,
        ids::{LoginId, RemoteUser},
    },
    port::{Failure, NetworkLink},
};

/// Corrects the network's list when a login has connected, and whenever ours changes until the stop.
/// What fails is done at the next change or connection.
pub(super) async fn keep(
    ports: Ports,
    hints: Hints,
    login: LoginId,
    link: Arc<dyn NetworkLink>,
    stop: Stop,
) {
    let hint = hints.blocklist(&login);
    while !stop.begun() {
        let corrected = async {
            let ours = blocked_by(&ports, &login).await?;
            correct_blocklist(&*link, &ours).await
        };
        if let Err(failure) = corrected.await {
            tracing::warn!(login = login.0, %failure, "could not correct the network's list of blocked people");
        }
        tokio::select! {
            biased;
            () = stop.soft() => {}
            () = hint.notified() => {}
        }
    }
}

/// Whom a person has blocked.
async fn blocked_by(ports: &Ports, login: &LoginId) -> Result<Vec<RemoteUser>, Failure> {
    let mut blocked = Vec::new();
    for contact in ports.storage.contacts_of(login).await? {
        if contact.state == ContactState::Blocked
            && let Some(ghost) = ports.storage.ghost(&contact.ghost).await?
        {
            blocked.push(ghost.remote);
        }
    }
    Ok(blocked)
}

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
