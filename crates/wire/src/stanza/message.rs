//! `<message id from|to type …>` with its ciphertexts (network facts 2.4, 3.7).

use std::fmt;

use super::{AckClass, AckStanza, Personal, Route, StanzaError, field};
use crate::{jid::Jid, node::Node};

/// The version that every ciphertext of this protocol carries.
const ENC_VERSION: u16 = 2;

/// A message. A ciphertext for one device stands directly in it; a message to several devices holds
/// one [`Participant`] for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageStanza {
    /// The sender's id for it.
    pub id: String,
    /// Between whom.
    pub route: Route,
    /// `text`, `media`, `reaction` …
    pub kind: String,
    /// When the server took it, in seconds of Unix time.
    pub timestamp_s: Option<u64>,
    /// The name that the sender shows.
    pub display_name: Option<Personal>,
    /// Set when it waited for us: how many offline stanzas there are.
    pub offline: Option<u32>,
    /// What it does to an earlier message: 1 edit, 7 revoke …
    pub edit: Option<u16>,
    /// The ciphertexts for the addressee itself.
    pub encs: Vec<Enc>,
    /// The ciphertexts for each of several devices.
    pub participants: Vec<Participant>,
    /// The signed identity of the sending device, kept unread.
    pub device_identity: Option<Vec<u8>>,
}

/// The ciphertexts for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The device.
    pub to: Jid,
    /// Its ciphertexts.
    pub encs: Vec<Enc>,
}

/// One ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct Enc {
    /// How it is encrypted.
    pub kind: EncKind,
    /// How often it was sent again after a retry receipt.
    pub count: Option<u32>,
    /// What kind of media it holds, where the sender says so.
    pub media_type: Option<String>,
    /// Whether a failure to decrypt it is nothing to bother a person with.
    pub hide_failure: bool,
    /// The Signal message.
    pub ciphertext: Vec<u8>,
}

/// How a ciphertext is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncKind {
    /// `pkmsg`: starts a session.
    PreKeyMessage,
    /// `msg`: within a session.
    Message,
    /// `skmsg`: with a sender key.
    SenderKeyMessage,
    /// Something else.
    Other(String),
}

impl MessageStanza {
    /// A message of `kind` that holds nothing yet.
    pub fn new(id: impl Into<String>, route: Route, kind: &str) -> Self {
        Self {
            id: id.into(),
            route,
            kind: kind.to_owned(),
            timestamp_s: None,
            display_name: None,
            offline: None,
            edit: None,
            encs: Vec::new(),
            participants: Vec::new(),
            device_identity: None,
        }
    }

    /// The acknowledgement of this message.
    pub fn ack(&self) -> AckStanza {
        AckStanza::new(AckClass::Message, self.id.clone(), self.route.reply())
    }

    pub(super) fn parse(node: &Node) -> Result<Self, StanzaError> {
        let participants = node.get("participants").map_or(&[][..], Node::children);
        let display_name = node.attr_text("display_name").or_else(|| node.attr_text("notify"));
        Ok(Self {
            id: field::text(node, "id", "id of a message")?,
            route: Route::parse_addressed(node)?,
            kind: field::optional_text(node, "type").unwrap_or_default(),
            timestamp_s: field::lenient_number(node, "t"),
            display_name: display_name.map(|name| Personal(name.to_owned())),
            offline: field::offline(node),
            edit: field::optional_number(node, "edit", "edit of a message")?,
            encs: encs_of(node)?,
            participants: participants
                .iter()
                .filter(|participant| participant.tag == "to")
                .map(Participant::parse)
                .collect::<Result<_, _>>()?,
            device_identity: node
                .get("device-identity")
                .and_then(Node::content_bytes)
                .map(<[u8]>::to_vec),
        })
    }

    /// The node of this stanza.
    pub fn into_node(self) -> Node {
        let node = self.route.write(Node::new("message").attr("id", self.id));
        let participants = (!self.participants.is_empty()).then(|| {
            let each = self.participants.into_iter().map(Participant::into_node);
            Node::new("participants").with_children(each)
        });
        let device_identity =
            self.device_identity.map(|bytes| Node::new("device-identity").bytes(bytes));
        node.attr("type", self.kind)
            .attr_opt("t", self.timestamp_s)
            .attr_opt("display_name", self.display_name)
            .attr_opt("offline", self.offline)
            .attr_opt("edit", self.edit)
            .with_children(self.encs.into_iter().map(Enc::into_node))
            .with_children(participants)
            .with_children(device_identity)
    }
}

impl Participant {
    fn parse(node: &Node) -> Result<Self, StanzaError> {
        Ok(Self { to: field::jid(node, "jid", "device of a participant")?, encs: encs_of(node)? })
    }

    fn into_node(self) -> Node {
        let encs = self.encs.into_iter().map(Enc::into_node);
        Node::new("to").attr("jid", self.to).with_children(encs)
    }
}

impl Enc {
    /// A ciphertext.
    pub fn new(kind: EncKind, ciphertext: Vec<u8>) -> Self {
        Self { kind, count: None, media_type: None, hide_failure: false, ciphertext }
    }

    fn parse(node: &Node) -> Result<Self, StanzaError> {
        let ciphertext =
            node.content_bytes().ok_or(StanzaError { what: "ciphertext of an enc" })?.to_vec();
        Ok(Self {
            kind: EncKind::parse(&field::text(node, "type", "type of an enc")?),
            count: field::lenient_number(node, "count"),
            media_type: field::optional_text(node, "mediatype"),
            hide_failure: node.attr_text("decrypt-fail") == Some("hide"),
            ciphertext,
        })
    }

    fn into_node(self) -> Node {
        Node::new("enc")
            .attr("v", ENC_VERSION)
            .attr("type", self.kind.as_str())
            .attr_opt("count", self.count)
            .attr_opt("mediatype", self.media_type)
            .attr_opt("decrypt-fail", self.hide_failure.then_some("hide"))
            .bytes(self.ciphertext)
    }
}

impl fmt::Debug for Enc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enc({}, {} bytes)", self.kind.as_str(), self.ciphertext.len())
    }
}

impl EncKind {
    fn parse(kind: &str) -> Self {
        match kind {
            "pkmsg" => Self::PreKeyMessage,
            "msg" => Self::Message,
            "skmsg" => Self::SenderKeyMessage,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The kind as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::PreKeyMessage => "pkmsg",
            Self::Message => "msg",
            Self::SenderKeyMessage => "skmsg",
            Self::Other(kind) => kind,
        }
    }
}

fn encs_of(node: &Node) -> Result<Vec<Enc>, StanzaError> {
    node.children_of("enc").map(Enc::parse).collect()
}
