//! `[permissions]`, a section whose keys the operator chooses, and `[limits]`.

use std::collections::BTreeMap;

use ruma::{OwnedRoomOrAliasId, OwnedServerName, OwnedUserId};
use toml::{Table, Value};

use super::{
    reader::Reader,
    section::{Description, Section, choice, section},
    setting::Setting,
};
use crate::domain::{
    allowance,
    permission::{Permission, Permissions, Rule, Scope},
};

/// The one key of the section that names nobody. No server can have such a name.
const POLICY_ROOMS: &str = "policy_rooms";

choice! {
    /// A permission as it is written.
    Level {
        /// May do nothing.
        Block = "block",
        /// May use the bridge.
        User = "user",
        /// May also see and change what belongs to others.
        Admin = "admin",
    }
}

section! {
    /// How much people may do. An entry of `[permissions]` can say something else for those whom it
    /// names.
    Limits at "limits" {
        /// People who may be logged in at the same time.
        logins: u64 = Default("10_000"),

        /// Chats with new contacts that one person may start in a day (of UTC). Contacts who write
        /// first do not count.
        contacts_a_day: u64 = Default("100"),

        /// Messages of one person to WhatsApp in any minute. More wait; none is lost.
        messages_a_minute: u64 = Default("120"),

        /// Bytes of files that one person may send in a day (of UTC).
        media_bytes_a_day: u64 = Default("10_737_418_240"),
    }
}

/// What `[permissions]` says.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    pub rules: BTreeMap<Scope, Rule>,
    /// The rooms whose policies are followed.
    pub policy_rooms: Vec<OwnedRoomOrAliasId>,
}

impl Entries {
    /// Together with what holds where they say nothing.
    pub(super) fn permissions(self, limits: &Limits) -> Permissions {
        let Limits { logins, contacts_a_day, messages_a_minute, media_bytes_a_day } = *limits;
        Permissions {
            rules: self.rules,
            logins,
            limits: allowance::Limits { contacts_a_day, messages_a_minute, media_bytes_a_day },
        }
    }
}

impl From<Level> for Permission {
    fn from(level: Level) -> Self {
        match level {
            Level::Block => Self::Block,
            Level::User => Self::User,
            Level::Admin => Self::Admin,
        }
    }
}

impl Section for Entries {
    const DESCRIPTION: Description = Description {
        path: "permissions",
        about: &[
            " Who may use the bridge: a Matrix id, a server name (also of another homeserver), \"*.\" and a",
            " domain for all servers below it, or \"*\" for everybody; and \"user\", \"admin\" or \"block\", or",
            " that as `level` with limits of their own. The most exact entry counts. Without any entry the",
            " users of the own homeserver are users.",
            "",
            " `policy_rooms` are rooms with deny lists, as moderation bots keep them. The bridge's bot joins",
            " them, and whom they ban may not use the bridge, unless an entry makes them an admin.",
        ],
        fields: &[],
        free: Some(&[
            r#""example.org" = "user""#,
            r#""@admin:example.org" = "admin""#,
            r#""*.example.org" = { level = "user", logins = 50, contacts_a_day = 10, messages_a_minute = 30, media_bytes_a_day = 100_000_000 }"#,
            r#""*" = "block""#,
            r##""policy_rooms" = ["#deny-list:example.org"]"##,
        ]),
    };

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut entries = Self::default();
        for (key, value) in reader.entries() {
            let read = if key == POLICY_ROOMS {
                policy_rooms(&value).map(|rooms| entries.policy_rooms = rooms)
            } else {
                entry(&key, &value).map(|(scope, rule)| {
                    entries.rules.insert(scope, rule);
                })
            };
            if let Err(sentence) = read {
                let name = if key == POLICY_ROOMS { key } else { format!("\"{key}\"") };
                reader.mistake(&name, sentence);
            }
        }
        Some(entries)
    }
}

fn entry(key: &str, value: &Value) -> Result<(Scope, Rule), String> {
    let rule = rule(value)?;
    let scope = scope(key).ok_or(
        "must be a Matrix id like \"@alice:example.org\", a server name, \"*.example.org\" for the \
         servers below a domain, or \"*\"",
    )?;
    Ok((scope, rule))
}

fn scope(key: &str) -> Option<Scope> {
    if key == "*" {
        return Some(Scope::Everyone);
    }
    if let Some(domain) = key.strip_prefix("*.") {
        let name = OwnedServerName::try_from(domain).ok().filter(|name| name.port().is_none())?;
        return Some(Scope::Below(name.host().to_owned()));
    }
    OwnedUserId::try_from(key)
        .map(Scope::User)
        .or_else(|_| OwnedServerName::try_from(key).map(Scope::Server))
        .ok()
}

fn rule(value: &Value) -> Result<Rule, String> {
    const MUST: &str = "must be \"user\", \"admin\" or \"block\", or `{ level = \"user\", … }` with \
        `logins`, `contacts_a_day`, `messages_a_minute` or `media_bytes_a_day`";
    let Value::Table(table) = value else {
        return Level::parse(value).map(|level| Permission::from(level).into());
    };
    let known = ["level", "logins", "contacts_a_day", "messages_a_minute", "media_bytes_a_day"];
    if table.keys().any(|key| !known.contains(&key.as_str())) {
        return Err(MUST.to_owned());
    }
    let level = table.get("level").ok_or(MUST)?;
    Ok(Rule {
        permission: Level::parse(level).map_err(|sentence| format!("`level` {sentence}"))?.into(),
        logins: number(table, "logins")?,
        contacts_a_day: number(table, "contacts_a_day")?,
        messages_a_minute: number(table, "messages_a_minute")?,
        media_bytes_a_day: number(table, "media_bytes_a_day")?,
    })
}

fn number(table: &Table, name: &str) -> Result<Option<u64>, String> {
    let parsed = table.get(name).map(u64::parse).transpose();
    parsed.map_err(|sentence| format!("`{name}` {sentence}"))
}

fn policy_rooms(value: &Value) -> Result<Vec<OwnedRoomOrAliasId>, String> {
    const MUST: &str = "must be a list of rooms like [\"#deny-list:example.org\"]";
    let rooms = value.as_array().ok_or(MUST)?;
    let room = |room: &Value| OwnedRoomOrAliasId::try_from(room.as_str()?).ok();
    rooms.iter().map(room).collect::<Option<_>>().ok_or_else(|| MUST.to_owned())
}
