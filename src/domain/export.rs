//! Everything that is kept of a person, as one document that they can take with them. Its form is a
//! promise: names stay, new ones may come.
//!
//! It holds phone numbers: it belongs into encrypted files and to the person alone. It must not know how
//! it is gathered or sent.

use std::fmt;

use chrono::DateTime;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Serialize;

use super::{
    bridged::{Contact, Delivery, Direction, Ghost, Login, LoginState, Message, Timestamp},
    choices::Choices,
    consent::{Act, Entry},
    hosting::HostedMedia,
};

/// Raised when a name of the document changes its meaning or goes.
pub const EXPORT_VERSION: u32 = 1;

/// What is only counted: ciphertext and keys, of which there is nothing to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All messages of the map, those beyond the limit of the export too.
    pub messages: u64,
    pub reactions: u64,
    /// Signal sessions with devices of contacts.
    pub sessions: u64,
    pub one_time_keys: u64,
    pub waiting_for_matrix: u64,
    pub waiting_to_leave: u64,
}

/// The document.
#[derive(Clone, PartialEq, Serialize)]
pub struct Export {
    pub version: u32,
    /// Times are in UTC, as RFC 3339 has them.
    pub made_at: String,
    pub person: OwnedUserId,
    /// The room in which the person talks with the bot.
    pub management_room: Option<OwnedRoomId>,
    pub login: Option<ExportedLogin>,
    pub contacts: Vec<ExportedContact>,
    /// The consent ledger, oldest first.
    pub decisions: Vec<ExportedDecision>,
    /// Newest first. Their words are not kept, and so not here.
    pub messages: Vec<ExportedMessage>,
    pub hosted_files: Vec<ExportedFile>,
    pub counts: Tally,
    /// Rooms in which users of the bridge meet the person, or met them.
    pub rooms: Vec<OwnedRoomId>,
}

#[derive(Clone, PartialEq, Serialize)]
pub struct ExportedLogin {
    pub id: String,
    pub state: &'static str,
    /// When the person agreed for the last time.
    pub since: Option<String>,
    /// What the network calls the person.
    pub whatsapp_id: Option<String>,
    pub read_receipts: bool,
    pub typing: bool,
    /// What becomes of a contact whose keys change.
    pub key_changes: &'static str,
}

#[derive(Clone, PartialEq, Serialize)]
pub struct ExportedContact {
    /// The name of the contact in `decisions` and `messages`, and in the ghost's Matrix id.
    pub ghost: String,
    pub matrix_id: OwnedUserId,
    pub name: Option<String>,
    /// What the network calls the contact: the phone number is its beginning.
    pub whatsapp_id: Option<String>,
    pub consent: &'static str,
    pub since: Option<String>,
    pub room: Option<OwnedRoomId>,
    /// Messages that wait for the person to approve or resume.
    pub held: u64,
    /// `None` before there are keys of the contact.
    pub safety_number: Option<ExportedSafetyNumber>,
    /// What the person said of safety numbers that they compared, oldest first: of keys of before too.
    pub comparisons: Vec<ExportedComparison>,
}

