//! Ghosts and the rooms of portals: made when first needed, found again by their names.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::ports::Ports;
use crate::{
    domain::{
        boundary,
        bridged::{ActAs, Ghost, Login, Portal, Timestamp},
        capability,
        ids::{GhostKey, PROTOCOL, PortalKey, RemoteUser},
        limits,
    },
    port::{
        Failure, Retry,
        homeserver::{DirectRoom, Signs},
        storage::Change,
    },
};

use ruma::{OwnedRoomId, RoomId};

/// The name that the bot shows.
const BOT_NAME: &str = "WhatsApp bridge";
/// The name of a ghost whose contact gave none.
pub(crate) const GHOST_NAME: &str = "WhatsApp contact";

/// Makes ghosts and rooms exist. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rooms {
    ports: Ports,
    /// When ghosts got another name, as long as that is recent. Never held across an await.
    renamed: Arc<Mutex<BTreeMap<GhostKey, Timestamp>>>,
}

impl Rooms {
    pub fn new(ports: Ports) -> Self {
        Self { ports, renamed: Arc::default() }
    }

    /// The bot with its device and cross-signing identity. Safe to repeat.
    pub async fn ensure_bot(&self) -> Result<(), Failure> {
        self.ports.homeserver.ensure_user(&ActAs::Bot, Some(BOT_NAME)).await?;
        self.ports.cipher.prepare(&ActAs::Bot).await
    }

    /// The room of a login's chat with a remote person.
    pub async fn ensure_portal(
        &self,
        login: &Login,
        remote: &RemoteUser,
        name: Option<&str>,
    ) -> Result<Portal, Failure> {
        let ghost = self.ensure_ghost(remote, name).await?;
        let key = PortalKey { login: login.id.clone(), ghost: ghost.clone() };
        if let Some(portal @ Portal { room: Some(_), .. }) = self.ports.storage.portal(&key).await?
        {
            return Ok(portal);
        }
        let room = self.create(login, &key).await?;
        let portal = Portal { key, room: Some(room) };
        self.ports.storage.commit(vec![Change::PortalSaved(portal.clone())]).await?;
        Ok(portal)
    }

    /// Invites the person into the chat's room; nothing happens if they are in it or invited.
    pub(crate) async fn invite(&self, login: &Login, chat: &Portal) -> Result<(), Failure> {
        let Some(room) = &chat.room else { return Ok(()) };
        let ghost = ActAs::Ghost(chat.key.ghost.clone());
        self.ports.homeserver.invite(&ghost, room, &login.person).await
    }

    /// Whether the person is in the chat's room.
    pub(crate) async fn is_joined(&self, login: &Login, chat: &Portal) -> Result<bool, Failure> {
        let Some(room) = &chat.room else { return Ok(false) };
        let ghost = ActAs::Ghost(chat.key.ghost.clone());
        let person = login.person.as_str();
        let member = self.ports.homeserver.state(&ghost, room, "m.room.member", person).await?;
        Ok(member.is_some_and(|member| member["membership"] == "join"))
    }

    /// Tells the clients in a room that somebody else made what it is, as far as the ghost may.
    pub(crate) async fn put_signs(
        &self,
        login: &Login,
        key: &PortalKey,
        room: &RoomId,
    ) -> Result<(), Failure> {
        let ghost = ActAs::Ghost(key.ghost.clone());
        let put = self.ports.homeserver.put_signs(&ghost, room, &self.signs(login, key)).await;
        match put {
            Err(failure) if failure.retry == Retry::Never => {
                tracing::debug!(%room, %failure, "the ghost may not put signs into a room");
                Ok(())
            }
            put => put,
        }
    }

    async fn create(&self, login: &Login, key: &PortalKey) -> Result<OwnedRoomId, Failure> {
        let creator = ActAs::Ghost(key.ghost.clone());
        let bot = self.ports.homeserver.user_id(&ActAs::Bot);
        let room = self
            .ports
            .homeserver
            .direct_room(&DirectRoom {
                creator,
                person: login.person.clone(),
                alias_localpart: self.ports.namer.portal_alias(key),
                topic: boundary::topic(bot.server_name()),
                signs: self.signs(login, key),
            })
            .await?;
        // Before the person can write.
        let (ghost, readers) = (ActAs::Ghost(key.ghost.clone()), [login.person.clone()]);
        self.ports.cipher.acquaint(&ghost, &room, &readers).await?;
        Ok(room)
    }

