//! Things to store. Every sample of a person's data holds [`CANARY`], so that it can be looked for.

use causeway::{
    domain::{
        bridged::{Delivery, Direction, Ghost, Login, LoginState, Message, Portal, Timestamp},
        hosting::HostedMedia,
        ids::{
            GhostKey, Lane, LoginId, PortalKey, RemoteAddress, RemoteMessageId, RemoteUser,
            StorageRef,
        },
        item::{Envelope, EnvelopeKind, InboxItem, OutboundEvent, OutboxItem, RawEvent},
    },
    port::{
        Storage as _,
        network::LoginKeys,
        storage::{Change, InboxDraft, IntakeKey, SessionKey},
    },
    signal::{OurIdentity, PreKey, SignedPreKey},
    storage::SqlStorage,
};
use rand::{SeedableRng as _, rngs::StdRng};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::json;

/// A phone number that stands in every sample of a remote person.
pub(super) const CANARY: &str = "33612345678";

pub(super) fn person(name: &str) -> OwnedUserId {
    format!("@{name}:example.org").try_into().unwrap()
}

pub(super) fn room(name: &str) -> OwnedRoomId {
    format!("!{name}:example.org").try_into().unwrap()
}

pub(super) fn event(name: &str) -> OwnedEventId {
    format!("${name}").try_into().unwrap()
}

pub(super) fn login_id(id: &str) -> LoginId {
    LoginId(id.to_owned())
}

pub(super) fn ghost_key(key: &str) -> GhostKey {
    GhostKey(key.to_owned())
}

pub(super) fn remote_id(id: &str) -> RemoteMessageId {
    RemoteMessageId(id.to_owned())
}

pub(super) fn remote_user() -> RemoteUser {
    RemoteUser(format!("{CANARY}@s.whatsapp.net"))
}

pub(super) fn portal_key(login: &str, ghost: &str) -> PortalKey {
    PortalKey { login: login_id(login), ghost: ghost_key(ghost) }
}

pub(super) fn portal_lane(login: &str, ghost: &str) -> Lane {
    Lane::Portal(portal_key(login, ghost))
}

pub(super) fn portal(login: &str, ghost: &str, room: Option<OwnedRoomId>) -> Portal {
    Portal { key: portal_key(login, ghost), room }
}

pub(super) fn session_key(login: &str, ghost: &str, device: u16) -> SessionKey {
    SessionKey { portal: portal_key(login, ghost), device }
}

pub(super) fn login(id: &str, person: OwnedUserId) -> Login {
    Login { id: login_id(id), person, network_id: None, state: LoginState::Enlisting }
}

pub(super) fn keys(seed: u64) -> LoginKeys {
    let mut rng = StdRng::seed_from_u64(seed);
    let identity = OurIdentity::generate(&mut rng);
    let signed_prekey = SignedPreKey::generate(1, &identity, 1_000, &mut rng).unwrap();
    LoginKeys { noise: [3; 32], identity, signed_prekey }
}

pub(super) fn prekey(id: u32, seed: u64) -> PreKey {
    PreKey::generate(id, &mut StdRng::seed_from_u64(seed)).unwrap()
}

pub(super) fn ghost(key: &str, display_name: Option<&str>) -> Ghost {
    Ghost {
        key: ghost_key(key),
        remote: remote_user(),
        display_name: display_name.map(str::to_owned),
        prepared: false,
    }
}

pub(super) fn message(direction: Direction, id: &str) -> Message {
    Message {
        portal: portal_key("l1", "g1"),
        direction,
        remote_id: remote_id(id),
        event: None,
        delivery: Delivery::Committed,
        at: 5,
    }
}

/// The `number`th file of a login, of 100 bytes.
pub(super) fn hosted(login: &str, number: u8, expires_at: Timestamp) -> HostedMedia {
    let mut bytes = [number; 32];
    bytes[..login.len()].copy_from_slice(login.as_bytes());
    let name = StorageRef::from_random(bytes);
    HostedMedia { name, login: login_id(login), length: 100, hosted_at: 5, expires_at }
}

pub(super) fn inbox_item(text: &str) -> InboxItem {
    InboxItem::Event(RawEvent(json!({ "text": text, "about": CANARY })))
}

pub(super) fn text_of(item: &InboxItem) -> &str {
    let InboxItem::Event(RawEvent(value)) = item else { panic!("not an event") };
    value["text"].as_str().unwrap()
}

pub(super) fn draft(lane: Lane, text: &str) -> InboxDraft {
    InboxDraft { lane, item: inbox_item(text), received_at: 10 }
}

pub(super) fn transaction(id: &str) -> IntakeKey {
    IntakeKey::Transaction(id.to_owned())
}

/// To the homeserver.
pub(super) fn outbox_event(text: &str) -> OutboxItem {
    OutboxItem::Event(OutboundEvent {
        sender: causeway::domain::bridged::ActAs::Bot,
        room: room("a"),
        transaction_id: text.to_owned(),
        event_type: "m.room.encrypted".to_owned(),
        content: json!({ "about": CANARY }),
        shows: None,
    })
}

/// To the network.
pub(super) fn outbox_envelope(login: &str, id: &str) -> OutboxItem {
    OutboxItem::Envelope(Envelope {
        login: login_id(login),
        id: remote_id(id),
        to: remote_user(),
        kind: EnvelopeKind::Text,
        parts: Vec::new(),
    })
}

pub(super) fn address() -> RemoteAddress {
    RemoteAddress { user: remote_user(), device: 0 }
}

/// A login `l1` of alice and `l2` of bob.
pub(super) async fn with_logins(storage: &SqlStorage) {
    let add =
        |id, name, seed| Change::LoginAdded { login: login(id, person(name)), keys: keys(seed) };
    storage.commit(vec![add("l1", "alice", 1), add("l2", "bob", 2)]).await.unwrap();
}
