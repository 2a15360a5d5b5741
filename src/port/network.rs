//! The interop network: enlisting a person, and the supervised connection of a login.

use std::fmt;

use async_trait::async_trait;
use ruma::OwnedUserId;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Failure,
    media::{Download, MediaFailure},
};
use crate::{
    domain::{
        bridged::Timestamp,
        capability::Capabilities,
        ids::{LoginId, RemoteAddress, RemoteUser, StorageRef},
        item::{Envelope, InboundMessage, InboundReceipt, OutboundReceipt},
        phone::Phone,
    },
    signal::{OurIdentity, PreKey, RemoteBundle, SignedPreKey},
};

/// The secret keys of one login.
#[derive(Clone)]
pub struct LoginKeys {
    /// Private X25519 key that authenticates every connection.
    pub noise: [u8; 32],
    pub identity: OurIdentity,
    pub signed_prekey: SignedPreKey,
}

impl fmt::Debug for LoginKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { noise: _, identity: _, signed_prekey: _ } = self;
        f.write_str("LoginKeys(…)")
    }
}

/// What the network is told of a person at each connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The name that contacts may be shown.
    pub display_name: Option<String>,
    /// Whether the person tells when they have read something.
    pub read_receipts: bool,
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { display_name: _, read_receipts } = self;
        f.debug_struct("Introduction").field("read_receipts", read_receipts).finish_non_exhaustive()
    }
}

/// What a connection is made with.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub login: LoginId,
    pub person: OwnedUserId,
    /// `None` only for enlistment.
    pub network_id: Option<RemoteUser>,
    pub keys: LoginKeys,
    pub introduction: Introduction,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectFailure {
    /// Try again after a pause.
    Away(Failure),
    /// The server could not prove who it is. Nothing was sent to it; try again after a pause.
    Untrusted(Failure),
    /// The network does not know this login (any more): enlist again.
    NotEnlisted(Failure),
    /// The network refuses this person or this bridge.
    Refused(Failure),
}

/// What a phone number is on the network.
#[derive(Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Reachable; the devices to encrypt for, at least one.
    Reachable {
        user: RemoteUser,
    },
    /// On the network, but third-party chats are off.
    NotOptedIn,
    NotOnNetwork,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reachable { .. } => "Reachable(…)",
            Self::NotOptedIn => "NotOptedIn",
            Self::NotOnNetwork => "NotOnNetwork",
        })
    }
}

/// What came in on a connection and is not an answer to a question of ours.
///
/// What has a [`StanzaRef`] is acknowledged by the receiver with [`NetworkLink::acknowledge`], once
/// it is durable; the network sends it again otherwise.
#[derive(Debug)]
pub enum Inbound {
    Message {
        stanza: StanzaRef,
        message: InboundMessage,
    },
    Receipt {
        stanza: StanzaRef,
        receipt: InboundReceipt,
    },
    IdentityChanged {
        stanza: StanzaRef,
        user: RemoteUser,
    },
    /// Ephemeral: a contact is typing (or recording a voice message), or has stopped. It may be lost,
    /// and the end of it need not come.
    Typing {
        user: RemoteUser,
        typing: bool,
    },
    /// Another connection with the same identity took the place of this one, which ends with it.
    Replaced,
    /// Upload more one-time prekeys; `left` is the server's count.
    PreKeysLow {
        left: u32,
    },
}

/// Names a stanza that waits for its acknowledgement. Only the adapter that made it reads it.
#[derive(Clone)]
pub struct StanzaRef(pub Vec<u8>);

impl fmt::Debug for StanzaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StanzaRef(…)")
    }
}

/// What the network said of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    Stored,
    /// The network will never take it; the text is for people.
    Refused {
        reason: String,
    },
}

/// A fresh connection: its link and everything that comes in, in order. The stream ends when the
/// connection does.
pub struct Connected {
    pub link: std::sync::Arc<dyn NetworkLink>,
    pub inbound: mpsc::Receiver<Inbound>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connected(…)")
    }
}

/// Where a message says that its file is. It comes from a stranger: the adapter decides whether that
/// is a place to fetch from.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// A path at the network's media server (network facts 1.7).
    pub direct_path: Option<String>,
    /// The whole address, which is looked at only if there is no path.
    pub url: Option<String>,
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteFile(…)")
    }
}

