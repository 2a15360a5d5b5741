//! `[appservice]`.

use std::net::SocketAddr;

use toml::Value;

use super::{
    section::section,
    setting::{HttpUrl, Secret, Setting, text},
};

section! {
    /// The bridge as the homeserver sees it. After a change here write the registration anew
    /// (`causeway registration`) and restart the homeserver.
    Appservice at "appservice" {
        /// Where the homeserver reaches the bridge.
        url: HttpUrl = Required(r#""http://127.0.0.1:29330""#),

        /// Where the bridge listens for the homeserver. Nobody else needs to reach it.
        listen: SocketAddr = Default(r#""127.0.0.1:29330""#),

        /// The bridge's name among the application services of the homeserver.
        id: String = Default(r#""whatsapp-interop""#),

        /// Secret. Proves the bridge to the homeserver.
        as_token: Secret = Secret,

        /// Secret. Proves the homeserver to the bridge.
        hs_token: Secret = Secret,

        /// The name of the bot, without `@` and server. People write to it to log in.
        bot_localpart: Localpart = Default(r#""whatsappbot""#),

        /// What the names of ghosts and the aliases of rooms begin with.
        ghost_prefix: Localpart = Default(r#""whatsapp_""#),

        /// Whether clients that know `com.beeper.message_send_status` are told of each message that
        /// it was sent, that it arrived, or why not. It is one more event or two for each message,
        /// without any of its content. Everybody else has notices and read receipts.
        message_status: bool = Default("true"),
    }
}

/// The part of a Matrix user id before the colon (or the beginning of one), in the grammar of new
/// ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localpart(String);

impl Localpart {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Localpart {
    fn parse(value: &Value) -> Result<Self, String> {
        let is_allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte)
        };
        Some(text(value)?)
            .filter(|it| {
                !it.is_empty() && it.len() <= LOCALPART_BYTES_MAX && it.bytes().all(is_allowed)
            })
            .map(|it| Self(it.to_owned()))
            .ok_or_else(|| {
                format!("must be 1 to {LOCALPART_BYTES_MAX} of the characters a-z, 0-9 and ._=-/+")
            })
    }
}

/// Leaves room in the 255 bytes of a user id for a ghost's own part and the server's name.
const LOCALPART_BYTES_MAX: usize = 64;
