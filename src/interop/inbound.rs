//! What a stanza that is no answer means to us: a file a family. Values in, values out; the
//! connection does what a [`Turn`] says.

mod chatstate;
mod message;
mod notification;
mod query;
mod receipt;

use causeway_wire::{
    jid::{Jid, JidForm, Server},
    node::{self, Node},
    stanza::{AckClass, AckStanza, Malformed, Route, Stanza, StreamError, nack},
};

use crate::{
    domain::{
        bridged::Timestamp,
        ids::{RemoteAddress, RemoteMessageId, RemoteUser},
    },
    port::network::{Inbound, StanzaRef},
};

/// Characters of a message id.
pub(super) const MESSAGE_ID_CHARS_MAX: usize = 128;

/// What is known when a stanza is read.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Our own address.
    pub(super) me: &'a Jid,
    pub(super) form: JidForm,
    pub(super) now: Timestamp,
}

/// What to do about a stanza.
#[derive(Debug)]
pub(super) enum Turn {
    /// Hand it on; who takes it acknowledges it.
    HandOn(Inbound),
    /// Hand it on and answer: it holds nothing that could be lost.
    HandOnAnswered(Inbound, Node),
    /// Answer it, that is all.
    Answer(Node),
    /// Nothing; the text says why.
    Ignore(&'static str),
    /// The connection is over.
    End(String),
    /// The same, and the receiver is told.
    EndTelling(Inbound, String),
}

/// Reads a stanza that is not an answer to a question of ours.
pub(super) fn read(stanza: Stanza, context: &Context<'_>) -> Turn {
    match stanza {
        Stanza::Message(message) => message::read(message, context),
        Stanza::Receipt(receipt) => receipt::read(&receipt, context),
        Stanza::Notification(notification) => notification::read(&notification, context),
        Stanza::Iq(iq) => query::read(&iq),
        Stanza::Malformed(malformed) => refuse_malformed(&malformed),
        Stanza::Unknown(node) => acknowledge_unknown(&node),
        Stanza::StreamError(StreamError::Code(code)) => Turn::End(format!("stream error {code}")),
        Stanza::StreamError(StreamError::Conflict { .. }) => {
            Turn::EndTelling(Inbound::Replaced, "another connection took its place".to_owned())
        }
        Stanza::StreamError(StreamError::Other(_)) => Turn::End("stream error".to_owned()),
        Stanza::StreamEnd => Turn::End("the network closed it".to_owned()),
        Stanza::Failure(failure) => Turn::End(format!("failure {}", failure.reason)),
        Stanza::Ack(_) => Turn::Ignore("an acknowledgement that nobody waits for"),
        Stanza::Success(_) => Turn::Ignore("a second success"),
        Stanza::Ib(_) => Turn::Ignore("news of the connection"),
        Stanza::Chatstate(chatstate) => chatstate::read(&chatstate),
        Stanza::Presence(_) => Turn::Ignore("a sign of life"),
    }
}

fn refuse_malformed(malformed: &Malformed) -> Turn {
    match malformed.refuse(nack::PARSING_ERROR) {
        Some(refusal) => Turn::Answer(refusal),
        None => Turn::Ignore("malformed, and nothing to answer"),
    }
}

fn acknowledge_unknown(node: &Node) -> Turn {
    let from = node.attr_jid("from").ok().flatten();
    match (node.attr_text("id"), from) {
        (Some(id), Some(from)) => {
            let class = AckClass::Other(node.tag.clone());
            Turn::Answer(AckStanza::new(class, id, Route::to(from)).into_node())
        }
        _ => Turn::Ignore("unknown, and nothing to answer"),
    }
}

/// The reference by which a stanza is acknowledged later: the acknowledgement itself, packed, so
/// that any later connection can send it.
fn reference(ack: AckStanza, context: &Context<'_>) -> Option<StanzaRef> {
    node::encode(&ack.into_node(), context.form).ok().map(StanzaRef)
}

/// The person's device that a stanza comes from; `None` for groups, broadcasts and the network itself.
fn address(jid: &Jid) -> Option<RemoteAddress> {
    let person = match jid.server() {
        Server::Phone | Server::Lid | Server::Interop(_) => !jid.is_server(),
        Server::Other(_) => false,
    };
    person.then(|| RemoteAddress { user: user(jid), device: jid.device() })
}

fn user(jid: &Jid) -> RemoteUser {
    RemoteUser(jid.without_device().to_string())
}

fn message_id(id: &str) -> Option<RemoteMessageId> {
    (1..=MESSAGE_ID_CHARS_MAX).contains(&id.len()).then(|| RemoteMessageId(id.to_owned()))
}

/// The network's seconds as our milliseconds.
fn milliseconds(seconds: u64) -> Timestamp {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000)
}