#[async_trait]
pub trait InteropNetwork: Send + Sync {
    /// Registers the login's public keys under the person's Matrix id; the answer is the id that
    /// the network assigned. Repeating it gives the same id.
    async fn enlist(&self, who: &Credentials) -> Result<RemoteUser, Failure>;

    /// Connects and logs in. The adapter keeps the connection alive and ends it when the server
    /// falls silent; it does not reconnect.
    async fn connect(&self, who: &Credentials) -> Result<Connected, ConnectFailure>;

    /// Our public key set, as the network fetches it (network facts 1.3).
    fn key_set(&self) -> Value;

    /// Whether a push really came from the network (network facts 1.6).
    async fn verify_push(&self, bearer: &str, now: Timestamp) -> Result<(), Failure>;

    /// Fetches the ciphertext of a file from the network's media server and from nowhere else. Fails
    /// before the first byte when it is refused; the bytes then come as slowly as they come: whoever
    /// takes them decides how long to wait.
    async fn download_media(&self, from: &RemoteFile) -> Result<Download, MediaFailure>;

    /// The address that a phone number would have on the network. Asks nobody, so it says nothing of
    /// whether anybody is there; the network may also name the same person otherwise.
    fn user_of_phone(&self, phone: &Phone) -> RemoteUser;

    /// The path that a message must name so that the contact's app finds a file that we host
    /// (network facts 1.7).
    fn hosted_path(&self, name: &StorageRef) -> String;

    /// What it lets us do, by its profile.
    fn capabilities(&self) -> Capabilities;
}

/// One live connection of one login. Every method has its own deadline.
#[async_trait]
pub trait NetworkLink: Send + Sync {
    /// Tells the network that a stanza is durable here.
    async fn acknowledge(&self, stanza: &StanzaRef) -> Result<(), Failure>;

    /// Sends an envelope and waits until the server has it.
    async fn send(&self, envelope: &Envelope) -> Result<Accepted, Failure>;

    async fn send_receipt(
        &self,
        receipt: &OutboundReceipt,
        bundle: Option<&OurBundle>,
    ) -> Result<(), Failure>;

    /// Says whether the person is typing to this contact. Ephemeral: whether it arrives is not known.
    async fn typing(&self, to: &RemoteUser, typing: bool) -> Result<(), Failure>;

    /// What a phone number (digits, with country code, without `+`) is on the network.
    async fn resolve(&self, phone: &str) -> Result<Resolved, Failure>;

    /// The devices that an envelope to a person must cover, by the network profile; never empty.
    async fn devices(&self, user: &RemoteUser) -> Result<Vec<u16>, Failure>;

    /// A bundle to start a session with; `None` if the person has no keys.
    async fn bundle(&self, address: &RemoteAddress) -> Result<Option<RemoteBundle>, Failure>;

    async fn upload_prekeys(&self, keys: &OurBundle, prekeys: &[PreKey]) -> Result<(), Failure>;

    /// How many one-time prekeys the server has left.
    async fn prekey_count(&self) -> Result<u32, Failure>;

    /// Whether the network keeps what a person writes from us. Asking for what is already so is fine.
    /// It may take and deliver what was on its way (network facts 1.5).
    async fn block(&self, user: &RemoteUser, blocked: bool) -> Result<(), Failure>;

    /// Everybody whom the network keeps from us, in no order.
    async fn blocklist(&self) -> Result<Vec<RemoteUser>, Failure>;

    /// Tells the network that a person misbehaves. Nothing that they wrote is handed over, and nothing
    /// is blocked by it.
    async fn report(&self, user: &RemoteUser) -> Result<(), Failure>;

    /// Ends the enlistment; afterwards the network forgets the person.
    async fn unenlist(&self) -> Result<(), Failure>;

    /// Closes the connection, within a second or so.
    async fn close(&self);
}

/// The public keys that start a session with us.
#[derive(Clone)]
pub struct OurBundle {
    pub identity: OurIdentity,
    pub signed_prekey: SignedPreKey,
    /// For a retry receipt: one prekey for this one session.
    pub prekey: Option<PreKey>,
}

impl fmt::Debug for OurBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OurBundle(…)")
    }
}
