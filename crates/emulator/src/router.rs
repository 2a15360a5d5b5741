//! What may be sent to whom, and into which mailboxes it goes. The same for a socket and a simulated person. It must not
//! know how anything looks on the wire.
//!
//! Nothing is confirmed to a sender before it is in the mailbox.

mod typing;

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::{
    clock, entropy,
    faults::Fault,
    network::Network,
    world::{
        AccountId, DeviceKey, OneTimePrekey, World,
        mailbox::{
            Class, Envelope, Full, Item, MessageItem, Notice, NoticeItem, ReceiptItem, RetryRequest,
        },
        state::Fetched,
    },
};

pub(crate) use typing::{Activity, Sign};

/// Why a request is refused; the code is what goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("nobody by that name")]
    Unknown,
    #[error("the person did not opt in to third-party chats")]
    NotOptedIn,
    #[error("the mailbox is full")]
    Full,
    #[error("the request makes no sense")]
    Malformed,
    #[error("there is no such request")]
    Unsupported,
    #[error("a fault was ordered")]
    Ordered(u16),
}

impl Refusal {
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Unknown => 404,
            Self::NotOptedIn => 403,
            Self::Full => 503,
            Self::Malformed => 400,
            Self::Unsupported => 501,
            Self::Ordered(code) => code,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "item-not-found",
            Self::NotOptedIn => "forbidden",
            Self::Full => "service-unavailable",
            Self::Malformed => "bad-request",
            Self::Unsupported => "feature-not-implemented",
            Self::Ordered(_) => "internal-server-error",
        }
    }
}

/// A message on its way in.
#[derive(Debug)]
pub(crate) struct MessageDraft {
    pub(crate) id: String,
    pub(crate) to: AccountId,
    pub(crate) kind: String,
    pub(crate) edit: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) envelopes: Vec<(DeviceKey, Envelope)>,
    pub(crate) device_identity: Option<Bytes>,
}

/// A receipt on its way in.
#[derive(Debug)]
pub(crate) struct ReceiptDraft {
    pub(crate) id: String,
    pub(crate) to: DeviceKey,
    pub(crate) kind: Option<String>,
    pub(crate) more_ids: Vec<String>,
    pub(crate) retry: Option<RetryRequest>,
}

/// A fresh id for something that the network or a simulated person sends.
pub(crate) fn fresh_id() -> String {
    let bytes: [u8; 9] = entropy::bytes();
    bytes.iter().fold("3EB0".to_owned(), |id, byte| format!("{id}{byte:02X}"))
}

/// Whether the person of a pair of person and partner's user opted in; other pairs need no consent.
fn has_consent(world: &World, one: AccountId, other: AccountId) -> bool {
    match (one, other) {
        (AccountId::Person(phone), AccountId::Partner(_))
        | (AccountId::Partner(_), AccountId::Person(phone)) => {
            world.person(phone).is_some_and(|person| person.opted_in)
        }
        _ => true,
    }
}

impl Network {
    /// Routes a message: into the mailbox of each device that it has an envelope for, or refused as a whole.
    pub(crate) fn send_message(&self, from: DeviceKey, draft: MessageDraft) -> Result<(), Refusal> {
        let nack = |fault| matches!(fault, Fault::Nack(_));
        if let Some(Fault::Nack(code)) = self.faults.take(from.account, nack) {
            return Err(Refusal::Ordered(code));
        }
        let MessageDraft { id, to, kind, edit, category, envelopes, device_identity } = draft;
        let reached: Vec<DeviceKey> = envelopes.iter().map(|(key, _)| *key).collect();
        let now = clock::now_s();
        self.with(|world| {
            if world.devices_of(to).is_empty() || envelopes.is_empty() {
                return Err(Refusal::Unknown);
            }
            if !has_consent(world, from.account, to) {
                return Err(Refusal::NotOptedIn);
            }
            let blocked = world.is_blocked(from.account, to);
            for (key, envelope) in envelopes {
                if key.account != to && key.account != from.account {
                    return Err(Refusal::Malformed);
                }
                if blocked && key.account == to {
                    continue;
                }
                let is_copy = key.account == from.account && to != from.account;
                let message = MessageItem {
                    id: id.clone(),
                    from,
                    kind: kind.clone(),
                    sent_at_s: now,
                    edit: edit.clone(),
                    category: category.clone(),
                    recipient: is_copy.then_some(to),
                    device_identity: device_identity.clone().filter(|_| envelope.kind == "pkmsg"),
                    envelope,
                };
                world.store(key, Item::Message(Arc::new(message))).map_err(|Full| Refusal::Full)?;
            }
            world.meet(from.account, to);
            Ok(())
        })?;
        for key in reached {
            self.wake(key);
        }
        Ok(())
    }

