//! The names of things: opaque newtypes that nobody but their owner parses.
//!
//! Ids of the other network hold phone numbers, so their `Debug` shows nothing and they have no
//! `Display`; what may stand in a Matrix id, a log line or a row's key is a [`GhostKey`].

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ruma::{EventId, OwnedRoomId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The name of the network among those that bridges lead to: in the registration, in rooms, in
/// lookups.
pub const PROTOCOL: &str = "whatsapp";

/// One person's enlisted identity on the network; random, never reused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginId(pub String);

/// A person on the other network, as the network addresses them (a JID without a device).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteUser(pub String);

/// One device of a person on the other network: the party of one Signal session.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteAddress {
    pub user: RemoteUser,
    /// 0 is the primary device.
    pub device: u16,
}

/// The id that the network gave a message: chosen by its sender, unique within a chat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteMessageId(pub String);

/// A short keyed hash of a [`RemoteUser`]: names a ghost without telling its phone number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GhostKey(pub String);

/// A direct chat: one login and one remote person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortalKey {
    pub login: LoginId,
    pub ghost: GhostKey,
}

impl PortalKey {
    fn from_text(text: &str) -> Option<Self> {
        let (login, ghost) = text.split_once('/')?;
        Some(Self { login: LoginId(login.to_owned()), ghost: GhostKey(ghost.to_owned()) })
    }
}

/// The name of a file that we host for the network: 32 random bytes, because whoever knows the name
/// may fetch the file (network facts 1.7).
///
/// Always base64url of exactly 32 bytes without padding, so it is safe as a file's name and as a
/// path's segment. The contact's app gets it inside of an encrypted message: its `Debug` shows only
/// the beginning, which is enough to find a row and not enough to fetch a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageRef(String);

impl StorageRef {
    /// Names a new file; the bytes must be random.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None` for anything but the exact form.
    pub fn parse(text: &str) -> Option<Self> {
        // The length first, so that a long stranger costs nothing. The engine refuses what is not
        // canonical, so one file has one name.
        let bytes = (text.len() == 43).then(|| URL_SAFE_NO_PAD.decode(text).ok())??;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StorageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageRef({}…)", &self.0[..6])
    }
}

/// Which room key an event was encrypted with: the id of its Megolm session, as the event names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomKeyId(String);

impl RoomKeyId {
    /// The id is base64 of 32 bytes; whatever a client may use instead has a bound.
    const CHARS_MAX: usize = 64;

    /// `None` if it cannot be an id.
    pub fn parse(text: &str) -> Option<Self> {
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
        let fits = (1..=Self::CHARS_MAX).contains(&text.len());
        (fits && text.chars().all(is_base64)).then(|| Self(text.to_owned()))
    }
}

/// What the text of the lanes begins with whose items await a room key.
const AWAITING: &str = "awaiting-key/";

/// What is worked on one item at a time, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Both directions of one chat, so that a session's ratchet has one user at a time.
    Portal(PortalKey),
    /// What a contact sent whom the person has not approved, or has paused. Nobody works on it: with
    /// the consent it goes to the portal's lane.
    Held(PortalKey),
    /// What the person wrote under a room key that has not come. It waits beside its chat, so that
    /// everything else goes on, and returns to it with the key.
    AwaitingKey(PortalKey, RoomKeyId),
    /// A Matrix room that is no portal (yet): management rooms and invites.
    Room(OwnedRoomId),
    /// Changes of the Matrix keys of our own users; every event waits for those before it.
    Keys,
    /// What came in too malformed to belong anywhere; it is set aside from there.
    Unplaced,
}

impl Lane {
    /// The text under which storage keeps the lane.
    pub fn to_text(&self) -> String {
        match self {
            Self::Portal(key) => format!("portal/{}/{}", key.login.0, key.ghost.0),
            Self::Held(key) => format!("held/{}/{}", key.login.0, key.ghost.0),
            Self::AwaitingKey(key, room_key) => format!("{}{}", Self::awaiting(key), room_key.0),
            Self::Room(room) => format!("room/{room}"),
            Self::Keys => "keys".to_owned(),
            Self::Unplaced => "unplaced".to_owned(),
        }
    }

    /// What the text of every lane begins with in which something of this chat awaits a room key.
    pub fn awaiting(key: &PortalKey) -> String {
        format!("{AWAITING}{}/{}/", key.login.0, key.ghost.0)
    }

    /// The inverse of [`Lane::to_text`]; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "keys" => return Some(Self::Keys),
            "unplaced" => return Some(Self::Unplaced),
            _ => {}
        }
        let (kind, rest) = text.split_once('/')?;
        match kind {
            "portal" => PortalKey::from_text(rest).map(Self::Portal),
            "held" => PortalKey::from_text(rest).map(Self::Held),
            "awaiting-key" => {
                let (login, rest) = rest.split_once('/')?;
                let (ghost, room_key) = rest.split_once('/')?;
                let portal = PortalKey {
                    login: LoginId(login.to_owned()),
                    ghost: GhostKey(ghost.to_owned()),
                };
                Some(Self::AwaitingKey(portal, RoomKeyId::parse(room_key)?))
            }
            "room" => OwnedRoomId::try_from(rest).ok().map(Self::Room),
            _ => None,
        }
    }
}

