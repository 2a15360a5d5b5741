//! The inbox: each item goes to the path that it belongs to, and what the path decided is
//! committed together with the item's end.

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;

use super::{
    admission::Admissions,
    chats::Chats,
    commit::commit,
    connection::Links,
    consents::Consents,
    hints::Hints,
    identities::Identities,
    lanes::{self, LaneWork, Rest},
    management::{Commands, Management},
    media::Mover,
    membership::{Membership, TOMBSTONE},
    outcome::Outcome,
    policies::Policies,
    ports::Ports,
    reading::Reading,
    receipts::Receipts,
    rooms::Rooms,
    sessions::Sessions,
    speech::Speech,
    stop::Stop,
    to_matrix::ToMatrix,
    to_network::ToNetwork,
    verifications::Verifications,
};
use crate::{
    domain::{
        event::Event,
        ids::{Lane, PortalKey},
        item::{InboxItem, KeyChanges, RawEvent},
        limits,
        notice::Notice,
    },
    port::{
        Failure, Retry,
        storage::{Change, InboxId, InboxRow},
    },
};

/// Works through the inbox.
#[derive(Debug)]
pub struct Inbox {
    ports: Ports,
    hints: Hints,
    stop: Stop,
    admissions: Admissions,
    identities: Identities,
    to_network: ToNetwork,
    to_matrix: ToMatrix,
    receipts: Receipts,
    reading: Reading,
    membership: Membership,
    management: Management,
    policies: Policies,
    verifications: Verifications,
    speech: Speech,
    /// Lanes work up to this row: the key changes before it have reached the machines.
    bound: AtomicI64,
    /// Lanes that need not wait any longer. Never held across an await.
    woken: Mutex<BTreeSet<Lane>>,
}

impl Inbox {
    pub fn new(
        ports: &Ports,
        hints: &Hints,
        links: &Links,
        rooms: &Rooms,
        commands: Arc<dyn Commands>,
        stop: Stop,
    ) -> Self {
        let speech = Speech::new(ports.clone());
        let sessions = Sessions::new(ports.clone());
        let mover = Mover::new(ports.clone());
        let consents = Consents::new(ports.clone(), hints.clone());
        let identities = Identities::new(ports, hints, links);
        let to_network = ToNetwork::new(
            ports.clone(),
            links.clone(),
            sessions.clone(),
            identities.clone(),
            speech.clone(),
            mover.clone(),
        );
        let to_matrix = ToMatrix::new(
            ports.clone(),
            rooms.clone(),
            sessions,
            identities.clone(),
            speech.clone(),
            mover,
        );
        Self {
            receipts: Receipts::new(ports.clone(), to_network.clone(), speech.clone()),
            reading: Reading::new(ports.clone(), hints.clone()),
            to_matrix,
            identities,
            admissions: Admissions::new(
                ports.clone(),
                rooms.clone(),
                consents.clone(),
                speech.clone(),
            ),
            membership: Membership::new(
                ports.clone(),
                links.clone(),
                Chats::new(ports, rooms, &consents),
                rooms.clone(),
                speech.clone(),
                consents,
            ),
            policies: Policies::new(ports, hints, links),
            verifications: Verifications::new(ports.clone(), hints.clone(), speech.clone()),
            management: Management::new(ports.clone(), commands, speech.clone()),
            to_network,
            speech,
            ports: ports.clone(),
            hints: hints.clone(),
            stop,
            bound: AtomicI64::new(0),
            woken: Mutex::default(),
        }
    }

    /// Works until the stop.
    pub async fn run(self) {
        let (hint, clock) = (self.hints.inbox(), Arc::clone(&self.ports.clock));
        let stop = self.stop.clone();
        lanes::drive(Arc::new(self), hint, clock, stop).await;
    }

    /// Every key change that has arrived reaches the machines before any event does. Says whether
    /// there may be room keys among them.
    async fn drain_keys(&self) -> Result<bool, Failure> {
        let bound = self.ports.storage.inbox_bound().await?;
        let mut brought_keys = false;
        while let Some(row) = self.ports.storage.inbox_next(&Lane::Keys, None).await? {
            let ended = match &row.item {
                InboxItem::Keys(changes) => {
                    brought_keys |= !changes.to_device.is_empty();
                    self.receive(changes.clone()).await
                }
                _ => Err(Failure::never("an item in the lane of keys that is no key change")),
            };
            match ended {
                Ok(()) => {
                    self.verifications.attend().await;
                    self.end(&row, Outcome::nothing()).await?;
                }
                Err(failure) if failure.retry == Retry::Later => return Err(failure),
                Err(failure) => self.end(&row, set_aside(&failure)).await?,
            }
        }
        if let Some(InboxId(bound)) = bound {
            self.bound.fetch_max(bound, Ordering::AcqRel);
        }
        Ok(brought_keys)
    }

