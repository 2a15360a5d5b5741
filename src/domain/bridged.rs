//! The bridged things: who is logged in, which ghost and room stand for whom, which message is
//! which event.

use std::fmt;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::consent::ContactState;
pub use super::consent::login::LoginState;
use super::ids::{GhostKey, LoginId, PortalKey, RemoteMessageId, RemoteUser};

/// Milliseconds since the Unix epoch.
pub type Timestamp = i64;

/// One of our own Matrix users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ActAs {
    /// Answers commands in management rooms.
    Bot,
    /// Stands for a remote person.
    Ghost(GhostKey),
}

/// A person's enlisted identity on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub id: LoginId,
    pub person: OwnedUserId,
    /// What the network assigned at enlistment (`12-10501234567@interop`); `None` before it did.
    pub network_id: Option<RemoteUser>,
    pub state: LoginState,
}

/// How a login stands to one contact, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub ghost: GhostKey,
    pub state: ContactState,
    pub since: Timestamp,
}

/// A Matrix user in our namespace that stands for a remote person.
#[derive(Clone, PartialEq, Eq)]
pub struct Ghost {
    pub key: GhostKey,
    pub remote: RemoteUser,
    /// The name the network gave; personal data, kept sealed.
    pub display_name: Option<String>,
    /// Whether the Matrix user, its device and its cross-signing keys exist.
    pub prepared: bool,
}

impl fmt::Debug for Ghost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, remote: _, display_name: _, prepared } = self;
        f.debug_struct("Ghost").field("key", key).field("prepared", prepared).finish()
    }
}

/// The Matrix room of one direct chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    pub key: PortalKey,
    /// `None` until the room exists.
    pub room: Option<OwnedRoomId>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    ToNetwork,
    ToMatrix,
}

/// A message that exists, or is about to, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub portal: PortalKey,
    pub direction: Direction,
    pub remote_id: RemoteMessageId,
    /// `None` for a message to Matrix until the homeserver answered.
    pub event: Option<OwnedEventId>,
    pub delivery: Delivery,
    pub at: Timestamp,
}

/// Says that one message of a portal is somebody's reaction to another. What the reaction is, is not
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub portal: PortalKey,
    /// [`Direction::ToNetwork`] is the person's, [`Direction::ToMatrix`] the contact's.
    pub direction: Direction,
    pub target: RemoteMessageId,
    pub remote_id: RemoteMessageId,
}

/// The state of a message towards the other side. It only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Delivery {
    /// Committed here; may not have left.
    Committed,
    /// The other side's server has it.
    Sent,
    /// The other side's device has it.
    Delivered,
    /// The other person read it.
    Read,
}
