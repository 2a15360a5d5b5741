//! What is not public about the network, each as one field with the documented or likeliest value
//! (network facts 6). Nothing outside this adapter branches on any of it, and what no field can
//! express is not claimed.

use std::time::Duration;

use causeway_wire::{frame::HEADER, noise::certificate::META_ROOT, stanza::interop::SPAM_XMLNS};
pub use causeway_wire::{jid::JidForm, payload::Version, stanza::interop::BlocklistForm};
use url::Url;

/// How one network speaks. The composition root starts from [`NetworkProfile::documented`] and sets
/// what the configuration says otherwise.
#[derive(Clone, Debug)]
pub struct NetworkProfile {
    /// Where people are enlisted (network facts 1.4).
    pub enlist_url: Url,
    /// The server of the files that people send (network facts 1.7). Nothing is fetched from elsewhere.
    pub media_url: Url,
    /// Our number among the network's partners, which the paths of files that we host name.
    pub integrator_id: u16,
    /// The chat channel: `wss`, `ws` or, for frames on the bare stream, `tcp` (network facts 3.1).
    pub chat_url: Url,
    /// The `Origin` of a WebSocket; a bare stream has none.
    pub origin: Option<String>,
    /// What precedes the first frame, and the prologue of the handshake.
    pub header: [u8; 4],
    /// The key at the root of the server's certificate chain (network facts 3.3).
    pub certificate_root: [u8; 32],
    /// The form in which JIDs of interop identities are written.
    pub jid_form: JidForm,
    /// Which devices of a person an envelope covers.
    pub fan_out: FanOut,
    /// The interop protocol version that the client names when it connects.
    pub protocol_version: Version,
    /// What our identity tokens claim.
    pub token: TokenClaims,
    /// Whether the network may show people that their message was read.
    pub read_receipts: bool,
    /// Whether the network passes on changes of texts.
    pub edits: bool,
    /// Whether the network passes on deletions.
    pub deletes: bool,
    /// How a phone number is looked up.
    pub lookup: Lookup,
    /// In which namespace block lists are asked for and changed.
    pub blocklist: BlocklistForm,
    /// How a person is reported.
    pub report: ReportForm,
    /// How an enlistment is ended.
    pub unenlist: Unenlist,
    /// How pushes prove where they come from.
    pub push: PushProof,
    /// When to give up waiting.
    pub patience: Patience,
}

/// Which devices of a person an envelope covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanOut {
    /// The primary one alone, in a plain `<enc>`: what the framework says (network facts 1.4, 2.4).
    #[default]
    One,
    /// Every one that the network lists, in `<participants>`, as ordinary clients do.
    All,
}

/// How a phone number is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookup {
    /// The contact query of ordinary clients (network facts 3.9).
    #[default]
    UsyncContact,
    /// The mirror image of what the other side's clients ask about partners (network facts 2.3).
    InteropUsers,
}

/// The request that reports a person: `<spam_list>` in an `iq` of type `set` (network facts 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportForm {
    pub xmlns: String,
    /// `spam_flow`: from where in an app the report was made.
    pub flow: String,
}

/// The request that ends an enlistment: an empty element in an `iq` of type `set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unenlist {
    pub xmlns: String,
    pub element: String,
}

/// What our identity tokens claim besides the person (network facts 1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// `iss`: our public address.
    pub issuer: String,
    /// `aud`: the network, by the name that its own tokens give it.
    pub audience: String,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
}

/// How pushes prove where they come from (network facts 1.6).
#[derive(Clone, Debug)]
pub struct PushProof {
    /// The network's key set.
    pub keys_url: Url,
    /// `iss` of every push token.
    pub issuer: String,
    /// `aud` of every push token: our public address.
    pub audience: String,
}

/// When to give up waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From dialing to a finished login.
    pub connect: Duration,
    /// For the answer to one request, and for one HTTP exchange.
    pub request: Duration,
    /// Between two pings (network facts 3.5).
    pub keepalive: Duration,
    /// For the answer to a ping; then the connection is given up.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            request: Duration::from_secs(20),
            keepalive: Duration::from_secs(25),
            silence: Duration::from_secs(10),
        }
    }
}

impl NetworkProfile {
    /// The documented or likeliest value of every field. `public_url` is the bridge's own address, as
    /// the network knows it, without a slash at the end; `integrator_id` is what the contract says.
    pub fn documented(public_url: &str, integrator_id: u16) -> Self {
        let address = |text| Url::parse(text).expect("a literal address is well-formed");
        Self {
            enlist_url: address("https://v.whatsapp.net/3p/interop_reg"),
            media_url: address("https://mmg.whatsapp.net"),
            integrator_id,
            chat_url: address("wss://web.whatsapp.com/ws/chat"),
            origin: Some("https://web.whatsapp.com".to_owned()),
            header: HEADER,
            certificate_root: META_ROOT,
            jid_form: JidForm::default(),
            fan_out: FanOut::default(),
            protocol_version: Version { primary: 1, secondary: 0, tertiary: 3 },
            token: TokenClaims {
                issuer: public_url.to_owned(),
                audience: "WHATSAPP".to_owned(),
                lifetime: Duration::from_hours(1),
            },
            read_receipts: true,
            edits: false,
            deletes: false,
            lookup: Lookup::default(),
            blocklist: BlocklistForm::default(),
            report: ReportForm {
                xmlns: SPAM_XMLNS.to_owned(),
                flow: "account_info_block".to_owned(),
            },
            unenlist: Unenlist { xmlns: "w:interop".to_owned(), element: "remove".to_owned() },
            push: PushProof {
                keys_url: address("https://whatsapp.com/.well-known/jwks"),
                issuer: "WHATSAPP".to_owned(),
                audience: public_url.to_owned(),
            },
            patience: Patience::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_profile_is_the_published_one() {
        let profile = NetworkProfile::documented("https://bridge.example", 12);
        assert_eq!(profile.enlist_url.as_str(), "https://v.whatsapp.net/3p/interop_reg");
        assert_eq!(profile.media_url.as_str(), "https://mmg.whatsapp.net/");
        assert_eq!(profile.push.keys_url.as_str(), "https://whatsapp.com/.well-known/jwks");
        assert_eq!(profile.push.audience, "https://bridge.example");
        assert_eq!(profile.header, *b"WA\x06\x03");
        assert_eq!(profile.fan_out, FanOut::One);
    }
}
