//! People on the network, as a login finds them, and the chats with them.

use ruma::{EventId, OwnedRoomId};

use super::Logins;
use crate::{
    domain::{
        bridged::{ActAs, Login},
        ids::{GhostKey, LoginId, PortalKey, RemoteUser},
        phone::Phone,
    },
    port::{Failure, network::Resolved},
    runtime::chats::Opened,
};

impl Logins {
    /// The ghost that stands for somebody on the network.
    pub fn ghost_of(&self, user: &RemoteUser) -> GhostKey {
        self.ports.namer.ghost_key(user)
    }

    /// The name that a contact gave themselves.
    pub async fn name_of(&self, ghost: &GhostKey) -> Result<Option<String>, Failure> {
        let ghost = self.ports.storage.ghost(ghost).await?;
        Ok(ghost.and_then(|ghost| ghost.display_name))
    }

    /// By what a chat can be named in Matrix: its ghost's id, and its room's.
    pub async fn addresses(&self, portal: &PortalKey) -> Result<Vec<String>, Failure> {
        let ghost = self.ports.homeserver.user_id(&ActAs::Ghost(portal.ghost.clone()));
        let room = self.ports.storage.portal(portal).await?.and_then(|portal| portal.room);
        Ok([ghost.to_string()].into_iter().chain(room.map(|room| room.to_string())).collect())
    }

    /// What a phone number is on the network; `None` while the login is not connected.
    pub async fn resolve(&self, login: &LoginId, phone: &str) -> Result<Option<Resolved>, Failure> {
        match self.links.link(login) {
            Some(link) => link.resolve(phone).await.map(Some),
            None => Ok(None),
        }
    }

    /// The person opens a chat: its room, made when it does not exist, with the person invited. A
    /// contact who is new counts against the person's day, in the commit that approves them.
    pub async fn open_chat(
        &self,
        login: &Login,
        user: &RemoteUser,
        cause: Option<&EventId>,
    ) -> Result<Opened, Failure> {
        self.chats.open(login, user, cause).await
    }

    /// The room of a chat that the person is in already.
    pub async fn joined_chat(
        &self,
        login: &Login,
        user: &RemoteUser,
    ) -> Result<Option<OwnedRoomId>, Failure> {
        self.chats.joined(login, user).await
    }

    /// A phone number as a person typed it, or what is wrong with it in words.
    pub fn read_number(&self, typed: &str) -> Result<Phone, String> {
        Phone::read(typed, self.ports.region).map_err(|wrong| wrong.sentence(self.ports.region))
    }
}
