//! JIDs: who a stanza is from and to.
//!
//! Our own type, because an interop identity is an integrator *and* an account and no public library
//! keeps both (network facts 2.2, B1). It must not know how a JID is packed into a node.

use std::{fmt, str::FromStr};

#[cfg(test)]
mod tests;

/// The most digits of an interop account, a phone number or a LID.
pub const MAX_DIGITS: usize = 20;
/// The most characters of the part before the `@` where it is not a number.
pub const MAX_USER: usize = 128;
/// The most characters of a server name.
pub const MAX_SERVER: usize = 64;

/// Which of the binary layouts of an interop JID an emitter writes; every one is understood on
/// arrival. Which one the real network wants is not public (network facts 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JidForm {
    /// Tag 250: the text before the `@`, then the server.
    Pair250,
    /// Tag 245: account, device, integrator, then the server; what a server sends.
    #[default]
    Interop245WithServer,
    /// Tag 245 without the server; what the network's own web client sends.
    Interop245Bare,
}

/// The number of an interop partner: 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Integrator(u16);

impl Integrator {
    /// The highest number that a partner may have.
    pub const MAX: u16 = 999;

    /// `None` outside 1 to [`Integrator::MAX`].
    pub fn new(number: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Integrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part after the `@`, with what only that kind of address has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// `s.whatsapp.net`: people by phone number, and the network itself.
    Phone,
    /// `lid`: people by an opaque number.
    Lid,
    /// `interop`: people of an interop partner.
    Interop(Integrator),
    /// Any other, kept as it came: `g.us`, `broadcast`, `newsletter`, `msgr` …
    Other(String),
}

impl Server {
    /// The name as it is written after the `@`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone => PHONE,
            Self::Lid => LID,
            Self::Interop(_) => INTEROP,
            Self::Other(name) => name,
        }
    }
}

pub(crate) const PHONE: &str = "s.whatsapp.net";
pub(crate) const LID: &str = "lid";
pub(crate) const INTEROP: &str = "interop";
const GROUP: &str = "g.us";

/// An address on the network. `Display` and `FromStr` are its text form; `Debug` hides who it is,
/// since the user part may be a phone number.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {
    user: String,
    server: Server,
    device: u16,
}

/// Why a text or its parts are no JID. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// There is no `@`, and it is not the bare name of a server that can be addressed.
    #[error("a JID needs a user and a server")]
    NoServer,
    /// The server name is empty, too long or has characters that no server name has.
    #[error("not the name of a server")]
    Server,
    /// The user part is empty, too long, or not of the form that its server demands.
    #[error("not a user of this server")]
    User,
    /// The integrator is missing or outside 1 to [`Integrator::MAX`].
    #[error("an interop JID needs an integrator from 1 to {}", Integrator::MAX)]
    Integrator,
    /// The device is no number, or not one that this server has.
    #[error("not a device of this server")]
    Device,
}

impl Jid {
    /// The network itself, `s.whatsapp.net` without a user: the addressee of most queries.
    pub fn network() -> Self {
        Self { user: String::new(), server: Server::Phone, device: 0 }
    }

    /// A person by phone number: digits with country code, no `+`.
    pub fn phone(number: &str) -> Result<Self, JidError> {
        Self::new(number, Server::Phone, 0)
    }

    /// A person by LID.
    pub fn lid(number: &str) -> Result<Self, JidError> {
        Self::new(number, Server::Lid, 0)
    }

    /// A person of an interop partner.
    pub fn interop(integrator: Integrator, account: u64) -> Result<Self, JidError> {
        Self::new(&account.to_string(), Server::Interop(integrator), 0)
    }

    /// Puts the parts together; for an interop JID `user` is the account alone.
    pub fn new(user: &str, server: Server, device: u16) -> Result<Self, JidError> {
        let well_formed = match &server {
            Server::Interop(_) if device != 0 => return Err(JidError::Device),
            Server::Interop(_) => is_number(user) && !user.starts_with('0'),
            Server::Phone | Server::Lid => is_number(user),
            Server::Other(name) if !is_server_name(name) => return Err(JidError::Server),
            Server::Other(_) => is_name(user, MAX_USER),
        };
        if !well_formed {
            return Err(JidError::User);
        }
        Ok(Self { user: user.to_owned(), server, device })
    }

