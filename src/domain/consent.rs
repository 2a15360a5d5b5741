//! Consent: what a person agreed to, whom they let write to them, and the memory of it.
//!
//! Two machines decide: one of each contact of a login (`contact`), and one of the login itself.
//! What they decide becomes an entry of the `ledger`, which only grows until the person has it erased.

mod contact;
mod ledger;
pub mod login;
mod text;

pub use self::{
    contact::{Admission, ContactEvent, ContactState, diagram},
    ledger::{Act, Entry},
    text::{CONSENT_TEXT_VERSION, consent_text},
};
