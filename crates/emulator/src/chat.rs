//! The chat channel: one TCP port on which WebSockets and raw streams speak the network's protocol (network facts B2).
//! It translates between the wire and `router`; what may be sent to whom is decided there.

mod certificates;
mod connection;
mod dispatch;
mod handshake;
mod keys;
mod listener;
mod login;
mod messages;
mod pairing;
mod people;
mod query;
mod reaction;
mod render;
mod session;
mod typing;

pub(crate) use certificates::Certificates;
pub(crate) use listener::serve;
pub(crate) use pairing::{Pairings, pair};