    /// Routes a receipt. Whoever sends one has the message, so it also acknowledges.
    pub(crate) fn send_receipt(&self, from: DeviceKey, draft: ReceiptDraft) {
        let ReceiptDraft { id, to, kind, more_ids, retry } = draft;
        let reached = self.with(|world| {
            for message in std::iter::once(&id).chain(&more_ids) {
                world.acknowledge(from, Class::Message, message);
            }
            if to.account == from.account || !is_for_others(kind.as_deref()) {
                return Vec::new();
            }
            if let Some(request) = &retry {
                world.expect_again(to, from, &request.message_id);
            }
            let devices = match &retry {
                Some(_) => vec![to.device],
                None => world.devices_of(to.account),
            };
            let receipt = Arc::new(ReceiptItem {
                id,
                from,
                kind: kind.filter(|kind| kind != "inactive"),
                sent_at_s: clock::now_s(),
                more_ids,
                retry,
            });
            let mut reached = Vec::new();
            for device in devices {
                let key = DeviceKey { account: to.account, device };
                if world.store(key, Item::Receipt(Arc::clone(&receipt))).is_ok() {
                    reached.push(key);
                } else {
                    tracing::warn!("a receipt was lost: the mailbox is full");
                }
            }
            reached
        });
        for key in reached {
            self.wake(key);
        }
    }

    /// Fetches the keys of a device for somebody, spending a one-time prekey.
    pub(crate) fn fetch_keys(
        &self,
        asker: DeviceKey,
        of: DeviceKey,
    ) -> Result<(Fetched, Option<OneTimePrekey>), Refusal> {
        let without = self.faults.take(asker.account, |fault| fault == Fault::NoPrekeys).is_some();
        let fetched = self.with(|world| {
            if world.device(of).is_none() {
                return Err(Refusal::Unknown);
            }
            if !has_consent(world, asker.account, of.account) {
                return Err(Refusal::NotOptedIn);
            }
            world.fetch_keys(of, without).ok_or(Refusal::Unknown)
        })?;
        if let Some(left) = fetched.low {
            self.notify(of, Notice::PrekeysLow { left });
        }
        let one_time = fetched.one_time.clone();
        Ok((fetched, one_time))
    }

    /// Puts a notice of the network into the mailbox of a device.
    pub(crate) fn notify(&self, to: DeviceKey, notice: Notice) {
        let item = NoticeItem { id: fresh_id(), sent_at_s: clock::now_s(), notice };
        if self.with(|world| world.store(to, Item::Notice(Arc::new(item)))).is_err() {
            tracing::warn!("a notice was lost: the mailbox is full");
        }
        self.wake(to);
    }

    /// Tells everybody who wrote with an account that its identity is another one now.
    pub(crate) fn announce_identity(&self, of: AccountId) {
        let hearers: Vec<DeviceKey> = self.with(|world| {
            let devices = |account| {
                world
                    .devices_of(account)
                    .into_iter()
                    .map(move |device| DeviceKey { account, device })
            };
            world.contacts_of(of).into_iter().flat_map(devices).collect()
        });
        for hearer in hearers {
            self.notify(hearer, Notice::IdentityChanged { of });
        }
    }
}

/// Receipts that only concern the sender's own devices are acknowledged and go no further.
fn is_for_others(kind: Option<&str>) -> bool {
    !matches!(kind, Some("sender" | "read-self" | "played-self" | "peer_msg" | "hist_sync"))
}
