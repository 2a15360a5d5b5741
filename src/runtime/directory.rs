//! What the homeserver may ask of ghosts: which one a phone number would have, and whether one exists.
//!
//! The lookup does not say who asks, and anybody with an account may ask. So it asks the network
//! nothing and confirms nothing: every possible number has its ghost, and the answer is the same for
//! those who have WhatsApp and those who have not. Whoever invites that ghost is known, and learns the
//! rest through their own login (`membership/invited.rs`). The way back, from a ghost to its number, is
//! told to nobody.

use ruma::{OwnedUserId, UserId};

use super::{ports::Ports, rooms::GHOST_NAME};
use crate::{
    domain::{
        bridged::ActAs,
        ids::GhostKey,
        limits,
        phone::{Phone, WrongNumber},
    },
    port::{Failure, storage::Change},
};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    ports: Ports,
}

/// What a lookup finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The ghost that would stand for the number, and the number as it was read.
    Ghost {
        user: OwnedUserId,
        phone: Phone,
    },
    Wrong(WrongNumber),
    /// So many numbers were looked up that this one would not be remembered.
    Later,
}

impl Directory {
    pub fn new(ports: &Ports) -> Self {
        Self { ports: ports.clone() }
    }

    /// The ghost of a number, which can be invited from now on for a day.
    pub async fn ghost_of(&self, typed: &str) -> Result<Found, Failure> {
        let phone = match Phone::read(typed, self.ports.region) {
            Ok(phone) => phone,
            Err(wrong) => return Ok(Found::Wrong(wrong)),
        };
        let ghost = self.ports.namer.ghost_key(&self.ports.network.user_of_phone(&phone));
        let storage = &self.ports.storage;
        if storage.lookup(&ghost).await?.is_none()
            && storage.lookups().await? >= limits::LOOKUPS_MAX
        {
            tracing::warn!("so many numbers were looked up that no more can be for a while");
            return Ok(Found::Later);
        }
        let user = self.ports.homeserver.user_id(&ActAs::Ghost(ghost.clone()));
        let at = self.ports.clock.now();
        storage.commit(vec![Change::LookupSaved { ghost, phone: phone.clone(), at }]).await?;
        Ok(Found::Ghost { user, phone })
    }

    /// What is wrong with a number, in words.
    pub fn sentence(&self, wrong: WrongNumber) -> String {
        wrong.sentence(self.ports.region)
    }

    /// Whether a user of our namespace exists: the bot, a contact of somebody, or a ghost that was
    /// looked up. The last is made to exist with the question, since its answer promises that.
    pub async fn exists(&self, user: &UserId) -> Result<bool, Failure> {
        match self.ports.homeserver.our_user(user) {
            Some(ActAs::Bot) => Ok(true),
            Some(ActAs::Ghost(ghost)) => self.ghost_exists(ghost).await,
            None => Ok(false),
        }
    }

    async fn ghost_exists(&self, ghost: GhostKey) -> Result<bool, Failure> {
        if self.ports.storage.ghost(&ghost).await?.is_some() {
            return Ok(true);
        }
        let looked_up = self.ports.storage.lookup(&ghost).await?.is_some();
        if looked_up {
            self.ports.homeserver.ensure_user(&ActAs::Ghost(ghost), Some(GHOST_NAME)).await?;
        }
        Ok(looked_up)
    }
}
