//! What can be done over a connection: the port's link, a file a family.

mod blocking;
mod keys;
mod lookup;
mod messages;
mod typing;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use causeway_wire::{
    jid::Jid,
    node::{Content, Node},
    stanza::{IqError, IqStanza, Query, StanzaError},
};
use tokio_util::sync::DropGuard;

use self::keys::Spare;
use super::{
    connection::Connection,
    profile::{NetworkProfile, Unenlist},
};
use crate::{
    domain::{
        ids::{RemoteAddress, RemoteUser},
        item::{Envelope, OutboundReceipt},
    },
    port::{
        Failure, NetworkLink,
        network::{Accepted, OurBundle, Resolved, StanzaRef},
    },
    signal::{PreKey, RemoteBundle},
};

/// A live connection. Dropping it ends the connection.
pub(super) struct Link {
    connection: Arc<Connection>,
    profile: Arc<NetworkProfile>,
    spare: Spare,
    _ends_with_us: DropGuard,
}

impl Link {
    pub(super) fn new(connection: Arc<Connection>, profile: Arc<NetworkProfile>) -> Self {
        let ends_with_us = connection.over.clone().drop_guard();
        Self { connection, profile, spare: Spare::default(), _ends_with_us: ends_with_us }
    }

    /// Asks, and takes a refusal for a failure; `what` names the question.
    async fn ask(&self, query: Query, what: &str) -> Result<Content, Failure> {
        self.connection.ask(query).await?.map_err(|error| refused(what, &error))
    }
}

#[async_trait]
impl NetworkLink for Link {
    async fn acknowledge(&self, stanza: &StanzaRef) -> Result<(), Failure> {
        self.connection.send(stanza.0.clone()).await
    }

    async fn send(&self, envelope: &Envelope) -> Result<Accepted, Failure> {
        self.send_envelope(envelope).await
    }

    async fn send_receipt(
        &self,
        receipt: &OutboundReceipt,
        bundle: Option<&OurBundle>,
    ) -> Result<(), Failure> {
        self.deliver_receipt(receipt, bundle).await
    }

    async fn typing(&self, to: &RemoteUser, typing: bool) -> Result<(), Failure> {
        self.tell_typing(to, typing).await
    }

    async fn resolve(&self, phone: &str) -> Result<Resolved, Failure> {
        self.look_up(phone).await
    }

    async fn devices(&self, user: &RemoteUser) -> Result<Vec<u16>, Failure> {
        self.list_devices(user).await
    }

    async fn bundle(&self, address: &RemoteAddress) -> Result<Option<RemoteBundle>, Failure> {
        self.fetch_bundle(address).await
    }

    async fn upload_prekeys(&self, keys: &OurBundle, prekeys: &[PreKey]) -> Result<(), Failure> {
        self.publish_prekeys(keys, prekeys).await
    }

    async fn prekey_count(&self) -> Result<u32, Failure> {
        self.count_prekeys().await
    }

    async fn block(&self, user: &RemoteUser, blocked: bool) -> Result<(), Failure> {
        self.change_blocklist(user, blocked).await
    }

    async fn blocklist(&self) -> Result<Vec<RemoteUser>, Failure> {
        self.fetch_blocklist().await
    }

    async fn report(&self, user: &RemoteUser) -> Result<(), Failure> {
        self.complain_about(user).await
    }

    async fn unenlist(&self) -> Result<(), Failure> {
        let Unenlist { xmlns, element } = &self.profile.unenlist;
        let content = Content::Nodes(vec![Node::new(element)]);
        let iq = IqStanza::set(self.connection.next_id(), xmlns, content);
        let answer = self.connection.ask_iq(iq, self.connection.patience.request).await?;
        answer.map(drop).map_err(|error| refused("un-enlistment", &error))
    }

    async fn close(&self) {
        self.connection.close().await;
    }
}

/// A refusal of the network as a failure. Its text is not repeated: it is the network's.
fn refused(what: &str, error: &IqError) -> Failure {
    let text = format!("{what}: the network refused it ({})", error.code);
    if error.code == 429 || error.code >= 500 { Failure::later(text) } else { Failure::never(text) }
}

fn unreadable(what: &str) -> impl FnOnce(StanzaError) -> Failure {
    let text = format!("{what}: the answer cannot be read");
    |error| Failure::later(text).because(error)
}

/// The address of a person as the wire has it.
fn jid_of(user: &RemoteUser, device: u16) -> Result<Jid, Failure> {
    user.0
        .parse::<Jid>()
        .and_then(|jid| jid.with_device(device))
        .map_err(|error| Failure::never("not an address of the network").because(error))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("login", &self.connection.login).finish_non_exhaustive()
    }
}
