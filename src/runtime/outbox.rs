//! The outbox: what was committed is sent, in the order of its lane, until the other side has it.

use std::sync::Arc;

use async_trait::async_trait;
use ruma::{EventId, OwnedEventId};

use super::{
    commit::commit,
    hints::Hints,
    lanes::{self, LaneWork, Rest},
    ports::Ports,
    speech::Speech,
    stop::Stop,
};
use crate::{
    domain::{
        bridged::{Delivery, Direction},
        ids::{Lane, PortalKey},
        item::{
            Destination, Envelope, OutboundEvent, OutboundNotice, OutboundRead, OutboundReceipt,
            OutboundReceiptKind, OutboundRedaction, OutboxItem, Shown,
        },
        limits,
        notice::Notice,
    },
    port::{
        Failure, NetworkLink, Retry,
        homeserver::REDACTION,
        network::{Accepted, OurBundle},
        storage::{Change, MessagePart, OutboxRow},
    },
};

/// Empties the outbox towards one destination.
pub struct Outbox {
    ports: Ports,
    hints: Hints,
    to: Destination,
    /// `None` towards the homeserver.
    link: Option<Arc<dyn NetworkLink>>,
    speech: Speech,
    stop: Stop,
}

impl Outbox {
    /// Towards the homeserver.
    pub fn to_homeserver(ports: &Ports, hints: &Hints, stop: Stop) -> Self {
        Self::new(ports, hints, Destination::Homeserver, None, stop)
    }

    /// Towards the network, for as long as a login's connection lasts.
    pub(crate) fn to_network(
        ports: &Ports,
        hints: &Hints,
        to: Destination,
        link: Arc<dyn NetworkLink>,
        stop: Stop,
    ) -> Self {
        Self::new(ports, hints, to, Some(link), stop)
    }

    fn new(
        ports: &Ports,
        hints: &Hints,
        to: Destination,
        link: Option<Arc<dyn NetworkLink>>,
        stop: Stop,
    ) -> Self {
        let speech = Speech::new(ports.clone());
        Self { ports: ports.clone(), hints: hints.clone(), to, link, speech, stop }
    }

    /// Sends until the stop.
    pub async fn run(self) {
        let (hint, clock) = (self.hints.outbox(&self.to), Arc::clone(&self.ports.clock));
        let stop = self.stop.clone();
        lanes::drive(Arc::new(self), hint, clock, stop).await;
    }

    /// Sends an item; the changes say what is true once the other side has it.
    async fn send(&self, item: &OutboxItem) -> Result<Vec<Change>, Failure> {
        match item {
            OutboxItem::Event(event) => self.event(event).await,
            OutboxItem::Redaction(redaction) => self.redaction(redaction).await,
            OutboxItem::Read(read) => self.read(read).await,
            OutboxItem::Notice(notice) => self.notice(notice).await,
            OutboxItem::Envelope(envelope) => self.envelope(envelope).await,
            OutboxItem::Receipt(receipt) => self.receipt(receipt).await,
        }
    }

    async fn event(&self, event: &OutboundEvent) -> Result<Vec<Change>, Failure> {
        let id = self.ports.homeserver.send(event).await?;
        Ok(event.shows.clone().map(|shown| self.shown(shown, Some(id))).unwrap_or_default())
    }

    async fn redaction(&self, redaction: &OutboundRedaction) -> Result<Vec<Change>, Failure> {
        let OutboundRedaction { portal, redacts, direction, part: one, .. } = redaction.clone();
        let mut changes = Vec::new();
        let mut done = None;
        if direction == Direction::ToMatrix {
            for part in self.ports.storage.message_parts(&portal, &redacts).await? {
                let MessagePart { number, event } = part;
                if one.is_none_or(|one| one == number) {
                    done = self.redact(redaction, &event, Some(number)).await?;
                    let (portal, remote_id) = (portal.clone(), redacts.clone());
                    changes.push(Change::PartRemoved { portal, remote_id, number });
                }
            }
        }
        let shown = self.ports.storage.message_in(&portal, direction, &redacts).await?;
        let event = shown.and_then(|message| message.event).filter(|_| one.is_none());
        if let Some(event) = event {
            done = self.redact(redaction, &event, None).await?;
        }
        changes.extend(
            redaction.shows.clone().into_iter().flat_map(|it| self.shown(it, done.clone())),
        );
        Ok(changes)
    }