/// What the person and the contact compare.
#[derive(Clone, PartialEq, Serialize)]
pub struct ExportedSafetyNumber {
    /// Sixty digits, made of the keys of now.
    pub digits: String,
    /// Whether the person compared this one, and it was the same.
    pub is_verified: bool,
    /// Whether the contact's key waits for the person to confirm it.
    pub is_pending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedComparison {
    pub at: String,
    /// `same` or `different`.
    pub result: &'static str,
    pub event: Option<OwnedEventId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedDecision {
    pub at: String,
    pub act: &'static str,
    pub contact: Option<String>,
    /// Which consent text was agreed to.
    pub text_version: Option<u32>,
    pub event: Option<OwnedEventId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedMessage {
    pub at: String,
    pub contact: String,
    pub direction: &'static str,
    pub id: String,
    pub event: Option<OwnedEventId>,
    pub delivery: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedFile {
    /// Bytes of ciphertext.
    pub length: u64,
    pub hosted_at: String,
    pub expires_at: String,
}

/// A contact with what else is known of them.
#[derive(Debug)]
pub struct KnownContact {
    pub contact: Contact,
    pub matrix_id: OwnedUserId,
    pub ghost: Option<Ghost>,
    pub room: Option<OwnedRoomId>,
    pub held: u64,
    pub safety_number: Option<ExportedSafetyNumber>,
    /// What the person did with regard to the contact.
    pub acts: Vec<Entry>,
}

impl ExportedLogin {
    pub fn new(login: &Login, choices: Choices, since: Option<Timestamp>) -> Self {
        let Choices { read_receipts, typing, identity_changes } = choices;
        Self {
            id: login.id.0.clone(),
            state: state(login.state),
            since: since.map(time),
            whatsapp_id: login.network_id.as_ref().map(|id| id.0.clone()),
            read_receipts,
            typing,
            key_changes: identity_changes.name(),
        }
    }
}

impl From<KnownContact> for ExportedContact {
    fn from(known: KnownContact) -> Self {
        let KnownContact { contact, matrix_id, ghost, room, held, safety_number, acts } = known;
        let (whatsapp_id, name) =
            ghost.map_or((None, None), |ghost| (Some(ghost.remote.0), ghost.display_name));
        Self {
            ghost: contact.ghost.0,
            matrix_id,
            name,
            whatsapp_id,
            consent: contact.state.name(),
            // Chats that are older than the memory of consent have no time.
            since: (contact.since > 0).then(|| time(contact.since)),
            room,
            held,
            safety_number,
            comparisons: acts.into_iter().filter_map(comparison).collect(),
        }
    }
}

fn comparison(Entry { act, cause, at, .. }: Entry) -> Option<ExportedComparison> {
    let result = match act {
        Act::Verified => "same",
        Act::Differed => "different",
        _ => return None,
    };
    Some(ExportedComparison { at: time(at), result, event: cause })
}

impl From<Entry> for ExportedDecision {
    fn from(entry: Entry) -> Self {
        let Entry { person: _, login: _, ghost, act, text_version, cause, at } = entry;
        Self {
            at: time(at),
            act: act.name(),
            contact: ghost.map(|ghost| ghost.0),
            text_version,
            event: cause,
        }
    }
}

impl From<Message> for ExportedMessage {
    fn from(message: Message) -> Self {
        let Message { portal, direction, remote_id, event, delivery, at } = message;
        Self {
            at: time(at),
            contact: portal.ghost.0,
            direction: match direction {
                Direction::ToNetwork => "to_whatsapp",
                Direction::ToMatrix => "from_whatsapp",
            },
            id: remote_id.0,
            event,
            delivery: match delivery {
                Delivery::Committed => "on_its_way",
                Delivery::Sent => "sent",
                Delivery::Delivered => "delivered",
                Delivery::Read => "read",
            },
        }
    }
}

impl From<HostedMedia> for ExportedFile {
    fn from(media: HostedMedia) -> Self {
        // The name stays out: whoever has it may fetch the file.
        let HostedMedia { name: _, login: _, length, hosted_at, expires_at } = media;
        Self { length, hosted_at: time(hosted_at), expires_at: time(expires_at) }
    }
}

/// As the document writes it.
pub fn time(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339()
}

fn state(state: LoginState) -> &'static str {
    match state {
        LoginState::None => "none",
        LoginState::Enlisting => "enlisting",
        LoginState::Active => "active",
        LoginState::Lapsed => "lapsed",
        LoginState::Leaving => "leaving",
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExportedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedLogin").field("state", &self.state).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExportedContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedContact").field("ghost", &self.ghost).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExportedSafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedSafetyNumber").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        consent::ContactState,
        ids::{GhostKey, LoginId, RemoteUser},
    };

    fn contact(since: Timestamp) -> KnownContact {
        let key = GhostKey("g1".to_owned());
        KnownContact {
            contact: Contact { ghost: key.clone(), state: ContactState::Paused, since },
            matrix_id: OwnedUserId::try_from("@whatsapp_g1:example.org").unwrap(),
            ghost: Some(Ghost {
                key,
                remote: RemoteUser("33612345678@s.whatsapp.net".to_owned()),
                display_name: Some("Anna".to_owned()),
                prepared: true,
            }),
            room: None,
            held: 2,
            safety_number: Some(ExportedSafetyNumber {
                digits: "12345".repeat(12),
                is_verified: true,
                is_pending: false,
            }),
            acts: [(Act::Approved, 1), (Act::Differed, 2), (Act::Verified, 3)].map(entry).into(),
        }
    }

    fn entry((act, at): (Act, Timestamp)) -> Entry {
        Entry {
            person: OwnedUserId::try_from("@alice:example.org").unwrap(),
            login: Some(LoginId("l1".to_owned())),
            ghost: Some(GhostKey("g1".to_owned())),
            act,
            text_version: None,
            cause: (act == Act::Verified).then(|| "$yes".try_into().unwrap()),
            at,
        }
    }

    #[test]
    fn a_contact_is_shown_whole() {
        let shown =
            serde_json::to_value(ExportedContact::from(contact(1_795_447_500_000))).unwrap();
        let expected = json!({
            "ghost": "g1", "matrix_id": "@whatsapp_g1:example.org", "name": "Anna",
            "whatsapp_id": "33612345678@s.whatsapp.net", "consent": "paused",
            "since": "2026-11-23T15:25:00+00:00", "room": null, "held": 2,
            "safety_number": {
                "digits": "12345".repeat(12), "is_verified": true, "is_pending": false,
            },
            "comparisons": [
                {"at": "1970-01-01T00:00:00.002+00:00", "result": "different", "event": null},
                {"at": "1970-01-01T00:00:00.003+00:00", "result": "same", "event": "$yes"},
            ],
        });
        assert_eq!(shown, expected);
        assert_eq!(ExportedContact::from(contact(0)).since, None);
    }

    #[test]
    fn the_document_is_silent_in_logs() {
        let export = Export {
            version: EXPORT_VERSION,
            made_at: time(0),
            person: OwnedUserId::try_from("@alice:example.org").unwrap(),
            management_room: None,
            login: Some(ExportedLogin::new(
                &Login {
                    id: LoginId("l1".to_owned()),
                    person: OwnedUserId::try_from("@alice:example.org").unwrap(),
                    network_id: Some(RemoteUser("12-33612345678@interop".to_owned())),
                    state: LoginState::Active,
                },
                Choices::default(),
                Some(5),
            )),
            contacts: vec![contact(1).into()],
            decisions: Vec::new(),
            messages: Vec::new(),
            hosted_files: Vec::new(),
            counts: Tally::default(),
            rooms: Vec::new(),
        };
        let contacts = &export.contacts;
        let shown =
            format!("{export:?} {:?} {contacts:?} {:?}", export.login, contacts[0].safety_number);
        assert!(["336", "Anna", "12345"].iter().all(|it| !shown.contains(it)), "{shown}");
    }
}
