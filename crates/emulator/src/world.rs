//! What the network knows: accounts, devices, published keys, mailboxes. Pure state, no sockets, no clock, no randomness.

pub(crate) mod account;
pub(crate) mod bundle;
pub(crate) mod mailbox;
mod names;
pub(crate) mod state;

pub(crate) use account::{
    AccountId, Companion, Device, DeviceKey, Partner, Person, PersonKind, Primary, Shown,
};
pub(crate) use bundle::{Bundle, OneTimePrekey, SignedPrekey};
pub(crate) use mailbox::{Entry, Mailbox};
pub(crate) use names::View;
pub(crate) use state::World;
