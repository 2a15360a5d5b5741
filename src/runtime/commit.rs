//! The one way to write: a list of changes, committed together, and then the hints that follow
//! from what was written.

use super::{hints::Hints, ports::Ports};
use crate::{
    domain::consent::ContactState,
    port::{Failure, storage::Change},
};

/// Commits and wakes the pumps that have new work.
pub(crate) async fn commit(
    ports: &Ports,
    hints: &Hints,
    changes: Vec<Change>,
) -> Result<(), Failure> {
    let woken: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::OutboxAdded { item, .. } => Some(hints.outbox(&item.destination())),
            Change::ContactMoved { portal, from, to, .. }
                if from != to && [*from, *to].contains(&ContactState::Blocked) =>
            {
                Some(hints.blocklist(&portal.login))
            }
            _ => None,
        })
        .collect();
    ports.storage.commit(changes).await?;
    for pump in woken {
        pump.notify_one();
    }
    Ok(())
}
