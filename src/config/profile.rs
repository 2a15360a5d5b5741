//! `[network.profile]`: what the network's public documents leave open (network facts 6).

use std::time::Duration;

use toml::Value;

use super::{
    section::{choice, section},
    setting::{Setting, text},
};

section! {
    /// What Meta's public documents do not say. Each default is what is documented or likeliest;
    /// what the partner documentation says otherwise is set here.
    Profile at "network.profile" {
        /// How ids of interop users are written on the wire: "pair" (as text), "interop" (with the
        /// partner's number apart, as the servers send them) or "interop_bare" (the same without
        /// the server's name). Every form is understood. Which one the network wants from partners
        /// is not public.
        jid_form: JidForm = Default(r#""interop""#),

        /// Which devices of a person a message is encrypted for: "one" (the phone, as the public
        /// framework says) or "all" that the network lists, as its own apps do.
        fan_out: FanOut = Default(r#""one""#),

        /// How a phone number is looked up: "usync" (as ordinary apps do) or "interop" (as ordinary
        /// apps look up users of partners). The lookup for partners is not public.
        lookup: Lookup = Default(r#""usync""#),

        /// What precedes the first frame and opens the handshake, in hexadecimal. That partners use
        /// the same as the network's own apps is likely, not published.
        header: [u8; 4] = Default(r#""57410603""#),

        /// The interop protocol version that the bridge names. The default is the newest public
        /// version of the framework's document; the numbers on the wire are not public.
        protocol_version: ProtocolVersion = Default(r#""1.0.3""#),

        /// The issuer (`iss`) in identity tokens; without it, `network.public_url`. The claims that
        /// the network wants are not public.
        token_issuer: Option<String> = Optional(r#""https://whatsapp.example.org""#),

        /// The audience (`aud`) in identity tokens. Not public.
        token_audience: String = Default(r#""https://whatsapp.com""#),

        /// Seconds for which an identity token is valid. Not public; the network's own live for an
        /// hour.
        token_lifetime_s: Duration = Default("3600"),

        /// The issuer that the network's push tokens name.
        push_issuer: String = Default(r#""WHATSAPP""#),

        /// Whether the network may show that messages were read. What it does with it is not
        /// public.
        read_receipts: bool = Default("true"),

        /// Where lists of blocked people are kept: "ordinary" (the namespace `blocklist` of ordinary
        /// apps) or "interop" (`w:interop`, where the other side's apps block users of partners).
        /// Which one partners use is not public.
        blocklist: BlocklistForm = Default(r#""ordinary""#),

        /// The namespace of the request that reports a person. The one for partners is not public.
        report_xmlns: String = Default(r#""spam""#),

        /// From where in an app a report says that it comes. Not public for partners.
        report_flow: String = Default(r#""account_info_block""#),

        /// Whether texts can be changed after they were sent, within the quarter of an hour in which
        /// the network's apps take it. The framework's document names no such message; its apps
        /// have one. Without it, a correction is sent as a new message.
        edits: bool = Default("false"),

        /// Whether messages can be taken back, within the two days and a half in which the network's
        /// apps take it. As uncertain as `edits`; without it, the contact keeps a copy and the
        /// person is told.
        deletes: bool = Default("false"),

        /// The namespace of the request that ends an enlistment. Not public.
        unenlist_xmlns: String = Default(r#""w:interop""#),

        /// The element in the request that ends an enlistment. Not public.
        unenlist_element: String = Default(r#""remove""#),
    }
}

choice! {
    /// How ids of interop users are written on the wire (network facts 2.2).
    JidForm {
        /// Tag 250: text and server.
        Pair = "pair",
        /// Tag 245: account, device, partner, server.
        Interop = "interop",
        /// Tag 245 without the server.
        InteropBare = "interop_bare",
    }
}

choice! {
    /// Which devices of a person a message is encrypted for.
    FanOut {
        /// The primary one.
        One = "one",
        /// Every one that the network lists.
        All = "all",
    }
}

choice! {
    /// How a phone number is looked up.
    Lookup {
        /// The contact query of ordinary clients (network facts 3.9).
        Usync = "usync",
        /// The mirror image of the other side's lookup of partners (network facts 2.3).
        Interop = "interop",
    }
}

choice! {
    /// Where lists of blocked people are kept (network facts 2.3).
    BlocklistForm {
        /// The namespace of ordinary apps.
        Ordinary = "ordinary",
        /// The namespace of interoperability.
        Interop = "interop",
    }
}

/// A protocol version, `1.0.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolVersion(pub [u32; 3]);

impl Setting for ProtocolVersion {
    fn parse(value: &Value) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> =
            text(value)?.split('.').map(|number| number.parse().ok()).collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .map(Self)
            .ok_or_else(|| "must be three numbers like \"1.0.3\"".to_owned())
    }
}
