//! Two faces on two listeners: the homeserver's (private) and the network's (public).
//!
//! Nothing is answered with success before it is durable, and no answer repeats what was asked.

mod answer;
mod homeserver;
mod network;

pub use homeserver::HomeserverFace;
pub use network::NetworkFace;
