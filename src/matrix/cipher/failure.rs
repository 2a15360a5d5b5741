//! The machine's errors as ours.
//!
//! A store that fails now may work later; what the machine refuses, it refuses for good. The
//! machine's own texts stay in the source chain only where they cannot quote content.

use matrix_sdk_crypto::{CryptoStoreError, MegolmError, OlmError};

use crate::port::{Failure, room_cipher::DecryptFailure};

pub(super) fn from_store(what: &'static str) -> impl FnOnce(CryptoStoreError) -> Failure {
    move |error| Failure::later(format!("{what}: the key store failed")).because(error)
}

pub(super) fn from_olm(what: &'static str) -> impl FnOnce(OlmError) -> Failure {
    move |error| match error {
        OlmError::Store(error) => from_store(what)(error),
        // A JSON error quotes what it could not read.
        OlmError::JsonError(_) => Failure::never(format!("{what}: malformed JSON")),
        error => Failure::never(format!("{what}: the machine refuses")).because(error),
    }
}

pub(super) fn from_megolm(what: &'static str) -> impl FnOnce(MegolmError) -> Failure {
    move |error| match error {
        MegolmError::Store(error) => from_store(what)(error),
        MegolmError::JsonError(_) => Failure::never(format!("{what}: malformed JSON")),
        error => Failure::never(format!("{what}: the machine refuses")).because(error),
    }
}

/// An index below the first one that we hold is a missing key too: an earlier one may come.
pub(super) fn from_decryption(error: MegolmError) -> DecryptFailure {
    use vodozemac::megolm::DecryptionError::UnknownMessageIndex;
    match error {
        MegolmError::MissingRoomKey(_) | MegolmError::Decryption(UnknownMessageIndex(..)) => {
            DecryptFailure::MissingKey
        }
        MegolmError::Store(error) => {
            DecryptFailure::Outside(from_store("decrypting an event")(error))
        }
        error => DecryptFailure::Undecryptable(from_megolm("decrypting an event")(error)),
    }
}
