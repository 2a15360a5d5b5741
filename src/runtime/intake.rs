//! Intake: what comes in becomes durable, and only then is it acknowledged.
//!
//! Nothing is decrypted or decided here. A transaction is one commit: its id, its key changes
//! first, then one row an event.

mod ephemeral;

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{connection::Links, hints::Hints, ports::Ports, typing::TypingNews};
use crate::{
    domain::{
        event::Event,
        ids::{Lane, LoginId, PortalKey},
        item::{InboundMessage, InboundReceipt, InboxItem, KeyChanges, RawEvent},
        limits,
        sequence::{Order, Sequence},
    },
    port::{
        Failure, Retry,
        network::Inbound,
        storage::{Change, InboxDraft, Intake as Taken, IntakeKey},
    },
};

/// What the homeserver pushed, unparsed as far as possible.
#[derive(Debug, Default)]
pub struct Transaction {
    pub events: Vec<Value>,
    pub keys: KeyChanges,
    /// Receipts, typing, presence.
    pub ephemeral: Vec<Value>,
}

/// What to tell the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable (now or since an earlier delivery).
    Acknowledge,
    /// There is no room at the moment: send it again.
    Later,
}

/// Takes in from both sides. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    ports: Ports,
    hints: Hints,
    typing: TypingNews,
    /// `None` until something has come in. Never held across an await.
    sequence: Arc<Mutex<Option<Sequence>>>,
}

/// The setting that holds the number of the last transaction that was taken in.
const LAST_TRANSACTION: &str = "intake.last_transaction";

impl Intake {
    pub fn new(ports: Ports, hints: Hints, links: &Links) -> Self {
        let typing = TypingNews::to_network(&ports, links);
        Self { ports, hints, typing, sequence: Arc::default() }
    }

    /// Why nothing can be taken in at the moment, in words for the operator.
    pub fn trouble(&self) -> Option<String> {
        self.ports.storage.trouble()
    }

    /// A transaction of the homeserver.
    pub async fn transaction(
        &self,
        id: String,
        transaction: Transaction,
    ) -> Result<Answer, Failure> {
        self.ports.can_write()?;
        let Transaction { events, keys, ephemeral } = transaction;
        if events.len() + keys.to_device.len() + ephemeral.len() > limits::TRANSACTION_ITEMS_MAX {
            tracing::error!(transaction = id, "refused a transaction with too many items");
            return Ok(Answer::Later);
        }
        if self.judge(&id).await? == Order::Gap {
            tracing::warn!(transaction = id, "a transaction before this one is missing");
            // Key changes and what is ephemeral are not repeated with a transaction that is refused.
            self.take_in_transaction(&format!("{id}/keys"), &[], keys).await?;
            self.take_in_ephemeral(&id, &ephemeral).await?;
            return Ok(Answer::Later);
        }
        let taken = match self.take_in_transaction(&id, &events, keys.clone()).await {
            // A portal ended between the look for its lane and the commit: look once more.
            Err(failure) if failure.retry == Retry::Never => {
                self.take_in_transaction(&id, &events, keys).await
            }
            taken => taken,
        };
        match taken? {
            Answer::Acknowledge => {
                self.remember(&id).await?;
                self.take_in_ephemeral(&id, &ephemeral).await
            }
            Answer::Later => Ok(Answer::Later),
        }
    }

    async fn judge(&self, id: &str) -> Result<Order, Failure> {
        let known = || self.sequence.lock().expect("no holder of this lock can panic");
        let begun = if known().is_none() { self.last_transaction().await? } else { None };
        Ok(known().get_or_insert_with(|| Sequence::after(begun)).judge(id))
    }

    async fn last_transaction(&self) -> Result<Option<u64>, Failure> {
        let last = self.ports.storage.setting(LAST_TRANSACTION).await?;
        Ok(last.and_then(|last| Some(u64::from_be_bytes(last.try_into().ok()?))))
    }

    /// For the next process. In a commit of its own: what is not remembered costs one refusal.
    async fn remember(&self, id: &str) -> Result<(), Failure> {
        let Ok(number) = id.parse::<u64>() else { return Ok(()) };
        let (key, value) = (LAST_TRANSACTION, number.to_be_bytes().to_vec());
        self.ports.storage.commit(vec![Change::SettingSaved { key, value }]).await
    }

