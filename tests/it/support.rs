//! The real parts around the bridge, for the end-to-end tests and for the demo: a homeserver, Matrix
//! clients, a PostgreSQL server, the emulated network, and the bridge itself as a process of its own.
//! It knows how each is started, spoken to and ended. It must not know what any test is about.
//!
//! Two rules hold for all of it. Nothing outlives its owner ([`leash`]), and nothing waits for time to
//! pass: every wait is for a condition, and ends with a sentence that says which one failed ([`wait`]).

pub(crate) mod baileys;
pub(crate) mod bridge;
pub(crate) mod dialogue;
pub(crate) mod emulator;
pub(crate) mod files;
pub(crate) mod ghost;
pub(crate) mod leash;
pub(crate) mod matrix_client;
pub(crate) mod memory;
pub(crate) mod nio;
pub(crate) mod place;
pub(crate) mod postgres;
pub(crate) mod signs;
pub(crate) mod synapse;
pub(crate) mod wait;
pub(crate) mod world;
