//! Queries of the namespace `usync`: which people a number belongs to and which devices they have
//! (network facts 3.9, B2).

use super::{Personal, StanzaError, field};
use crate::{
    jid::Jid,
    node::{Content, Node},
};

/// The namespace of these queries.
pub const XMLNS: &str = "usync";

/// The version of the `<devices>` protocol.
const DEVICES_VERSION: u16 = 2;

/// What is asked about each person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Whether a phone number is on the network.
    Contact,
    /// Which devices there are.
    Devices,
    /// The LID.
    Lid,
    /// Something else.
    Other(String),
}

/// A question about people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usync {
    /// The asker's id for it.
    pub sid: String,
    /// `query`, or how else contacts are synchronised.
    pub mode: String,
    /// `interactive`, `message` …
    pub context: String,
    /// What is asked about each of them.
    pub protocols: Vec<Protocol>,
    /// Whom it is about.
    pub users: Vec<UsyncUser>,
}

/// A person asked about: by JID, by phone number, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsyncUser {
    /// The JID, where it is known.
    pub jid: Option<Jid>,
    /// The phone number with `+`, to be looked up.
    pub phone: Option<Personal>,
}

/// What is known about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsyncReply {
    /// Who it is; absent for a number that is not on the network.
    pub jid: Option<Jid>,
    /// Whether the phone number asked for is on the network.
    pub contact: Option<Contact>,
    /// The devices.
    pub devices: Option<DeviceList>,
    /// The LID.
    pub lid: Option<Jid>,
}

/// The answer about a phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whether it is on the network.
    pub registered: bool,
    /// The number as it was asked for.
    pub phone: Option<Personal>,
}

/// A person's devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    /// Each of them.
    pub devices: Vec<Device>,
    /// The account's signed list of key indexes with its time, kept unread.
    pub key_index_list: Option<KeyIndexList>,
}

/// One device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number; 0 is the primary one.
    pub id: u16,
    /// Its key index, for others than the primary one.
    pub key_index: Option<u32>,
}

/// See [`DeviceList::key_index_list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIndexList {
    /// Seconds of Unix time.
    pub timestamp_s: u64,
    /// The signed list.
    pub signed: Vec<u8>,
}

impl Usync {
    /// The question which WhatsApp account a phone number (digits, no `+`) has, and its LID.
    pub fn lookup(sid: &str, phone: &str) -> Self {
        let user = UsyncUser { jid: None, phone: Some(Personal(format!("+{phone}"))) };
        Self::query(sid, vec![Protocol::Contact, Protocol::Lid], vec![user])
    }

    /// The question which devices people have.
    pub fn devices(sid: &str, jids: impl IntoIterator<Item = Jid>) -> Self {
        let users = jids.into_iter().map(|jid| UsyncUser { jid: Some(jid), phone: None });
        Self::query(sid, vec![Protocol::Devices, Protocol::Lid], users.collect())
    }

    fn query(sid: &str, protocols: Vec<Protocol>, users: Vec<UsyncUser>) -> Self {
        let (mode, context) = ("query".to_owned(), "interactive".to_owned());
        Self { sid: sid.to_owned(), mode, context, protocols, users }
    }

