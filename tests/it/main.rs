//! Every test that needs more than one part of the bridge, in one binary: linking the Matrix part is
//! slow, so there is one of it.

// matrix-sdk's futures nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

#[cfg(test)]
mod architecture;
mod canary;
mod conversation;
mod crash;
mod federation;
mod first_session;
mod ground;
mod identity;
#[cfg(test)]
mod interop;
mod kinds;
mod lease;
mod life;
mod login_life;
mod matrix;
mod media;
mod media_nio;
mod media_service;
mod media_store;
mod outage;
#[path = "../shared/party.rs"]
mod party;
mod provisioning;
mod receipts;
mod refusals;
mod requests;
mod rooms;
mod runtime;
mod shield;
mod signal_oracle;
mod stopping;
mod storage;
mod support;
mod transcript;
mod verification;
#[path = "../shared/watched_storage.rs"]
mod watched_storage;
