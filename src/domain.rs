//! What the bridge knows and decides: ids, limits, translation, decisions.
//!
//! Nothing here is async, reads a clock, draws randomness or does I/O: whatever a decision needs
//! is an argument.

pub mod address;
pub mod allowance;
pub mod attachment;
pub mod boundary;
pub mod bridged;
pub mod capability;
pub mod choices;
pub mod consent;
#[cfg(test)]
pub(crate) mod document;
pub mod ephemeral;
pub mod erasure;
pub mod event;
pub mod export;
mod fallback;
pub mod hosting;
pub mod identity;
pub mod ids;
pub mod item;
pub mod limits;
pub mod markup;
pub mod media;
pub mod moving;
pub mod notice;
pub mod opening;
pub mod outgoing;
pub mod part;
pub mod permission;
pub mod phone;
pub mod policy;
pub mod rate;
pub mod rotation;
pub mod sequence;
pub mod status;
pub mod text;
pub mod typing;
pub mod verification;
pub mod waiting;
