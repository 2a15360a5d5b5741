//! The adapter to the homeserver: our users' actions, and their Megolm.
//!
//! It holds the `as_token` and masquerades as our users with their own devices. It knows domain
//! and ports; it must not know SQL, the network behind the bridge, or what the runtime decides.
//! The facts it rests on are the appservice facts, sections 0 to 2.

pub mod cipher;
pub mod client;
pub mod names;
pub mod openid;

#[cfg(test)]
mod fake_homeserver;

pub use cipher::{CipherOptions, KeySharing, MatrixCipher};
pub use client::{MatrixHomeserver, MatrixOptions};
pub use openid::{OpenIdOptions, OpenIdServers};