    fn signs(&self, login: &Login, key: &PortalKey) -> Signs {
        let ghost = ActAs::Ghost(key.ghost.clone());
        let ghost_id = self.ports.homeserver.user_id(&ghost);
        Signs {
            localpart: self.ports.namer.portal_alias(key),
            bridge_info: self.bridge_info(&ghost),
            features: self.features(),
            legs: boundary::legs(&login.person, &ghost_id, ghost_id.server_name()),
        }
    }

    /// What every room tells its clients of what can be sent in it.
    pub(super) fn features(&self) -> Value {
        let own_bytes_max = self.ports.media_rules.max_bytes;
        capability::room_features(own_bytes_max, self.ports.network.capabilities())
    }

    /// A ghost that can join and speak. Whom it stands for need not be known for that.
    pub(crate) async fn prepare_ghost(&self, ghost: &GhostKey) -> Result<(), Failure> {
        let known = self.ports.storage.ghost(ghost).await?;
        if known.is_some_and(|ghost| ghost.prepared) {
            return Ok(());
        }
        let who = ActAs::Ghost(ghost.clone());
        self.ports.homeserver.ensure_user(&who, Some(GHOST_NAME)).await?;
        self.ports.cipher.prepare(&who).await
    }

    pub(crate) async fn ensure_ghost(
        &self,
        remote: &RemoteUser,
        name: Option<&str>,
    ) -> Result<GhostKey, Failure> {
        let key = self.ports.namer.ghost_key(remote);
        let name = name.map(bounded_name).filter(|name| !name.is_empty());
        let known = self.ports.storage.ghost(&key).await?;
        if let Some(ghost) = known.as_ref().filter(|ghost| ghost.prepared) {
            let named_so = name.is_none() || ghost.display_name == name;
            // The first name is no change.
            if named_so || (ghost.display_name.is_some() && !self.may_rename(&key)) {
                return Ok(key);
            }
        }
        let who = ActAs::Ghost(key.clone());
        let shown = name.clone().or_else(|| known.and_then(|ghost| ghost.display_name));
        let shown = shown.unwrap_or_else(|| GHOST_NAME.to_owned());
        self.ports.homeserver.ensure_user(&who, Some(&shown)).await?;
        self.ports.cipher.prepare(&who).await?;
        let ghost =
            Ghost { key: key.clone(), remote: remote.clone(), display_name: name, prepared: true };
        self.ports.storage.commit(vec![Change::GhostSaved(ghost)]).await?;
        Ok(key)
    }

    /// Another name is an event in every room of the ghost, and a contact may change it with each
    /// message: what comes too soon is taken over by a later message.
    fn may_rename(&self, ghost: &GhostKey) -> bool {
        let now = self.ports.clock.now();
        let mut renamed = self.renamed.lock().expect("no holder of this lock can panic");
        let pause = limits::millis(limits::RENAMING_PAUSE);
        renamed.retain(|_, at| (*at..*at + pause).contains(&now));
        if renamed.contains_key(ghost) {
            return false;
        }
        renamed.insert(ghost.clone(), now);
        true
    }

    /// MSC2346: says that the room is bridged, and to what; not to whom.
    fn bridge_info(&self, ghost: &ActAs) -> Value {
        json!({
            "bridgebot": self.ports.homeserver.user_id(&ActAs::Bot),
            "creator": self.ports.homeserver.user_id(ghost),
            "protocol": {"id": PROTOCOL, "displayname": "WhatsApp"},
            "channel": {"id": self.ports.homeserver.user_id(ghost)},
        })
    }
}

/// A name as it is passed on: on one line, and no longer than names are.
pub(crate) fn bounded_name(name: &str) -> String {
    let visible = name.chars().filter(|c| !c.is_control());
    visible.take(limits::DISPLAY_NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_at_the_limit_and_cleaned() {
        let long = "é".repeat(limits::DISPLAY_NAME_CHARS_MAX);
        assert_eq!(bounded_name(&long), long);
        assert_eq!(bounded_name(&format!("{long}x")), long);
        assert_eq!(bounded_name(" A\u{7}nna\n"), "Anna");
    }
}