    pub(super) fn parse(usync: &Node) -> Result<Self, StanzaError> {
        let query = field::child(usync, "query", "query of a usync")?;
        let list = field::child(usync, "list", "list of a usync")?;
        Ok(Self {
            sid: field::optional_text(usync, "sid").unwrap_or_default(),
            mode: field::optional_text(usync, "mode").unwrap_or_default(),
            context: field::optional_text(usync, "context").unwrap_or_default(),
            protocols: query.children().iter().map(Protocol::parse).collect(),
            users: list.children_of("user").map(UsyncUser::parse).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn into_content(self) -> Content {
        let protocols = self.protocols.into_iter().map(Protocol::into_node);
        let users = self.users.into_iter().map(UsyncUser::into_node);
        let usync = Node::new("usync")
            .attr("sid", self.sid)
            .attr("mode", self.mode)
            .attr("last", "true")
            .attr("index", "0")
            .attr("context", self.context)
            .child(Node::new("query").with_children(protocols))
            .child(Node::new("list").with_children(users));
        Content::Nodes(vec![usync])
    }
}

impl Protocol {
    fn parse(node: &Node) -> Self {
        match node.tag.as_str() {
            "contact" => Self::Contact,
            "devices" => Self::Devices,
            "lid" => Self::Lid,
            other => Self::Other(other.to_owned()),
        }
    }

    fn into_node(self) -> Node {
        match self {
            Self::Contact => Node::new("contact"),
            Self::Devices => Node::new("devices").attr("version", DEVICES_VERSION),
            Self::Lid => Node::new("lid"),
            Self::Other(tag) => Node::new(&tag),
        }
    }
}

impl UsyncUser {
    fn parse(user: &Node) -> Result<Self, StanzaError> {
        let phone = user.get("contact").and_then(Node::content_text);
        Ok(Self {
            jid: field::optional_jid(user, "jid", "person of a usync")?,
            phone: phone.map(|phone| Personal(phone.to_owned())),
        })
    }

    fn into_node(self) -> Node {
        let contact = self.phone.map(|phone| Node::new("contact").text(phone.0));
        Node::new("user").attr_opt("jid", self.jid).with_children(contact)
    }
}

impl UsyncReply {
    /// Reads an answer.
    pub fn parse(content: &Content) -> Result<Vec<Self>, StanzaError> {
        let list = content
            .children()
            .iter()
            .find(|node| node.tag == "usync")
            .and_then(|usync| usync.get("list"))
            .ok_or(StanzaError { what: "list of a usync" })?;
        list.children_of("user").map(Self::parse_user).collect()
    }

    /// The answer to `asked`.
    pub fn into_content(asked: &Usync, replies: impl IntoIterator<Item = Self>) -> Content {
        let protocols = asked.protocols.iter().cloned().map(Protocol::into_node);
        let users = replies.into_iter().map(Self::into_node);
        let usync = Node::new("usync")
            .attr("sid", asked.sid.as_str())
            .attr("mode", asked.mode.as_str())
            .attr("last", "true")
            .attr("index", "0")
            .attr("context", asked.context.as_str())
            .child(Node::new("result").with_children(protocols))
            .child(Node::new("list").with_children(users));
        Content::Nodes(vec![usync])
    }

    fn parse_user(user: &Node) -> Result<Self, StanzaError> {
        let lid = user.get("lid").map(|lid| field::optional_jid(lid, "val", "LID of a person"));
        Ok(Self {
            jid: field::optional_jid(user, "jid", "person of a usync")?,
            contact: user.get("contact").map(Contact::parse),
            devices: user.get("devices").map(DeviceList::parse).transpose()?,
            lid: lid.transpose()?.flatten(),
        })
    }

    fn into_node(self) -> Node {
        let lid = self.lid.map(|lid| Node::new("lid").attr("val", lid));
        Node::new("user")
            .attr_opt("jid", self.jid)
            .with_children(self.contact.map(Contact::into_node))
            .with_children(self.devices.map(DeviceList::into_node))
            .with_children(lid)
    }
}

impl Contact {
    fn parse(contact: &Node) -> Self {
        Self {
            registered: contact.attr_text("type") == Some("in"),
            phone: contact.content_text().map(|phone| Personal(phone.to_owned())),
        }
    }

    fn into_node(self) -> Node {
        let node = Node::new("contact").attr("type", if self.registered { "in" } else { "out" });
        match self.phone {
            Some(Personal(phone)) => node.text(phone),
            None => node,
        }
    }
}

impl DeviceList {
    fn parse(devices: &Node) -> Result<Self, StanzaError> {
        let list = devices.get("device-list").map_or(&[][..], Node::children);
        let devices_of_list = list.iter().filter(|node| node.tag == "device").map(Device::parse);
        let key_index_list = devices.get("key-index-list").and_then(|list| {
            let signed = list.content_bytes()?.to_vec();
            Some(KeyIndexList { timestamp_s: list.attr_number("ts")?, signed })
        });
        Ok(Self { devices: devices_of_list.collect::<Result<_, _>>()?, key_index_list })
    }

    fn into_node(self) -> Node {
        let devices = self.devices.into_iter().map(Device::into_node);
        let key_index_list = self.key_index_list.map(|list| {
            Node::new("key-index-list").attr("ts", list.timestamp_s).bytes(list.signed)
        });
        Node::new("devices")
            .child(Node::new("device-list").with_children(devices))
            .with_children(key_index_list)
    }
}

impl Device {
    fn parse(device: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            id: field::number(device, "id", "id of a device")?,
            key_index: field::optional_number(device, "key-index", "key index of a device")?,
        })
    }

    fn into_node(self) -> Node {
        Node::new("device").attr("id", self.id).attr_opt("key-index", self.key_index)
    }
}