    async fn redact(
        &self,
        redaction: &OutboundRedaction,
        event: &EventId,
        part: Option<u32>,
    ) -> Result<Option<OwnedEventId>, Failure> {
        let OutboundRedaction { sender, room, transaction_id, portal, .. } = redaction.clone();
        let transaction_id = match part {
            Some(part) => self.ports.namer.transaction_id(&[&transaction_id, &part.to_string()]),
            None => transaction_id,
        };
        let (event_type, content) = (REDACTION.to_owned(), serde_json::json!({"redacts": event}));
        let event =
            OutboundEvent { sender, room, transaction_id, event_type, content, shows: None };
        match self.ports.homeserver.send(&event).await {
            Ok(id) => Ok(Some(id)),
            // Somebody took away the ghost's power in the room. What is seen is then one reaction too
            // many, which is no reason to set anything aside.
            Err(failure) if failure.retry == Retry::Never => {
                tracing::warn!(lane = ?portal, %failure, "the homeserver refused a redaction");
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn notice(&self, notice: &OutboundNotice) -> Result<Vec<Change>, Failure> {
        let OutboundNotice { event, portal, about } = notice;
        let (portal, about) = (portal.clone(), about.clone());
        let event = self.ports.homeserver.send(event).await?;
        Ok(vec![Change::NoticeShown { portal, about, event }])
    }

    async fn read(&self, read: &OutboundRead) -> Result<Vec<Change>, Failure> {
        let OutboundRead { reader, room, event } = read;
        match self.ports.homeserver.read(reader, room, event).await {
            // The ghost is no longer in the room, or the event is gone: nobody misses the receipt.
            Err(failure) if failure.retry == Retry::Never => {
                tracing::warn!(%room, %failure, "the homeserver refused a read receipt");
            }
            sent => sent?,
        }
        Ok(Vec::new())
    }

    /// What is true once a message of the network has been shown.
    fn shown(&self, shown: Shown, event: Option<OwnedEventId>) -> Vec<Change> {
        let Shown { login, from, id: remote_id, part } = shown;
        let ghost = self.ports.namer.ghost_key(&from.user);
        let portal = PortalKey { login: login.clone(), ghost };
        if let Some(number) = part {
            let shown = event.map(|event| Change::PartShown { portal, remote_id, number, event });
            return shown.into_iter().collect();
        }
        let receipt = OutboundReceipt {
            login,
            to: from,
            messages: vec![remote_id.clone()],
            kind: OutboundReceiptKind::Delivered,
        };
        let lane = Lane::Portal(portal.clone());
        let told = Change::OutboxAdded { lane, item: OutboxItem::Receipt(receipt) };
        let known = event.map(|event| Change::MessageShown { portal, remote_id, event });
        known.into_iter().chain([told]).collect()
    }

    async fn envelope(&self, envelope: &Envelope) -> Result<Vec<Change>, Failure> {
        let ghost = self.ports.namer.ghost_key(&envelope.to);
        let portal = PortalKey { login: envelope.login.clone(), ghost };
        let state = self.ports.storage.contact(&portal).await?;
        let accepted =
            if state.may_send() { Some(self.link()?.send(envelope).await?) } else { None };
        let message = self.ports.storage.message_by_remote(&portal, &envelope.id).await?;
        match accepted {
            // The person changed their mind after they wrote it.
            None => match message {
                Some(message) => {
                    self.speech.failed(&portal, &message, &Notice::WithoutConsent(state)).await
                }
                None => Ok(Vec::new()),
            },
            Some(Accepted::Stored) => {
                // A receipt may have been faster, and what was sent again was told the first time.
                let news = message.filter(|message| message.delivery < Delivery::Sent);
                let mut changes = match news {
                    Some(message) => self.speech.sent(&portal, &message).await?,
                    None => Vec::new(),
                };
                let (remote_id, delivery) = (envelope.id.clone(), Delivery::Sent);
                changes.push(Change::MessageDelivery { portal, remote_id, delivery });
                Ok(changes)
            }
            Some(Accepted::Refused { reason }) => {
                tracing::warn!(lane = ?portal, reason, "the network refused a message");
                let notice = Notice::RefusedByNetwork { reason };
                match message {
                    Some(message) => self.speech.failed(&portal, &message, &notice).await,
                    None => Ok(Vec::new()),
                }
            }
        }
    }

    async fn receipt(&self, receipt: &OutboundReceipt) -> Result<Vec<Change>, Failure> {
        let ghost = self.ports.namer.ghost_key(&receipt.to.user);
        let portal = PortalKey { login: receipt.login.clone(), ghost };
        if !self.ports.storage.contact(&portal).await?.may_send() {
            return Ok(Vec::new());
        }
        let bundle = match &receipt.kind {
            OutboundReceiptKind::Delivered | OutboundReceiptKind::Read => None,
            OutboundReceiptKind::Retry { prekey, .. } => {
                match self.bundle(receipt, *prekey).await? {
                    // It has been answered: only the answer to it uses that prekey up.
                    None => return Ok(Vec::new()),
                    bundle => bundle,
                }
            }
        };
        self.link()?.send_receipt(receipt, bundle.as_ref()).await?;
        Ok(Vec::new())
    }

    /// `None` if the prekey is used up.
    async fn bundle(
        &self,
        receipt: &OutboundReceipt,
        prekey: u32,
    ) -> Result<Option<OurBundle>, Failure> {
        let keys = self.ports.storage.login_keys(&receipt.login).await?;
        let prekey = self.ports.storage.prekey(&receipt.login, prekey).await?;
        Ok(keys.zip(prekey).map(|(keys, prekey)| OurBundle {
            identity: keys.identity,
            signed_prekey: keys.signed_prekey,
            prekey: Some(prekey),
        }))
    }

    fn link(&self) -> Result<&dyn NetworkLink, Failure> {
        self.link.as_deref().ok_or_else(|| Failure::never("an item for the network without a link"))
    }

    /// What is said of an item that is set aside: the person must not wait for their message.
    async fn given_up(&self, item: &OutboxItem) -> Result<Vec<Change>, Failure> {
        let OutboxItem::Envelope(envelope) = item else { return Ok(Vec::new()) };
        let ghost = self.ports.namer.ghost_key(&envelope.to);
        let portal = PortalKey { login: envelope.login.clone(), ghost };
        let storage = &self.ports.storage;
        match storage.message_in(&portal, Direction::ToNetwork, &envelope.id).await? {
            Some(message) => self.speech.failed(&portal, &message, &Notice::BridgeFailed).await,
            None => Ok(Vec::new()),
        }
    }

    async fn end(
        &self,
        row: &OutboxRow,
        sent: Result<Vec<Change>, Failure>,
    ) -> Result<(), Failure> {
        let id = row.id;
        let changes = match sent {
            Ok(mut changes) => {
                changes.push(Change::OutboxDone(id));
                changes
            }
            Err(failure) if failure.retry == Retry::Never => match self.given_up(&row.item).await {
                Ok(mut changes) => {
                    tracing::error!(row = id.0, %failure, "set an outbox item aside");
                    changes.push(Change::OutboxQuarantined { id, reason: failure.to_string() });
                    changes
                }
                Err(unsaid) => vec![self.parked(row, &unsaid)],
            },
            // A connection that failed is replaced, and everything unsent goes out on the next one.
            Err(failure) if self.link.is_some() => return Err(failure),
            Err(failure) => vec![self.parked(row, &failure)],
        };
        commit(&self.ports, &self.hints, changes).await
    }

    fn parked(&self, row: &OutboxRow, failure: &Failure) -> Change {
        if failure.is_told() {
            tracing::debug!(row = row.id.0, %failure, "will send an item again");
        } else {
            tracing::warn!(row = row.id.0, %failure, "will send an item again");
        }
        let attempts = row.attempts + 1;
        let pause = limits::ITEM_BACKOFF.pause(attempts);
        let until = self.ports.clock.now() + limits::millis(pause);
        Change::OutboxParked { id: row.id, until, attempts }
    }
}

#[async_trait]
impl LaneWork for Outbox {
    async fn lanes(&self) -> Result<Vec<Lane>, Failure> {
        self.ports.can_write()?;
        self.ports.storage.outbox_lanes(&self.to).await
    }

    async fn work(&self, lane: &Lane) -> Result<Rest, Failure> {
        while !self.stop.begun() {
            let Some(row) = self.ports.storage.outbox_next(lane, &self.to).await? else {
                return Ok(Rest::Empty);
            };
            if lanes::is_ahead(row.not_before, self.ports.clock.now()) {
                return Ok(Rest::Until(row.not_before));
            }
            let sent = self.send(&row.item).await;
            self.end(&row, sent).await?;
        }
        Ok(Rest::Empty)
    }

    async fn set_aside(&self, lane: &Lane) -> Result<(), Failure> {
        let Some(row) = self.ports.storage.outbox_next(lane, &self.to).await? else {
            return Ok(());
        };
        self.end(&row, Err(Failure::never("sending it panicked"))).await
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("to", &self.to).finish_non_exhaustive()
    }
}