/// Makes [`GhostKey`]s: the key is derived from the master key, so the same person has the same
/// ghost for as long as the master key stands.
#[derive(Clone)]
pub struct GhostNamer {
    key: [u8; 32],
}

impl GhostNamer {
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// 80 bits in lower-case base32: short enough to read, far too many to meet by chance.
    pub fn ghost_key(&self, user: &RemoteUser) -> GhostKey {
        GhostKey(self.short_hash("ghost", &[&user.0]))
    }

    /// The alias localpart that makes the creation of a portal's room repeatable.
    pub fn portal_alias(&self, portal: &PortalKey) -> String {
        self.short_hash("portal", &[&portal.login.0, &portal.ghost.0])
    }

    /// A transaction id that is the same whenever the same thing is sent.
    pub fn transaction_id(&self, about: &[&str]) -> String {
        self.short_hash("transaction", about)
    }

    /// Recognises the same bytes again without keeping them.
    pub fn digest_of(&self, bytes: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(b"digest");
        mac.update(bytes);
        hex::encode_upper(&mac.finalize().into_bytes()[..16])
    }

    /// The network id of a message from Matrix: the same event is the same message.
    pub fn remote_message_id(&self, event: &EventId) -> RemoteMessageId {
        // Upper-case hexadecimal is what the network's own clients use.
        let digest = self.digest("message", &[event.as_str()]);
        RemoteMessageId(hex::encode_upper(&digest[..16]))
    }

    fn digest(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        for part in parts {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn short_hash(&self, purpose: &str, parts: &[&str]) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let digest = self.digest(purpose, parts);
        digest[..10]
            .chunks_exact(5)
            .flat_map(|five| {
                let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
                (0..8).rev().map(move |place| ((bits >> (place * 5)) & 31) as usize)
            })
            .map(|index| char::from(ALPHABET[index]))
            .collect()
    }
}

impl fmt::Debug for GhostNamer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _ } = self;
        f.write_str("GhostNamer(…)")
    }
}

impl fmt::Debug for RemoteUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteUser(…)")
    }
}

impl fmt::Debug for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteAddress(…:{})", self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal() -> PortalKey {
        PortalKey { login: LoginId("l1".to_owned()), ghost: GhostKey("abc".to_owned()) }
    }

    #[test]
    fn a_lane_survives_its_text() {
        let room = OwnedRoomId::try_from("!a/b:example.org").unwrap();
        let held = Lane::Held(portal());
        let awaiting = Lane::AwaitingKey(portal(), RoomKeyId::parse("a/b+c").unwrap());
        assert!(awaiting.to_text().starts_with(&Lane::awaiting(&portal())));
        let others = [Lane::Room(room), Lane::Keys, Lane::Unplaced];
        for lane in [Lane::Portal(portal()), held, awaiting].into_iter().chain(others) {
            assert_eq!(Lane::from_text(&lane.to_text()), Some(lane));
        }
        assert_eq!(Lane::from_text("portal/only"), None);
        assert_eq!(Lane::from_text("awaiting-key/l1/abc/%"), None);
    }

    #[test]
    fn a_room_key_has_an_id_of_bounded_length() {
        let longest = "A".repeat(RoomKeyId::CHARS_MAX);
        assert!(RoomKeyId::parse(&longest).is_some());
        for other in [String::new(), format!("{longest}A"), "a b".to_owned(), "é".to_owned()] {
            assert_eq!(RoomKeyId::parse(&other), None);
        }
    }

    #[test]
    fn a_storage_ref_has_one_exact_form() {
        let name = StorageRef::from_random([0xfb; 32]);
        let text = name.as_str().to_owned();
        assert_eq!(text.len(), 43);
        assert_eq!(StorageRef::parse(&text), Some(name.clone()));
        assert!(!format!("{name:?}").contains(&text[..7]));
        let not_canonical = format!("{}7", &text[..42]);
        assert_ne!(not_canonical, text);
        for other in [
            "",
            &text[..42],
            &format!("{text}A"),
            &format!("{text}="),
            &format!("{}/", &text[..42]),
            &format!("{}+", &text[..42]),
            &format!("../{}", &text[..40]),
            &format!("é{}", &text[..41]),
            &not_canonical,
        ] {
            assert_eq!(StorageRef::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_stable_keyed_and_tell_no_number() {
        let user = RemoteUser("33612345678@s.whatsapp.net".to_owned());
        let (one, other) = (GhostNamer::new([1; 32]), GhostNamer::new([2; 32]));
        assert_eq!(one.ghost_key(&user), one.ghost_key(&user));
        assert_ne!(one.ghost_key(&user), other.ghost_key(&user));
        assert_eq!(one.ghost_key(&user).0.len(), 16);
        assert_ne!(one.transaction_id(&["ab", "c"]), one.transaction_id(&["a", "bc"]));
        let address = RemoteAddress { user: user.clone(), device: 3 };
        assert!(!format!("{user:?}{address:?}{one:?}").contains("336"));
    }
}