    /// The user alone: a phone number, a LID, the account of an interop identity; empty when the JID
    /// addresses a server.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The device, 0 for a person's primary one and for everyone of an interop partner.
    pub fn device(&self) -> u16 {
        self.device
    }

    /// The partner of an interop identity.
    pub fn integrator(&self) -> Option<Integrator> {
        match self.server {
            Server::Interop(integrator) => Some(integrator),
            Server::Phone | Server::Lid | Server::Other(_) => None,
        }
    }

    /// The text before the `@` without the device: the name of this party in Signal addresses
    /// (network facts 2.4).
    pub fn local_part(&self) -> String {
        match self.server {
            Server::Interop(integrator) => format!("{integrator}-{}", self.user),
            Server::Phone | Server::Lid | Server::Other(_) => self.user.clone(),
        }
    }

    /// The same party's device `device`.
    pub fn with_device(&self, device: u16) -> Result<Self, JidError> {
        Self::new(&self.user, self.server.clone(), device)
    }

    /// The person or group, whatever the device.
    #[must_use]
    pub fn without_device(&self) -> Self {
        Self { device: 0, ..self.clone() }
    }

    /// Whether this addresses a server and nobody on it.
    pub fn is_server(&self) -> bool {
        self.user.is_empty()
    }

    /// What a name before and after the `@` mean together, as nodes and texts both spell them.
    pub(crate) fn from_names(local: &str, server: &str) -> Result<Self, JidError> {
        let (local, device) = match local.split_once(':') {
            Some((local, device)) => (local, number(device).ok_or(JidError::Device)?),
            None => (local, 0),
        };
        match server {
            PHONE => Self::new(local, Server::Phone, device),
            LID => Self::new(local, Server::Lid, device),
            INTEROP => {
                let (integrator, account) = local.split_once('-').ok_or(JidError::Integrator)?;
                let integrator =
                    number(integrator).and_then(Integrator::new).ok_or(JidError::Integrator)?;
                Self::new(account, Server::Interop(integrator), device)
            }
            other => Self::new(local, Server::Other(other.to_owned()), device),
        }
    }

    /// A server that stanzas may address without a user.
    pub(crate) fn from_server_name(server: &str) -> Result<Self, JidError> {
        match server {
            PHONE => Ok(Self::network()),
            GROUP => {
                let server = Server::Other(GROUP.to_owned());
                Ok(Self { user: String::new(), server, device: 0 })
            }
            _ => Err(JidError::NoServer),
        }
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        match text.split_once('@') {
            Some((local, server)) => Self::from_names(local, server),
            None => Self::from_server_name(text),
        }
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_server() {
            return f.write_str(self.server.as_str());
        }
        if let Server::Interop(integrator) = self.server {
            write!(f, "{integrator}-")?;
        }
        f.write_str(&self.user)?;
        if self.device != 0 {
            write!(f, ":{}", self.device)?;
        }
        write!(f, "@{}", self.server.as_str())
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user: _, server, device } = self;
        match (server, self.is_server()) {
            (Server::Interop(integrator), _) => write!(f, "Jid({integrator}-…@{INTEROP})"),
            (server, true) => write!(f, "Jid({})", server.as_str()),
            (server, false) => write!(f, "Jid(…:{device}@{})", server.as_str()),
        }
    }
}

/// A number without sign and leading zeros, as the network writes it.
fn number(text: &str) -> Option<u16> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    canonical.then(|| text.parse().ok()).flatten()
}

fn is_number(user: &str) -> bool {
    (1..=MAX_DIGITS).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte))
}

/// A name that is not one of the three with a meaning of their own, so that no JID has two spellings.
fn is_server_name(name: &str) -> bool {
    is_name(name, MAX_SERVER) && ![PHONE, LID, INTEROP].contains(&name)
}
