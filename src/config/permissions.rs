//! `[permissions]`: a section whose keys the operator chooses.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};

use super::{
    reader::Reader,
    section::{Description, Section, choice},
    setting::Setting,
};

choice! {
    /// What somebody may do.
    Level {
        /// Nothing: the bot does not answer.
        None = "none",
        /// Log in and chat.
        User = "user",
        /// What a user may, and see and end other people's logins.
        Admin = "admin",
    }
}

/// Who may use the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    users: BTreeMap<OwnedUserId, Level>,
    servers: BTreeMap<OwnedServerName, Level>,
    everyone: Option<Level>,
}

impl Permissions {
    /// What a person may do: the entry for them, else for their server, else for everybody.
    pub fn level(&self, user: &UserId) -> Level {
        let of_user = self.users.get(user);
        let of_server = || self.servers.get(user.server_name());
        of_user.or_else(of_server).copied().or(self.everyone).unwrap_or(Level::None)
    }

    /// Without any entry, the users of the own homeserver are users.
    pub(super) fn or_local(mut self, server: &ServerName) -> Self {
        if self.users.is_empty() && self.servers.is_empty() && self.everyone.is_none() {
            self.servers.insert(server.to_owned(), Level::User);
        }
        self
    }
}

impl Section for Permissions {
    const DESCRIPTION: Description = Description {
        path: "permissions",
        about: &[
            " Who may use the bridge: a Matrix id, a server name or \"*\" for everybody, and \"user\", \"admin\" or",
            " \"none\". The most exact entry counts. Without any entry the users of the own homeserver are users.",
        ],
        fields: &[],
        free: Some(&[
            r#""example.org" = "user""#,
            r#""@admin:example.org" = "admin""#,
            r#""*" = "none""#,
        ]),
    };

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut permissions =
            Self { users: BTreeMap::new(), servers: BTreeMap::new(), everyone: None };
        for (key, value) in reader.entries() {
            let level = match Level::parse(&value) {
                Ok(level) => level,
                Err(sentence) => {
                    reader.mistake(&quoted(&key), sentence);
                    continue;
                }
            };
            if key == "*" {
                permissions.everyone = Some(level);
            } else if let Ok(user) = OwnedUserId::try_from(key.as_str()) {
                permissions.users.insert(user, level);
            } else if let Ok(server) = OwnedServerName::try_from(key.as_str()) {
                permissions.servers.insert(server, level);
            } else {
                reader.mistake(
                    &quoted(&key),
                    "must be a Matrix id like \"@alice:example.org\", a server name, or \"*\"",
                );
            }
        }
        Some(permissions)
    }
}

fn quoted(key: &str) -> String {
    format!("\"{key}\"")
}
