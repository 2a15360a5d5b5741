//! The configuration: one TOML file, *parsed* (what was typed) and then *resolved* (what it means).
//!
//! Each section is one file below, and each field stands in one place, with its documentation, its
//! type and its default: the macro `section!` makes the struct, the reader and the example from it.
//! Every mistake is found at once, each with its path in the file. This is the only module that
//! reads the environment; nothing here opens a socket or a database.

mod appservice;
mod database;
mod encryption;
mod environment;
mod example;
mod homeserver;
mod keys;
mod log;
mod media;
mod mistake;
mod network;
mod permissions;
mod profile;
mod provisioning;
mod reader;
mod registration;
mod section;
mod setting;
#[cfg(test)]
mod tests;

use std::path::Path;

use ruma::OwnedRoomOrAliasId;

pub use self::{
    appservice::{Appservice, Localpart},
    database::{Database, DatabaseUrl},
    encryption::{Encryption, Outbound},
    environment::{Environment, ProcessEnvironment},
    homeserver::Homeserver,
    keys::{Keys, MasterKey},
    log::{Log, LogFilter, LogFormat},
    media::{AccessKey, Days, Media, MediaPlace, MediaS3},
    mistake::{Mistake, Mistakes},
    network::{ChatUrl, IntegratorId, Network},
    permissions::{Entries, Limits},
    profile::{BlocklistForm, FanOut, JidForm, Lookup, Profile, ProtocolVersion},
    provisioning::{Provisioning, ProvisioningServers},
    registration::{SENDER_LOCALPART, registration},
    setting::{HttpUrl, Secret},
};
use crate::domain::{limits, permission::Permissions};

use self::{
    reader::Source,
    section::{Description, Section},
};

/// Everything that the operator decides, resolved.
#[derive(Debug, Clone)]
pub struct Config {
    pub keys: Keys,
    pub homeserver: Homeserver,
    pub appservice: Appservice,
    pub network: Network,
    pub profile: Profile,
    pub media: Media,
    pub media_s3: MediaS3,
    pub database: Database,
    pub permissions: Permissions,
    /// The rooms whose policies are followed.
    pub policy_rooms: Vec<OwnedRoomOrAliasId>,
    pub provisioning: Provisioning,
    pub provisioning_servers: ProvisioningServers,
    pub encryption: Encryption,
    pub log: Log,
}

/// The sections in the order of the example file. Top-level keys come first, as TOML wants it.
const SECTIONS: [Description; 14] = [
    Keys::DESCRIPTION,
    Homeserver::DESCRIPTION,
    Appservice::DESCRIPTION,
    Network::DESCRIPTION,
    Profile::DESCRIPTION,
    Media::DESCRIPTION,
    MediaS3::DESCRIPTION,
    Database::DESCRIPTION,
    Entries::DESCRIPTION,
    Limits::DESCRIPTION,
    Provisioning::DESCRIPTION,
    ProvisioningServers::DESCRIPTION,
    Encryption::DESCRIPTION,
    Log::DESCRIPTION,
];

impl Config {
    /// Reads and resolves a file. Paths of secret files are relative to its folder.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Self, Mistakes> {
        let text = environment.file(path).map_err(|error| {
            Mistakes::one("", format!("cannot read {}: {error}", path.display()))
        })?;
        Self::resolve(&text, path.parent().unwrap_or(Path::new("")), environment)
    }

    /// Resolves the text of a file that lies in `folder`.
    pub fn resolve(
        text: &str,
        folder: &Path,
        environment: &dyn Environment,
    ) -> Result<Self, Mistakes> {
        let root = reader::parse(text)?;
        let mut source = Source::new(&root, folder, environment);
        let keys = source.section();
        let homeserver: Option<Homeserver> = source.section();
        let appservice = source.section();
        let network: Option<Network> = source.section();
        let profile = source.section();
        let media: Option<Media> = source.section();
        let media_s3: Option<MediaS3> = source.section();
        let database = source.section();
        let entries: Option<Entries> = source.section();
        let limits: Option<Limits> = source.section();
        let provisioning = source.section();
        let provisioning_servers = source.section();
        let encryption = source.section();
        let log = source.section();
        let mut mistakes = source.finish();
        if let (Some(appservice), Some(network)) = (&appservice, &network) {
            mistakes.extend(conflicts(appservice, network));
        }
        if let (Some(media), Some(media_s3)) = (&media, &media_s3) {
            mistakes.extend(media::conflicts(media, media_s3));
        }
        let config = (|| {
            let homeserver = homeserver?;
            let entries = entries?;
            let policy_rooms = entries.policy_rooms.clone();
            let permissions = entries.permissions(&limits?);
            Some(Self {
                keys: keys?,
                permissions: permissions.or_local(&homeserver.server_name),
                policy_rooms,
                homeserver,
                appservice: appservice?,
                network: network?,
                profile: profile?,
                media: media?,
                media_s3: media_s3?,
                database: database?,
                provisioning: provisioning?,
                provisioning_servers: provisioning_servers?,
                encryption: encryption?,
                log: log?,
            })
        })();
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes::of(mistakes)),
        }
    }

    /// The example file with fresh secrets in it. `fill` fills a slice with random bytes.
    pub fn example(fill: &mut dyn FnMut(&mut [u8])) -> String {
        example::fresh(&SECTIONS, fill)
    }

    /// The issuer of identity tokens: as configured, or our public address.
    pub fn token_issuer(&self) -> &str {
        self.profile.token_issuer.as_deref().unwrap_or_else(|| self.network.public_url.as_str())
    }
}

/// What no section can know alone.
fn conflicts(appservice: &Appservice, network: &Network) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut add = |path: &str, sentence: &str| mistakes.push(Mistake::new(path, sentence));
    if appservice.as_token == appservice.hs_token {
        add("appservice.hs_token", "must differ from `as_token`: they prove opposite sides");
    }
    if appservice.listen == network.listen && network.listen.port() != 0 {
        add(
            "network.listen",
            "must differ from `appservice.listen`: the network must not reach the homeserver's side",
        );
    }
    if network.reconnect_max_s < network.reconnect_min_s {
        add("network.reconnect_max_s", "must not be shorter than `reconnect_min_s`");
    }
    if network.reconnect_max_s > limits::RECONNECT_PAUSE_MAX {
        add(
            "network.reconnect_max_s",
            "must be at most 86400, a day: the network forgets who stays away",
        );
    }
    let prefix = appservice.ghost_prefix.as_str();
    for (path, localpart) in [
        ("appservice.bot_localpart", appservice.bot_localpart.as_str()),
        ("appservice.ghost_prefix", SENDER_LOCALPART),
    ] {
        if localpart.starts_with(prefix) {
            add(
                path,
                "a ghost's name must not be able to become the bot's or the registration's: choose another",
            );
        }
    }
    if appservice.bot_localpart.as_str() == SENDER_LOCALPART {
        add(
            "appservice.bot_localpart",
            "is the name of the registration's own user, which cannot receive keys: choose another",
        );
    }
    mistakes
}
