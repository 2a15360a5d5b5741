//! Queries that exist because of interoperability: finding a partner's person, blocking, leaving.
//!
//! How a partner's client asks for these is not public (network facts 2.3, section 6). What people
//! on the network's own side use is documented by public clients; the forms here are those, and which
//! of them is used is the caller's choice.

use super::{IqError, Personal, StanzaError, field};
use crate::{
    jid::{Integrator, Jid},
    node::{Content, Node},
};

/// The namespace of interoperability.
pub const XMLNS: &str = "w:interop";
/// The ordinary namespace of block lists.
pub const BLOCKLIST_XMLNS: &str = "blocklist";
/// The ordinary namespace of complaints.
pub const SPAM_XMLNS: &str = "spam";
/// The ordinary namespace of one's own account.
pub const ACCOUNT_XMLNS: &str = "urn:xmpp:whatsapp:account";

/// In which namespace block lists are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlocklistForm {
    /// [`BLOCKLIST_XMLNS`].
    #[default]
    Ordinary,
    /// [`XMLNS`].
    Interop,
}

/// How one leaves the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnenlistForm {
    /// `<remove/>` in [`ACCOUNT_XMLNS`], as ordinary accounts are deleted.
    #[default]
    Account,
    /// `<remove/>` in [`XMLNS`].
    Interop,
}

/// A partner's person as they are known outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUser {
    /// Their user-visible identifier, as typed.
    pub external_id: Personal,
    /// The partner.
    pub integrator: Integrator,
}

/// What is known about a partner's person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedUser {
    /// Who was asked about.
    pub user: ExternalUser,
    /// Who it is, or why that is not known.
    pub resolved: Result<Resolved, IqError>,
}

/// See [`ResolvedUser`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The identifier in its canonical spelling.
    pub normalized_external_id: Personal,
    /// Their JID.
    pub jid: Jid,
}

/// One change of a block list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockChange {
    /// Who.
    pub jid: Jid,
    /// Blocked or no longer.
    pub blocked: bool,
}

/// A complaint about a person, with nothing of what they wrote (network facts 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who.
    pub jid: Jid,
    /// From where in the client it was made.
    pub flow: String,
}

impl BlocklistForm {
    /// The namespace.
    pub fn xmlns(self) -> &'static str {
        match self {
            Self::Ordinary => BLOCKLIST_XMLNS,
            Self::Interop => XMLNS,
        }
    }
}

impl UnenlistForm {
    /// The namespace.
    pub fn xmlns(self) -> &'static str {
        match self {
            Self::Account => ACCOUNT_XMLNS,
            Self::Interop => XMLNS,
        }
    }
}

impl ExternalUser {
    pub(super) fn parse(user: &Node) -> Result<Self, StanzaError> {
        const WHAT: &str = "integrator of a person";
        let integrator = field::number(user, "integrator_id", WHAT)?;
        Ok(Self {
            external_id: Personal(field::text(user, "external_id", "identifier of a person")?),
            integrator: Integrator::new(integrator).ok_or(StanzaError { what: WHAT })?,
        })
    }

    pub(super) fn into_node(self) -> Node {
        Node::new("user")
            .attr("external_id", self.external_id)
            .attr("integrator_id", self.integrator.get())
    }
}

impl ResolvedUser {
    /// Reads an answer.
    pub fn parse(content: &Content) -> Result<Vec<Self>, StanzaError> {
        let users = content.children().iter().find(|node| node.tag == "users");
        let users = users.ok_or(StanzaError { what: "list of people" })?;
        users.children_of("user").map(Self::parse_user).collect()
    }

    /// The answer.
    pub fn into_content(users: impl IntoIterator<Item = Self>) -> Content {
        let users = users.into_iter().map(Self::into_node);
        Content::Nodes(vec![Node::new("users").with_children(users)])
    }

    fn parse_user(node: &Node) -> Result<Self, StanzaError> {
        let user = ExternalUser::parse(node)?;
        let resolved = match node.get("error") {
            Some(error) => Err(IqError::parse(error)?),
            None => Ok(Resolved {
                normalized_external_id: field::optional_text(node, "normalized_external_id")
                    .map_or_else(|| user.external_id.clone(), Personal),
                jid: field::jid(node, "jid", "JID of a person")?,
            }),
        };
        Ok(Self { user, resolved })
    }

    fn into_node(self) -> Node {
        let node = self.user.into_node();
        match self.resolved {
            Ok(resolved) => node
                .attr("normalized_external_id", resolved.normalized_external_id)
                .attr("jid", resolved.jid),
            Err(error) => node.child(error.into_node()),
        }
    }
}

impl BlockChange {
    pub(super) fn parse(item: &Node) -> Result<Self, StanzaError> {
        let blocked = match item.attr_text("action") {
            Some("block") => true,
            Some("unblock") => false,
            _ => return Err(StanzaError { what: "action of a block list's item" }),
        };
        Ok(Self { jid: field::jid(item, "jid", "person of a block list")?, blocked })
    }

    pub(super) fn into_node(self) -> Node {
        let action = if self.blocked { "block" } else { "unblock" };
        Node::new("item").attr("action", action).attr("jid", self.jid)
    }
}

impl Report {
    pub(super) fn parse(list: &Node) -> Result<Self, StanzaError> {
        Ok(Self {
            jid: field::jid(list, "jid", "person of a report")?,
            flow: field::text(list, "spam_flow", "origin of a report")?,
        })
    }

    /// The element that makes the complaint.
    pub fn into_node(self) -> Node {
        Node::new("spam_list").attr("jid", self.jid).attr("spam_flow", self.flow)
    }
}

/// Reads whom a block list holds.
pub fn parse_blocklist(content: &Content) -> Result<Vec<Jid>, StanzaError> {
    let list = content.children().iter().find(|node| node.tag == "list");
    let items = list.map_or(&[][..], Node::children).iter().filter(|item| item.tag == "item");
    items.map(|item| field::jid(item, "jid", "person of a block list")).collect()
}

/// Says whom a block list holds.
pub fn blocklist_content(blocked: impl IntoIterator<Item = Jid>) -> Content {
    let items = blocked.into_iter().map(|jid| Node::new("item").attr("jid", jid));
    Content::Nodes(vec![Node::new("list").with_children(items)])
}