    async fn take_in_transaction(
        &self,
        id: &str,
        events: &[Value],
        keys: KeyChanges,
    ) -> Result<Answer, Failure> {
        let received_at = self.ports.clock.now();
        let mut drafts = Vec::with_capacity(events.len() + 1);
        if !keys.is_empty() {
            drafts.push(InboxDraft { lane: Lane::Keys, item: InboxItem::Keys(keys), received_at });
        }
        for event in events {
            let lane = self.lane_of_event(event).await?;
            let item = InboxItem::Event(RawEvent(event.clone()));
            drafts.push(InboxDraft { lane, item, received_at });
        }
        // A homeserver on SQLite counts anew after a restart: the same id with other events is
        // another transaction.
        let ids: Vec<&str> = events.iter().filter_map(|event| event["event_id"].as_str()).collect();
        let digest = self.ports.namer.digest_of(ids.join("/").as_bytes());
        self.take_in(IntakeKey::Transaction(format!("{id}/{digest}")), drafts).await
    }

    /// A stanza that waits for its acknowledgement; `None` if there is nothing to keep.
    pub(crate) async fn inbound(
        &self,
        login: &LoginId,
        inbound: &Inbound,
    ) -> Result<Answer, Failure> {
        self.ports.can_write()?;
        let (user, about, item) = match inbound {
            Inbound::Message { message, .. } => (
                &message.from.user,
                self.about_message(message),
                InboxItem::Message(message.clone()),
            ),
            Inbound::Receipt { receipt, .. } => (
                &receipt.from.user,
                self.about_receipt(receipt),
                InboxItem::Receipt(receipt.clone()),
            ),
            Inbound::IdentityChanged { user, .. } => {
                // Each one is news, even when it says the same as the last.
                let about = format!("identity/{}", self.ports.clock.now());
                (user, about, InboxItem::IdentityChanged(user.clone()))
            }
            Inbound::Typing { .. } | Inbound::PreKeysLow { .. } | Inbound::Replaced => {
                return Ok(Answer::Acknowledge);
            }
        };
        let ghost = self.ports.namer.ghost_key(user);
        let lane = Lane::Portal(PortalKey { login: login.clone(), ghost: ghost.clone() });
        let about = format!("{}/{about}", ghost.0);
        let draft = InboxDraft { lane, item, received_at: self.ports.clock.now() };
        self.take_in(IntakeKey::Stanza { login: login.clone(), about }, vec![draft]).await
    }

    async fn take_in(&self, key: IntakeKey, drafts: Vec<InboxDraft>) -> Result<Answer, Failure> {
        let now = self.ports.clock.now();
        Ok(match self.ports.storage.take_in(key, drafts, now).await? {
            Taken::Stored => {
                self.hints.inbox().notify_one();
                Answer::Acknowledge
            }
            Taken::Repeated => Answer::Acknowledge,
            Taken::Full => {
                tracing::warn!("the inbox is full: told the sender to come again later");
                Answer::Later
            }
        })
    }

    /// The portal's lane for a portal's room, so that both directions share it.
    async fn lane_of_event(&self, event: &Value) -> Result<Lane, Failure> {
        let Some(Event { room, .. }) = Event::parse_value(event) else {
            return Ok(Lane::Unplaced);
        };
        let portal = self.ports.storage.portal_of_room(&room).await?;
        Ok(portal.map_or(Lane::Room(room), |portal| Lane::Portal(portal.key)))
    }

    /// A message that is sent again after a retry receipt has the same id and another ciphertext:
    /// it is a new delivery. The message map keeps it from being shown twice.
    fn about_message(&self, message: &InboundMessage) -> String {
        let bytes = message.ciphertext.as_ref().map_or(&[][..], |ciphertext| &ciphertext.bytes);
        let digest = self.ports.namer.digest_of(bytes);
        format!("message/{}/{}/{digest}", message.from.device, message.id.0)
    }

    fn about_receipt(&self, receipt: &InboundReceipt) -> String {
        let ids: Vec<&str> = receipt.messages.iter().map(|id| id.0.as_str()).collect();
        let digest = self.ports.namer.digest_of(ids.join("/").as_bytes());
        format!("receipt/{}/{:?}/{digest}", receipt.from.device, receipt.kind)
    }
}
