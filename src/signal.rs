//! The seam to the Signal library: a record goes in, a record comes out.
//!
//! Every step is a plain function over values. It takes our identity, the stored session record, what we
//! know of the peer and the material for this one step, and answers an [`Advance`]: the record to store
//! next, the output, the one-time prekey that is now spent and what became of the peer's identity.
//! **Nothing is saved by itself.** The caller commits all four together, or throws them away and finds
//! the old record as good as before; a failed step has no effect at all.
//!
//! *Which protocol:* X3DH with the Double Ratchet, message version 3, as the network speaks it
//! (network facts 3.7); no post-quantum part. The cryptography is `wacore-libsignal`'s, and an official
//! libsignal checks it from outside in `tests/it/signal_oracle.rs`.
//!
//! *Counters:* the library can lease message counters ahead so that a client may send before it saves.
//! We commit before we send, so every record waives that lease. A ciphertext must therefore never
//! leave the process before its record is committed: the same counter would encrypt twice.
//!
//! *Secrets:* they live in buffers that are wiped when dropped. The library's own copies, which exist
//! during one step, are not wiped; it has no such notion.
//!
//! This module must not know of the clock, storage, the network or Matrix; randomness is a parameter. It never
//! gives a peer's name to the library, because the library writes addresses to the log.

#![deny(
    missing_docs,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

mod address;
mod ciphertext;
mod error;
mod fingerprint;
mod identity;
mod prekey;
mod record;
mod step;
mod stores;
mod trust;

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]
mod tests;

pub use self::{
    address::Address,
    ciphertext::{
        Ciphertext, CiphertextKind, MAX_CIPHERTEXT_BYTES, MAX_PLAINTEXT_BYTES, NeededPreKeys,
        needed_prekeys,
    },
    error::{DecryptError, EncryptError, EstablishError, KeyError, Retry},
    fingerprint::{FingerprintParty, safety_number},
    identity::{MAX_REGISTRATION_ID, OurIdentity, RemoteIdentityKey, sign, verify},
    prekey::{MAX_PREKEY_ID, PreKey, RemoteBundle, SignedPreKey},
    record::{MAX_RECORD_BYTES, SessionRecord, has_sender_chain},
    step::{Advance, OfferedKeys, decrypt, encrypt, establish},
    trust::IdentityStep,
};