    /// Whoever awaits a room key looks again at once.
    async fn look_for_keys(&self, lanes: &[Lane]) -> Result<(), Failure> {
        let awaiting = lanes.iter().filter(|lane| matches!(lane, Lane::AwaitingKey(..)));
        let awaiting: Vec<Lane> = awaiting.cloned().collect();
        let due = awaiting.iter().cloned().map(Change::InboxLaneDue).collect();
        if !awaiting.is_empty() {
            self.ports.storage.commit(due).await?;
            self.wake(awaiting);
        }
        Ok(())
    }

    fn wake(&self, lanes: impl IntoIterator<Item = Lane>) {
        self.woken.lock().expect("no holder of this lock can panic").extend(lanes);
    }

    /// In a task of its own: a panic over one batch of keys must not end the pump.
    async fn receive(&self, changes: KeyChanges) -> Result<(), Failure> {
        let cipher = Arc::clone(&self.ports.cipher);
        let received = tokio::spawn(async move { cipher.receive(&changes).await });
        received.await.unwrap_or_else(|_| Err(Failure::never("taking in keys panicked")))
    }

    async fn end(&self, row: &InboxRow, outcome: Outcome) -> Result<(), Failure> {
        let id = row.id;
        let changes = match outcome {
            Outcome::Done(mut changes) => {
                changes.push(Change::InboxDone(id));
                changes
            }
            Outcome::Move { lane, mut changes } => {
                let moved = Change::InboxMoved { id, lane: lane.clone() };
                changes.push(moved);
                commit(&self.ports, &self.hints, changes).await?;
                self.wake([lane]);
                self.hints.inbox().notify_one();
                return Ok(());
            }
            Outcome::Wait { until, mut changes } => {
                let latest = self.ports.clock.now() + limits::millis(limits::PARKED_MAX);
                let until = until.min(latest);
                changes.push(Change::InboxParked { id, until, attempts: row.attempts + 1 });
                changes
            }
            Outcome::SetAside { reason, mut changes } => {
                tracing::warn!(row = id.0, reason, "set an item aside");
                changes.push(Change::InboxQuarantined { id, reason });
                changes
            }
        };
        commit(&self.ports, &self.hints, changes).await
    }

    async fn outcome(&self, row: &InboxRow) -> Result<Outcome, Failure> {
        match (&row.lane, &row.item) {
            (Lane::Unplaced, _) => {
                Ok(Outcome::SetAside { reason: "malformed event".to_owned(), changes: Vec::new() })
            }
            (Lane::AwaitingKey(portal, _), InboxItem::Event(raw)) => {
                self.to_network.look_for_key(row, portal, raw).await
            }
            (_, InboxItem::Event(raw)) => self.event(row, raw).await,
            (Lane::Portal(portal), InboxItem::Read(read)) => self.reading.read(portal, read).await,
            (
                Lane::Portal(portal),
                InboxItem::Message(_) | InboxItem::Receipt(_) | InboxItem::IdentityChanged(_),
            ) => self.of_contact(row, portal).await,
            (Lane::Keys | Lane::Room(_) | Lane::Held(_) | Lane::AwaitingKey(..), _)
            | (Lane::Portal(_), InboxItem::Keys(_)) => Ok(misplaced()),
        }
    }

    /// What a contact sent, if the person wants it.
    async fn of_contact(&self, row: &InboxRow, portal: &PortalKey) -> Result<Outcome, Failure> {
        if let Some(outcome) = self.admissions.instead(row, portal).await? {
            return Ok(outcome);
        }
        if let Some(outcome) = self.identities.instead(portal).await? {
            return Ok(outcome);
        }
        match &row.item {
            InboxItem::Message(message) => self.to_matrix.message(row, portal, message).await,
            InboxItem::Receipt(receipt) => self.receipts.receipt(row, portal, receipt).await,
            InboxItem::IdentityChanged(user) => self.identities.announced(row, portal, user).await,
            InboxItem::Event(_) | InboxItem::Read(_) | InboxItem::Keys(_) => Ok(misplaced()),
        }
    }

