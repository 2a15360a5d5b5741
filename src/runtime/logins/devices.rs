//! The person's own Matrix devices, the bot's keys, and comparing the codes of a verification.

use ruma::UserId;

use super::Logins;
use crate::{
    domain::{
        bridged::ActAs,
        verification::{Answer, Verification},
    },
    port::{
        Failure,
        room_cipher::{Fingerprints, PersonDevices},
    },
};

/// What became of the person's word on a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOutcome {
    Said,
    /// There is nothing to compare.
    Nothing,
    /// There are several codes, so it is not clear which is meant; nothing was said.
    Several,
}

impl Logins {
    /// The person's own Matrix devices.
    pub async fn devices_of(&self, person: &UserId) -> Result<PersonDevices, Failure> {
        self.ports.cipher.devices_of(person).await
    }

    /// The person says whether the code that they compare is the same on both sides.
    pub async fn compare(&self, person: &UserId, is_same: bool) -> Result<CompareOutcome, Failure> {
        let comparing = self.ports.cipher.comparing(person);
        // Of several, somebody else may have begun one: a word for all of them would confirm it.
        if is_same && comparing.len() > 1 {
            return Ok(CompareOutcome::Several);
        }
        let answer = if is_same { Answer::Same } else { Answer::Different };
        let mut outcome = CompareOutcome::Nothing;
        for Verification { who, flow, .. } in comparing {
            if self.ports.cipher.answer_verification(&who, person, &flow, answer).await? {
                outcome = CompareOutcome::Said;
            }
        }
        Ok(outcome)
    }

    /// The bot's Matrix keys.
    pub async fn fingerprints(&self) -> Result<Fingerprints, Failure> {
        self.ports.cipher.fingerprints(&ActAs::Bot).await
    }
}
