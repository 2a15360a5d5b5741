//! `[network]`: the interop network, as far as the contract with it says.

use std::{net::SocketAddr, time::Duration};

use toml::Value;
use url::Url;

use super::{
    media::Days,
    section::section,
    setting::{HttpUrl, Setting, text},
};
use crate::domain::phone::Region;

section! {
    /// The interop network: where it is, and where it finds the bridge.
    Network at "network" {
        /// Where the network reaches the bridge, for its key set, pushes and media. Also the issuer
        /// of the identity tokens and the audience of the network's pushes. The network wants TLS:
        /// put a reverse proxy in front of `listen`.
        public_url: HttpUrl = Required(r#""https://whatsapp.example.org""#),

        /// Where the bridge listens for the network (behind the reverse proxy).
        listen: SocketAddr = Default(r#""127.0.0.1:29331""#),

        /// Your number among the network's partners, from 1 to 999. The contract says it.
        integrator_id: IntegratorId = Required("12"),

        /// The country in which phone numbers without a country code are dialed, in the two letters
        /// of ISO 3166. Without it people give numbers with their country code.
        phone_region: Option<Region> = Optional(r#""FR""#),

        /// The chat channel: `wss://` or `ws://` for WebSocket, `tcp://host:port` for a bare
        /// stream. The one for partners is not public; this default is the one of the network's own
        /// web client.
        chat_url: ChatUrl = Default(r#""wss://web.whatsapp.com/ws/chat""#),

        /// The `Origin` header of a WebSocket.
        chat_origin: String = Default(r#""https://web.whatsapp.com""#),

        /// Where people are enlisted.
        enlist_url: HttpUrl = Default(r#""https://v.whatsapp.net/3p/interop_reg""#),

        /// The server of the files that people send. Files are fetched from there and from nowhere
        /// else, whatever a message says.
        media_url: HttpUrl = Default(r#""https://mmg.whatsapp.net""#),

        /// The network's key set, which proves that a push is its own.
        push_keys_url: HttpUrl = Default(r#""https://whatsapp.com/.well-known/jwks""#),

        /// The key at the root of the certificates of the network's chat servers, in hexadecimal.
        /// The default is the root of the network's own apps; that partners get the same is likely,
        /// not published.
        root_key: [u8; 32] = Default(r#""142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b""#),

        /// Seconds from dialing to a finished login before a connection is given up.
        connect_timeout_s: Duration = Default("20"),

        /// Seconds to wait for the answer to one request.
        request_timeout_s: Duration = Default("20"),

        /// Seconds between two pings on a quiet connection.
        keepalive_s: Duration = Default("25"),

        /// Seconds to wait for the answer to a ping before a connection is given up.
        keepalive_timeout_s: Duration = Default("10"),

        /// Days after which the key that signs identity tokens is replaced. The bridge makes and keeps
        /// these keys itself. A new one is published two days before it signs, and the old one for
        /// two days after it stopped, so that the network always knows the key of a token.
        /// `causeway rotate-token-key` makes a new one before it is due.
        token_key_days: Days = Default("90"),

        /// Seconds before the first attempt to reconnect. Each further pause is longer.
        reconnect_min_s: Duration = Default("1"),

        /// The longest pause between attempts to reconnect, in seconds.
        reconnect_max_s: Duration = Default("300"),
    }
}

impl Setting for Region {
    fn parse(value: &Value) -> Result<Self, String> {
        Self::parse(text(value)?)
            .ok_or_else(|| "must be the two capital letters of a country, like \"FR\"".to_owned())
    }
}

/// The number of an interop partner: 1 to 999 (network facts 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegratorId(u16);

impl IntegratorId {
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Setting for IntegratorId {
    fn parse(value: &Value) -> Result<Self, String> {
        let id = value.as_integer().and_then(|it| u16::try_from(it).ok());
        id.filter(|id| (1..=999).contains(id))
            .map(Self)
            .ok_or_else(|| "must be a whole number from 1 to 999".to_owned())
    }
}

/// The address of the chat channel; its scheme says which transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatUrl(Url);

impl ChatUrl {
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl Setting for ChatUrl {
    fn parse(value: &Value) -> Result<Self, String> {
        let url = Url::parse(text(value)?).ok().filter(|url| {
            let is_complete = match url.scheme() {
                "wss" | "ws" => true,
                "tcp" => url.port().is_some(),
                _ => false,
            };
            is_complete && url.has_host() && url.password().is_none()
        });
        url.map(Self).ok_or_else(|| {
            "must be an address like \"wss://host/path\" or \"tcp://host:port\"".to_owned()
        })
    }
}
