//! Reporting a contact to the network.

use ruma::EventId;

use super::Logins;
use crate::{
    domain::{
        bridged::Login,
        consent::{Act, Entry},
        ids::GhostKey,
    },
    port::{Failure, storage::Change},
};

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    Reported,
    NotConnected,
}

impl Logins {
    /// Tells the network that a contact misbehaves, at once: a report is a wish of the moment, and the
    /// ledger remembers the ones that were taken. What was written is not told.
    pub async fn report(
        &self,
        login: &Login,
        ghost: &GhostKey,
        cause: &EventId,
    ) -> Result<ReportOutcome, Failure> {
        let known = self.ports.storage.ghost(ghost).await?;
        let Some((link, known)) = self.links.link(&login.id).zip(known) else {
            return Ok(ReportOutcome::NotConnected);
        };
        link.report(&known.remote).await?;
        let entry = self.entry(login, Act::Reported, Some(cause));
        let entry = Entry { ghost: Some(ghost.clone()), ..entry };
        self.ports.storage.commit(vec![Change::LedgerAdded(entry)]).await?;
        Ok(ReportOutcome::Reported)
    }
}
