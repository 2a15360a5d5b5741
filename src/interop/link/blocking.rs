//! Keeping people away and complaining about them (network facts 1.5, 2.3, 6).

use causeway_wire::{
    node::Content,
    stanza::{
        IqStanza, Query,
        interop::{BlockChange, Report, parse_blocklist},
    },
};

use super::{Link, jid_of, refused, unreadable};
use crate::{domain::ids::RemoteUser, interop::profile::ReportForm, port::Failure};

const BLOCKLIST: &str = "the list of blocked people";
const BLOCKING: &str = "blocking a person";
const REPORT: &str = "reporting a person";

impl Link {
    pub(super) async fn change_blocklist(
        &self,
        user: &RemoteUser,
        blocked: bool,
    ) -> Result<(), Failure> {
        let change = BlockChange { jid: jid_of(user, 0)?, blocked };
        let query = Query::ChangeBlocklist(self.profile.blocklist, vec![change]);
        self.ask(query, BLOCKING).await.map(drop)
    }

    pub(super) async fn fetch_blocklist(&self) -> Result<Vec<RemoteUser>, Failure> {
        let content = self.ask(Query::GetBlocklist(self.profile.blocklist), BLOCKLIST).await?;
        let jids = parse_blocklist(&content).map_err(unreadable(BLOCKLIST))?;
        Ok(jids.into_iter().map(|jid| RemoteUser(jid.without_device().to_string())).collect())
    }

    pub(super) async fn complain_about(&self, user: &RemoteUser) -> Result<(), Failure> {
        let ReportForm { xmlns, flow } = &self.profile.report;
        let report = Report { jid: jid_of(user, 0)?, flow: flow.clone() };
        let content = Content::Nodes(vec![report.into_node()]);
        let iq = IqStanza::set(self.connection.next_id(), xmlns, content);
        let answer = self.connection.ask_iq(iq, self.connection.patience.request).await?;
        answer.map(drop).map_err(|error| refused(REPORT, &error))
    }
}
