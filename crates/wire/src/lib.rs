//! The network's wire protocol, both ends of it: Noise, framing, nodes, stanzas, payloads.
//!
//! Values in, values out. Nothing here opens a socket, waits, reads a clock or fetches randomness:
//! timestamps and random generators are parameters. Nothing here knows Matrix, storage or what a
//! bridge is. Everything that reads foreign bytes is bounded by named constants and answers with an
//! error instead of a panic.
//!
//! Reading order: [`frame`] cuts a byte stream into frames, [`noise`] turns frames into an
//! authenticated channel, [`node`] turns its plaintext into trees with [`jid`]s in them, [`stanza`]
//! gives those trees meaning. [`payload`] is what a client says while it logs in, [`message`] what
//! people say to each other, [`media`] how the files beside that are encrypted.

pub mod frame;
pub mod jid;
pub mod media;
pub mod message;
pub mod node;
pub mod noise;
pub mod payload;
pub mod stanza;
