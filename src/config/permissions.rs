//! `[permissions]`: a section whose keys the operator chooses.

use ruma::{OwnedServerName, OwnedUserId};

use super::{
    reader::Reader,
    section::{Description, Section, choice},
    setting::Setting,
};
use crate::domain::permission::{Permission, Permissions};

choice! {
    /// A permission as it is written.
    Level {
        /// May do nothing.
        None = "none",
        /// May use the bridge.
        User = "user",
        /// May also see and change what belongs to others.
        Admin = "admin",
    }
}

impl From<Level> for Permission {
    fn from(level: Level) -> Self {
        match level {
            Level::None => Self::None,
            Level::User => Self::User,
            Level::Admin => Self::Admin,
        }
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
        let mut permissions = Self::default();
        for (key, value) in reader.entries() {
            let level = match Level::parse(&value) {
                Ok(level) => Permission::from(level),
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
