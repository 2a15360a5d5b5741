//! Which Matrix ids are ours, and whom they name.

use ruma::{OwnedRoomAliasId, OwnedServerName, OwnedUserId, UserId};

use crate::domain::{bridged::ActAs, ids::GhostKey};

/// The id of the one device that each of our users has.
pub const DEVICE_ID: &str = "CAUSEWAY";

/// The user and alias names of our namespace.
#[derive(Clone, Debug)]
pub struct Names {
    server_name: OwnedServerName,
    bot_localpart: String,
    ghost_prefix: String,
}

impl Names {
    /// `ghost_prefix` starts every ghost's and alias's localpart; the bot's does not start with it.
    pub fn new(server_name: OwnedServerName, bot_localpart: String, ghost_prefix: String) -> Self {
        Self { server_name, bot_localpart, ghost_prefix }
    }

    pub fn localpart(&self, who: &ActAs) -> String {
        match who {
            ActAs::Bot => self.bot_localpart.clone(),
            ActAs::Ghost(key) => format!("{}{}", self.ghost_prefix, key.0),
        }
    }

    pub fn user_id(&self, who: &ActAs) -> OwnedUserId {
        OwnedUserId::try_from(format!("@{}:{}", self.localpart(who), self.server_name))
            .expect("a ghost key and a checked configuration make a user id")
    }

    pub fn our_user(&self, user: &UserId) -> Option<ActAs> {
        if user.server_name() != self.server_name {
            return None;
        }
        if user.localpart() == self.bot_localpart {
            return Some(ActAs::Bot);
        }
        match user.localpart().strip_prefix(&self.ghost_prefix) {
            Some(key) if !key.is_empty() => Some(ActAs::Ghost(GhostKey(key.to_owned()))),
            _ => None,
        }
    }

    /// The whole localpart of an alias of ours: the prefix keeps it in our namespace.
    pub fn alias_localpart(&self, name: &str) -> String {
        let bare = name.strip_prefix(&self.ghost_prefix).unwrap_or(name);
        format!("{}{bare}", self.ghost_prefix)
    }

    pub fn alias(&self, name: &str) -> OwnedRoomAliasId {
        let localpart = self.alias_localpart(name);
        OwnedRoomAliasId::try_from(format!("#{localpart}:{}", self.server_name))
            .expect("a hash and a checked configuration make an alias")
    }
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::*;

    fn names() -> Names {
        let server_name = server_name!("example.org").to_owned();
        Names::new(server_name, "whatsappbot".to_owned(), "whatsapp_".to_owned())
    }

    #[test]
    fn our_users_are_named_and_recognized() {
        let ghost = ActAs::Ghost(GhostKey("abc".to_owned()));
        assert_eq!(names().user_id(&ghost), "@whatsapp_abc:example.org");
        assert_eq!(names().user_id(&ActAs::Bot), "@whatsappbot:example.org");
        for who in [ghost, ActAs::Bot] {
            assert_eq!(names().our_user(&names().user_id(&who)), Some(who));
        }
    }

    #[test]
    fn nobody_else_is_ours() {
        for user in [
            user_id!("@whatsapp_:example.org"),
            user_id!("@whatsapp_abc:elsewhere.org"),
            user_id!("@whatsappbot:elsewhere.org"),
            user_id!("@whatsappbot2:example.org"),
            user_id!("@person:example.org"),
        ] {
            assert_eq!(names().our_user(user), None, "{user}");
        }
    }

    #[test]
    fn an_alias_is_in_the_namespace_once() {
        assert_eq!(names().alias("xyz"), "#whatsapp_xyz:example.org");
        assert_eq!(names().alias("whatsapp_xyz"), "#whatsapp_xyz:example.org");
    }
}
