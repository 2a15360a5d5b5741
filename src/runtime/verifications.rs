//! Lets a person verify our users: whose requests are accepted, and where the code to compare is shown.
//!
//! The code goes to the management room. Somebody who reads and writes there in the bot's name could change it, so
//! it proves what the room's own encryption proves, and `verify bot` with the operator's word proves more.

use super::{commit::commit, hints::Hints, ports::Ports, speech::Speech};
use crate::{
    domain::{
        bridged::ActAs,
        ids::PortalKey,
        verification::{Answer, Stage, Verification},
    },
    port::Failure,
};

/// An answer can make the next stage; it is looked this often.
const ROUNDS_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Verifications {
    ports: Ports,
    hints: Hints,
    speech: Speech,
}

impl Verifications {
    pub(crate) fn new(ports: Ports, hints: Hints, speech: Speech) -> Self {
        Self { ports, hints, speech }
    }

    /// Looks after whatever a transaction or a message has moved. What fails is begun again by the
    /// person: nothing depends on it.
    pub(crate) async fn attend(&self) {
        for _ in 0..ROUNDS_MAX {
            let news = self.ports.cipher.verification_news();
            if news.is_empty() {
                return;
            }
            for verification in news {
                if let Err(failure) = self.attend_one(&verification).await {
                    tracing::warn!(%failure, "could not look after a verification");
                }
            }
        }
    }

    async fn attend_one(&self, verification: &Verification) -> Result<(), Failure> {
        let Verification { who, person, flow, stage } = verification;
        if *stage == Stage::Asked {
            let answer =
                if self.may_verify(verification).await? { Answer::Accept } else { Answer::Refuse };
            tracing::info!(?who, ?answer, "somebody wants to verify one of our users");
            self.ports.cipher.answer_verification(who, person, flow, answer).await?;
            return Ok(());
        }
        let Some(text) = verification.text(self.name(who).await?.as_deref()) else {
            return Ok(());
        };
        let name = match stage {
            Stage::Asked => return Ok(()),
            Stage::Comparing(_) => "comparing",
            Stage::Done => "done",
            Stage::Cancelled => "cancelled",
        };
        // Who was refused is nobody to talk to.
        if !self.may_verify(verification).await? {
            return Ok(());
        }
        let about = format!("verification/{flow}/{name}");
        let said = self.speech.to_person(person, &text, &about).await?;
        commit(&self.ports, &self.hints, said.into_iter().collect()).await
    }

    /// Whoever talks to the bot may verify the bot, and the ghosts of their own contacts.
    async fn may_verify(&self, verification: &Verification) -> Result<bool, Failure> {
        let Verification { who, person, .. } = verification;
        let storage = &self.ports.storage;
        if storage.management_room(person).await?.is_none() {
            return Ok(false);
        }
        let ActAs::Ghost(ghost) = who else { return Ok(true) };
        let Some(login) = storage.login_of(person).await? else { return Ok(false) };
        let key = PortalKey { login: login.id, ghost: ghost.clone() };
        Ok(storage.portal(&key).await?.is_some())
    }

    async fn name(&self, who: &ActAs) -> Result<Option<String>, Failure> {
        let ActAs::Ghost(ghost) = who else { return Ok(None) };
        let ghost = self.ports.storage.ghost(ghost).await?;
        Ok(ghost.and_then(|ghost| ghost.display_name))
    }
}
