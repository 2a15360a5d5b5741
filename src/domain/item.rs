//! What waits in the inbox and the outbox.
//!
//! Both hold what travels: an inbox item is what came in as it came, an outbox item is ready to send
//! and never changes. Messages are ciphertext in both; a reaction is not, since Matrix has no
//! encrypted ones, and is gone from here when it is done. They are serialised into sealed rows, so a new variant is a new name
//! and an old name keeps its meaning.

use std::fmt;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    bridged::{ActAs, Direction, Timestamp},
    ids::{LoginId, PortalKey, RemoteAddress, RemoteMessageId, RemoteUser},
};
use crate::signal::Ciphertext;

/// One thing that came in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum InboxItem {
    /// A room event as the homeserver pushed it (encrypted, or state).
    Event(RawEvent),
    /// To-device messages, device lists and key counts of one transaction.
    Keys(KeyChanges),
    /// A message stanza.
    Message(InboundMessage),
    /// A receipt stanza.
    Receipt(InboundReceipt),
    /// The network says that a person's identity key changed.
    IdentityChanged(RemoteUser),
    /// The portal's person read its room.
    Read(ReadUpTo),
}

/// A Matrix event, unparsed. A malformed one spoils only itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawEvent(pub Value);

/// The extensions of a transaction that concern our users' keys (MSC3202, MSC4203), unparsed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct KeyChanges {
    /// To-device events with their `to_user_id` and `to_device_id`.
    pub to_device: Vec<Value>,
    /// Users whose devices changed.
    pub device_lists_changed: Vec<OwnedUserId>,
    pub device_lists_left: Vec<OwnedUserId>,
    /// User → device → algorithm → count.
    pub one_time_key_counts: Value,
    /// User → device → algorithms.
    pub unused_fallback_key_types: Value,
}

impl KeyChanges {
    pub fn is_empty(&self) -> bool {
        let empty = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
        self.to_device.is_empty()
            && self.device_lists_changed.is_empty()
            && self.device_lists_left.is_empty()
            && empty(&self.one_time_key_counts)
            && empty(&self.unused_fallback_key_types)
    }
}

/// A message stanza's ciphertext and what the network says around it.
#[derive(Clone, Serialize, Deserialize)]
pub struct InboundMessage {
    pub id: RemoteMessageId,
    pub from: RemoteAddress,
    pub sent_at: Timestamp,
    pub display_name: Option<String>,
    /// `None` when the stanza held no envelope that we could read.
    pub ciphertext: Option<Ciphertext>,
}

/// How far the person of a portal read its room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadUpTo {
    pub room: OwnedRoomId,
    /// Several where the room has threads; in no order.
    pub events: Vec<OwnedEventId>,
}

/// What a receipt says of messages that we sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboundReceipt {
    pub from: RemoteAddress,
    pub messages: Vec<RemoteMessageId>,
    pub kind: InboundReceiptKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InboundReceiptKind {
    Delivered,
    Read,
    /// They could not decrypt: encrypt again with a new session. `count` is theirs, from 1.
    Retry {
        count: u32,
    },
}

/// One thing that is ready to leave. Sending it twice is harmless.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OutboxItem {
    Envelope(Envelope),
    Receipt(OutboundReceipt),
    Event(OutboundEvent),
    Redaction(OutboundRedaction),
    Read(OutboundRead),
    Notice(OutboundNotice),
}

impl OutboxItem {
    pub fn destination(&self) -> Destination {
        match self {
            Self::Envelope(Envelope { login, .. })
            | Self::Receipt(OutboundReceipt { login, .. }) => Destination::Network(login.clone()),
            Self::Event(_) | Self::Redaction(_) | Self::Read(_) | Self::Notice(_) => {
                Destination::Homeserver
            }
        }
    }
}

/// Where an outbox item goes; each destination of a lane is emptied in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    Homeserver,
    Network(LoginId),
}

/// Signal ciphertext plus addressing, ready to send; immutable once committed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Envelope {
    pub login: LoginId,
    pub id: RemoteMessageId,
    pub to: RemoteUser,
    #[serde(default)]
    pub kind: EnvelopeKind,
    /// One ciphertext a device. One device 0 is sent plain, anything else as a fan-out.
    pub parts: Vec<EnvelopePart>,
}

/// What the network is told that an envelope holds (network facts 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvelopeKind {
    #[default]
    Text,
    Reaction,
    /// It changes the text of an earlier one.
    Edit,
    /// It takes an earlier one back.
    Deletion,
    Media(MediaWord),
}

/// What kind of file the network is told that an envelope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaWord {
    Image,
    Video,
    Gif,
    Round,
    Audio,
    Voice,
    Document,
    Sticker,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct EnvelopePart {
    pub device: u16,
    pub ciphertext: Ciphertext,
}

/// What we tell the network of messages that came in.
#[derive(Clone, Serialize, Deserialize)]
pub struct OutboundReceipt {
    pub login: LoginId,
    pub to: RemoteAddress,
    pub messages: Vec<RemoteMessageId>,
    pub kind: OutboundReceiptKind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OutboundReceiptKind {
    Delivered,
    /// The person read them.
    Read,
    /// We could not decrypt: please send again, in a new session that starts with this one-time
    /// prekey of ours. `sent_at` is the message's own timestamp.
    Retry {
        count: u32,
        sent_at: Timestamp,
        prekey: u32,
    },
}

/// A Matrix event, encrypted where its room is.
#[derive(Clone, Serialize, Deserialize)]
pub struct OutboundEvent {
    pub sender: ActAs,
    pub room: OwnedRoomId,
    /// The same whenever the same thing is sent, so the homeserver recognises a repetition.
    pub transaction_id: String,
    pub event_type: String,
    pub content: Value,
    /// The network message that this event shows, if any: its row learns the event id and its
    /// sender a delivery receipt.
    pub shows: Option<Shown>,
}

/// A redaction of what stands for a message. Which event that is, is looked up when this is sent: the
/// event may have been waiting just before it.
#[derive(Clone, Serialize, Deserialize)]
pub struct OutboundRedaction {
    pub sender: ActAs,
    pub room: OwnedRoomId,
    pub transaction_id: String,
    pub portal: PortalKey,
    /// The message whose event is redacted, and which way it went: the contact chooses the ids of their
    /// messages, and must not reach a message of the person through one of the same id.
    pub redacts: RemoteMessageId,
    pub direction: Direction,
    /// Of a message that became several events, this one; without it, all of them.
    pub part: Option<u32>,
    pub shows: Option<Shown>,
}

/// An event that says that a message failed. Its id is remembered: it may have to be edited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboundNotice {
    pub event: OutboundEvent,
    pub portal: PortalKey,
    pub about: String,
}

/// A ghost's read receipt: its contact read the room up to this event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboundRead {
    pub reader: ActAs,
    pub room: OwnedRoomId,
    pub event: OwnedEventId,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Shown {
    pub login: LoginId,
    pub from: RemoteAddress,
    pub id: RemoteMessageId,
    /// Which one it is of several events that show the message, if others follow. The last one stands
    /// for the message, and only then is it delivered.
    pub part: Option<u32>,
}

/// `Debug` of what holds ciphertext, names or numbers names the type and nothing else.
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}

redacted!(
    RawEvent,
    KeyChanges,
    InboundMessage,
    Envelope,
    EnvelopePart,
    OutboundReceipt,
    OutboundEvent,
    OutboundRedaction,
    Shown
);
