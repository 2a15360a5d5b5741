//! Faces on two listeners: the homeserver's and that of people's managers (private), and the
//! network's (public).
//!
//! Nothing is answered with success before it is durable, and no answer repeats what was asked.

mod answer;
mod homeserver;
mod hosted;
mod network;
mod provisioning;
mod range;

pub use homeserver::HomeserverFace;
pub use hosted::HostedFiles;
pub use network::NetworkFace;
pub use provisioning::{ProvisioningFace, ProvisioningRules};
