//! What queries ask: the one list of all questions that both ends know.
//!
//! A client turns a [`Query`] into an `<iq>` and reads the answer with the family's own reply type; a
//! server reads the query and answers with that type.

use super::{
    IqBody, IqStanza, StanzaError,
    interop::{
        self, ACCOUNT_XMLNS, BLOCKLIST_XMLNS, BlockChange, BlocklistForm, ExternalUser, Report,
        SPAM_XMLNS, UnenlistForm,
    },
    prekeys::{self, KeyRequest, Upload},
    usync::{self, Usync},
};
use crate::node::{Content, Node};

const PING_XMLNS: &str = "w:p";
const PASSIVE_XMLNS: &str = "passive";

/// A question or a wish to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Whether the other side is still there; the answer is empty.
    Ping,
    /// Whether stanzas are to be delivered to us now; the answer is empty.
    SetActive(bool),
    /// How many one-time prekeys are left; see [`prekeys::parse_count`].
    CountPreKeys,
    /// Publishes keys; the answer is empty.
    UploadPreKeys(Upload),
    /// Asks for the keys of devices; see [`prekeys::KeyReply`].
    FetchKeys(Vec<KeyRequest>),
    /// Asks for a digest of our own keys; 404 makes clients publish them again.
    Digest,
    /// Asks about people; see [`usync::UsyncReply`].
    Usync(Usync),
    /// Asks who partners' people are; see [`interop::ResolvedUser`].
    ResolveUsers(Vec<ExternalUser>),
    /// Asks whom we block; see [`interop::parse_blocklist`].
    GetBlocklist(BlocklistForm),
    /// Blocks and unblocks; the answer is empty.
    ChangeBlocklist(BlocklistForm, Vec<BlockChange>),
    /// Complains about a person; the answer is empty.
    Report(Report),
    /// Leaves the network; the answer is empty.
    Unenlist(UnenlistForm),
    /// Something not known here.
    Unknown,
}

impl Query {
    /// What `iq` asks; an answer asks for something unknown.
    pub fn parse(iq: &IqStanza) -> Result<Self, StanzaError> {
        let (set, xmlns, content) = match &iq.body {
            IqBody::Get { xmlns, content } => (false, xmlns.as_str(), content),
            IqBody::Set { xmlns, content } => (true, xmlns.as_str(), content),
            IqBody::Result(_) | IqBody::Error(_) => return Ok(Self::Unknown),
        };
        let first = content.children().first();
        match (xmlns, set, first.map(|node| (node.tag.as_str(), node))) {
            (PING_XMLNS, false, _) => Ok(Self::Ping),
            (PASSIVE_XMLNS, true, Some(("active", _))) => Ok(Self::SetActive(true)),
            (PASSIVE_XMLNS, true, Some(("passive", _))) => Ok(Self::SetActive(false)),
            (prekeys::XMLNS, _, _) => Self::parse_encrypt(set, content),
            (usync::XMLNS, false, Some(("usync", node))) => Usync::parse(node).map(Self::Usync),
            (interop::XMLNS, false, Some(("users", users))) => {
                let users = users.children_of("user").map(ExternalUser::parse);
                users.collect::<Result<_, _>>().map(Self::ResolveUsers)
            }
            (BLOCKLIST_XMLNS, false, _) => Ok(Self::GetBlocklist(BlocklistForm::Ordinary)),
            (BLOCKLIST_XMLNS, true, _) => changes_of(content.children(), BlocklistForm::Ordinary),
            (interop::XMLNS, false, Some(("blocklist", _))) => {
                Ok(Self::GetBlocklist(BlocklistForm::Interop))
            }
            (interop::XMLNS, true, Some(("blocklist", list))) => {
                changes_of(list.children(), BlocklistForm::Interop)
            }
            (SPAM_XMLNS, true, Some(("spam_list", list))) => Report::parse(list).map(Self::Report),
            (ACCOUNT_XMLNS, _, Some(("remove", _))) => Ok(Self::Unenlist(UnenlistForm::Account)),
            (interop::XMLNS, true, Some(("remove", _))) => {
                Ok(Self::Unenlist(UnenlistForm::Interop))
            }
            _ => Ok(Self::Unknown),
        }
    }

    fn parse_encrypt(set: bool, content: &Content) -> Result<Self, StanzaError> {
        let first = content.children().first();
        match (set, first.map(|node| (node.tag.as_str(), node))) {
            (false, Some(("count", _))) => Ok(Self::CountPreKeys),
            (false, Some(("digest", _))) => Ok(Self::Digest),
            (false, Some(("key", key))) => {
                let requests = key.children_of("user").map(KeyRequest::parse);
                requests.collect::<Result<_, _>>().map(Self::FetchKeys)
            }
            (true, Some(_)) if content.children().iter().any(|node| node.tag == "list") => {
                let query = Node { content: content.clone(), ..Node::new("iq") };
                Upload::parse(&query).map(Self::UploadPreKeys)
            }
            _ => Ok(Self::Unknown),
        }
    }

    /// The stanza that asks this of the network; `None` for [`Query::Unknown`].
    pub fn into_iq(self, id: impl Into<String>) -> Option<IqStanza> {
        let one = |node: Node| Content::Nodes(vec![node]);
        Some(match self {
            Self::Ping => IqStanza::get(id, PING_XMLNS, Content::Empty),
            Self::SetActive(active) => {
                let tag = if active { "active" } else { "passive" };
                IqStanza::set(id, PASSIVE_XMLNS, one(Node::new(tag)))
            }
            Self::CountPreKeys => IqStanza::get(id, prekeys::XMLNS, one(Node::new("count"))),
            Self::UploadPreKeys(upload) => IqStanza::set(id, prekeys::XMLNS, upload.into_content()),
            Self::FetchKeys(requests) => {
                let users = requests.into_iter().map(KeyRequest::into_node);
                IqStanza::get(id, prekeys::XMLNS, one(Node::new("key").with_children(users)))
            }
            Self::Digest => IqStanza::get(id, prekeys::XMLNS, one(Node::new("digest"))),
            Self::Usync(usync) => IqStanza::get(id, usync::XMLNS, usync.into_content()),
            Self::ResolveUsers(users) => {
                let users = users.into_iter().map(ExternalUser::into_node);
                IqStanza::get(id, interop::XMLNS, one(Node::new("users").with_children(users)))
            }
            Self::GetBlocklist(form) => {
                let content = match form {
                    BlocklistForm::Ordinary => Content::Empty,
                    BlocklistForm::Interop => one(Node::new("blocklist")),
                };
                IqStanza::get(id, form.xmlns(), content)
            }
            Self::ChangeBlocklist(form, changes) => {
                let items: Vec<_> = changes.into_iter().map(BlockChange::into_node).collect();
                let content = match form {
                    BlocklistForm::Ordinary => Content::Nodes(items),
                    BlocklistForm::Interop => one(Node::new("blocklist").with_children(items)),
                };
                IqStanza::set(id, form.xmlns(), content)
            }
            Self::Report(report) => IqStanza::set(id, SPAM_XMLNS, one(report.into_node())),
            Self::Unenlist(form) => IqStanza::set(id, form.xmlns(), one(Node::new("remove"))),
            Self::Unknown => return None,
        })
    }
}

fn changes_of(items: &[Node], form: BlocklistForm) -> Result<Query, StanzaError> {
    let changes = items.iter().filter(|item| item.tag == "item").map(BlockChange::parse);
    changes.collect::<Result<_, _>>().map(|changes| Query::ChangeBlocklist(form, changes))
}