    async fn event(&self, row: &InboxRow, raw: &RawEvent) -> Result<Outcome, Failure> {
        let Some(event) = Event::parse(raw) else {
            return Err(Failure::never("malformed event"));
        };
        if self.ports.homeserver.our_user(&event.sender).is_some() {
            return Ok(Outcome::nothing());
        }
        if self.ports.rules.follows(&event.room) {
            self.policies.learn(&event).await?;
            return Ok(Outcome::nothing());
        }
        if let Some((member, membership)) = event.membership() {
            return self.membership.changed(row, &event, member, membership).await;
        }
        match (&row.lane, self.ports.storage.portal_of_room(&event.room).await?) {
            (Lane::Portal(lane), Some(portal)) if portal.key == *lane => {
                if event.is_state(TOMBSTONE) {
                    return self.membership.replaced(&event, &portal).await;
                }
                self.to_network.event(row, &portal, &event, raw).await
            }
            (_, Some(portal)) => {
                Ok(Outcome::Move { lane: Lane::Portal(portal.key), changes: Vec::new() })
            }
            (_, None) => self.management.event(row, &event, raw).await,
        }
    }
}

#[async_trait]
impl LaneWork for Inbox {
    async fn lanes(&self) -> Result<Vec<Lane>, Failure> {
        self.ports.can_write()?;
        let brought_keys = self.drain_keys().await?;
        let lanes = self.ports.storage.inbox_lanes().await?;
        if brought_keys {
            self.look_for_keys(&lanes).await?;
        }
        Ok(lanes)
    }

    fn woken(&self) -> BTreeSet<Lane> {
        mem::take(&mut *self.woken.lock().expect("no holder of this lock can panic"))
    }

    async fn work(&self, lane: &Lane) -> Result<Rest, Failure> {
        while !self.stop.begun() {
            let bound = InboxId(self.bound.load(Ordering::Acquire));
            let Some(row) = self.ports.storage.inbox_next(lane, Some(bound)).await? else {
                return Ok(Rest::Empty);
            };
            if lanes::is_ahead(row.not_before, self.ports.clock.now()) {
                return Ok(Rest::Until(row.not_before));
            }
            let outcome = self.outcome(&row).await;
            self.verifications.attend().await;
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(failure) if failure.retry == Retry::Never => {
                    self.given_up(&row, &failure).await
                }
                Err(failure) => self.later(&row, &failure),
            };
            self.end_somehow(&row, outcome).await?;
        }
        Ok(Rest::Empty)
    }

    async fn set_aside(&self, lane: &Lane) -> Result<(), Failure> {
        let Some(row) = self.ports.storage.inbox_next(lane, None).await? else { return Ok(()) };
        let outcome = self.given_up(&row, &Failure::never("working on it panicked")).await;
        self.end_somehow(&row, outcome).await
    }
}

impl Inbox {
    async fn end_somehow(&self, row: &InboxRow, outcome: Outcome) -> Result<(), Failure> {
        match self.end(row, outcome).await {
            // What the item decided cannot be written, now or later.
            Err(failure) if failure.retry == Retry::Never => {
                self.end(row, set_aside(&failure)).await
            }
            ended => ended,
        }
    }

    /// Sets an item aside, and tells the person if it is a message of theirs.
    async fn given_up(&self, row: &InboxRow, failure: &Failure) -> Outcome {
        let mut outcome = set_aside(failure);
        let (Lane::Portal(key) | Lane::AwaitingKey(key, _), InboxItem::Event(raw)) =
            (&row.lane, &row.item)
        else {
            return outcome;
        };
        let Some(event) = Event::parse(raw).filter(Event::is_message) else { return outcome };
        // In a task of its own: what panicked may panic again.
        let (speech, key) = (self.speech.clone(), key.clone());
        let telling = async move { speech.refused(&key, &event, &Notice::BridgeFailed).await };
        let said = tokio::spawn(telling).await;
        if let (Ok(Ok(said)), Outcome::SetAside { changes, .. }) = (said, &mut outcome) {
            *changes = said;
        } else {
            tracing::warn!(row = row.id.0, "could not say that a message was set aside");
        }
        outcome
    }

    /// The outside is away: there is no last attempt, because nothing may be lost.
    fn later(&self, row: &InboxRow, failure: &Failure) -> Outcome {
        if failure.is_told() {
            tracing::debug!(row = row.id.0, %failure, "will try an item again");
        } else {
            let attempts = row.attempts;
            tracing::warn!(row = row.id.0, attempts, %failure, "will try an item again");
        }
        let pause = limits::ITEM_BACKOFF.pause(row.attempts + 1);
        Outcome::wait(self.ports.clock.now() + limits::millis(pause))
    }
}

fn misplaced() -> Outcome {
    Outcome::SetAside {
        reason: "an item in a lane that it does not belong to".to_owned(),
        changes: Vec::new(),
    }
}

fn set_aside(failure: &Failure) -> Outcome {
    Outcome::SetAside { reason: failure.to_string(), changes: Vec::new() }
}
