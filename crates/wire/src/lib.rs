//! The network's wire protocol, both ends of it: Noise, framing, nodes, stanzas, payloads.
//!
//! Values in, values out. Nothing here opens a socket, waits, reads a clock or fetches randomness:
//! timestamps and random generators are parameters. Nothing here knows Matrix, storage or what a
//! bridge is. Everything that reads foreign bytes is bounded by named constants and answers with an
//! error instead of a panic.
//!
//! Reading order: [`frame`] cuts a byte stream into frames, [`noise`] turns frames into an
//! authenticated channel, [`node`] turns its plaintext into trees with [`jid`]s in them.

pub mod frame;
pub mod jid;
pub mod node;
pub mod noise;
