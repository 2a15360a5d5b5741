//! The runtime against what a person or an operator would notice, with the outside played by fakes that are as
//! unkind as reality on request, and with the real storage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]
#![expect(
    clippy::large_futures,
    reason = "a stage is a whole bridge; a story has a thread of its own"
)]

mod attachments;
mod blocking;
mod cleaning;
mod clock;
mod commands;
mod consent;
mod contact;
mod crashes;
mod cut;
mod erasing;
mod exporting;
mod faces;
mod fate;
mod files;
mod homeserver;
mod hosted;
mod identity;
mod kinds;
mod lapsing;
mod leaving;
mod media_store;
mod missing_keys;
mod moving;
mod names;
mod network;
mod opening;
mod provisioning;
mod receipts;
mod replacing;
mod rules;
mod session;
mod signs;
mod stage;
mod surroundings;
mod trouble;
