//! Causeway: a Matrix application service that connects a homeserver to WhatsApp through the
//! interoperability interface that the Digital Markets Act obliges Meta to offer.
//!
//! `ARCHITECTURE.md` has the map: each module below knows only those above it.

pub mod signal;

pub mod domain;

pub mod port;

pub mod hosting;
pub mod interop;
pub mod matrix;
pub mod storage;

pub mod runtime;

pub mod command;
pub mod http;

pub mod config;
pub mod telemetry;

pub mod cli;
