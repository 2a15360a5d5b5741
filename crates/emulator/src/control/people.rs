//! People: making them, letting them write, reading what they got.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use super::{Problem, phone_of};
use crate::{
    chat, entropy,
    limits::LONG_POLL_TIME_MAX,
    network::Network,
    person::{Actor, Counters, Received, SendError},
    world::{AccountId, DeviceKey, PersonKind, View, state::PersonDraft},
};

type Shared = State<Arc<Network>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    phone: String,
    name: String,
    #[serde(default = "yes")]
    opted_in: bool,
    #[serde(default = "simulated")]
    kind: PersonKind,
    /// Shows partners' users under an alias; a linked Baileys needs it.
    #[serde(default = "yes")]
    sees_aliases: bool,
    /// Shows the newest linked device to partners as device 0.
    #[serde(default = "yes")]
    companion_as_primary: bool,
}

fn yes() -> bool {
    true
}

fn simulated() -> PersonKind {
    PersonKind::Simulated
}

#[derive(Serialize)]
pub(super) struct PersonView {
    phone: String,
    jid: String,
    lid: String,
    name: String,
    kind: PersonKind,
    opted_in: bool,
    devices: Vec<DeviceView>,
    counters: Counters,
}

#[derive(Serialize)]
pub(super) struct DeviceView {
    device: u16,
    connected: bool,
    prekeys_left: usize,
    mailbox: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonChange {
    opted_in: Option<bool>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outgoing {
    /// A partner's user-visible id, or the phone number of a person.
    to: String,
    text: String,
    id: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SentView {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Serialize)]
pub(super) struct ReceivedView {
    messages: Vec<Received>,
    counters: Counters,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadOrder {
    to: String,
    ids: Vec<String>,
    /// `read`, or `played` for a voice message.
    #[serde(default = "read_kind")]
    kind: String,
}

fn read_kind() -> String {
    "read".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairOrder {
    qr: String,
}

#[derive(Serialize)]
pub(super) struct PairedView {
    jid: String,
    lid: String,
    device: u16,
}

/// `POST /people`.
pub(super) async fn create(
    State(network): Shared,
    Json(person): Json<NewPerson>,
) -> Result<(StatusCode, Json<PersonView>), Problem> {
    let phone = phone_of(&person.phone)?;
    let (actor, bundle) = Actor::create(phone).await;
    let draft = PersonDraft {
        phone,
        name: person.name,
        kind: person.kind,
        opted_in: person.opted_in,
        sees_aliases: person.sees_aliases,
        companion_as_primary: person.companion_as_primary,
        raw_id: u32::from_be_bytes(entropy::bytes()),
        bundle,
    };
    network
        .with(|world| world.add_person(draft))
        .map_err(|limit| Problem::new(StatusCode::CONFLICT, limit))?;
    network.start_actor(actor);
    Ok((StatusCode::CREATED, view(&network, phone)?))
}

/// `GET /people/{phone}`.
pub(super) async fn show(
    State(network): Shared,
    Path(phone): Path<String>,
) -> Result<Json<PersonView>, Problem> {
    view(&network, phone_of(&phone)?)
}

/// `PATCH /people/{phone}`: opting in or out, another name.
pub(super) async fn change(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(change): Json<PersonChange>,
) -> Result<Json<PersonView>, Problem> {
    let phone = phone_of(&phone)?;
    network.with(|world| {
        if let Some(person) = world.person_mut(phone) {
            person.opted_in = change.opted_in.unwrap_or(person.opted_in);
            if let Some(name) = change.name {
                person.name = name;
            }
        }
    });
    view(&network, phone)
}

/// `POST /people/{phone}/send`.
pub(super) async fn send(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(outgoing): Json<Outgoing>,
) -> Result<Json<SentView>, Problem> {
    let actor = actor_of(&network, &phone)?;
    let to = account_of(&network, &outgoing.to)?;
    let sent = actor.send_text(&network, to, &outgoing.text, outgoing.id).await;
    Ok(Json(SentView { id: sent.map_err(unsent)? }))
}

/// Why a message was not sent.
pub(super) fn unsent(error: SendError) -> Problem {
    match error {
        SendError::Refused(refusal) => {
            let status = StatusCode::from_u16(refusal.code()).unwrap_or(StatusCode::BAD_GATEWAY);
            Problem::new(status, refusal)
        }
        SendError::Text(error) => Problem::bad(error),
        SendError::Signal(_) => Problem::new(StatusCode::BAD_GATEWAY, error),
    }
}

/// `GET /people/{phone}/received?after=N&wait_ms=M`: waits until there is something after `N`.
pub(super) async fn received(
    State(network): Shared,
    Path(phone): Path<String>,
    Query(since): Query<Since>,
) -> Result<Json<ReceivedView>, Problem> {
    let actor = actor_of(&network, &phone)?;
    let transcript = &actor.transcript;
    let mut changes = transcript.changes();
    let wait = Duration::from_millis(since.wait_ms).min(LONG_POLL_TIME_MAX);
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    loop {
        let messages = transcript.after(since.after);
        if !messages.is_empty() || deadline.is_elapsed() {
            return Ok(Json(ReceivedView { messages, counters: transcript.counters() }));
        }
        tokio::select! {
            () = &mut deadline => {}
            changed = changes.changed() => {
                if changed.is_err() {
                    return Err(Problem::not_found("the person is gone"));
                }
            }
            () = network.stop.cancelled() => return Err(Problem::not_found("stopping")),
        }
    }
}

/// `GET /people/{phone}/receipts/{id}`: what came back for a message that this person sent.
pub(super) async fn receipts(
    State(network): Shared,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Json<Vec<String>>, Problem> {
    Ok(Json(actor_of(&network, &phone)?.transcript.receipts(&id)))
}

/// `GET /people/{phone}/reactions/{id}`: what others reacted with to a message, in order; `null` took one back.
pub(super) async fn reactions(
    State(network): Shared,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Json<Vec<Option<String>>>, Problem> {
    Ok(Json(actor_of(&network, &phone)?.transcript.reactions(&id)))
}

/// `POST /people/{phone}/read`: says that this person read messages.
pub(super) async fn read(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(order): Json<ReadOrder>,
) -> Result<StatusCode, Problem> {
    let actor = actor_of(&network, &phone)?;
    let to = account_of(&network, &order.to)?;
    actor.send_read(&network, to, &order.ids, &order.kind);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /people/{phone}/pair`: scans the QR code that a client shows.
pub(super) async fn pair(
    State(network): Shared,
    Path(phone): Path<String>,
    Json(order): Json<PairOrder>,
) -> Result<Json<PairedView>, Problem> {
    let phone = phone_of(&phone)?;
    let key = chat::pair(&network, phone, &order.qr).await.map_err(Problem::bad)?;
    let [jid, lid] = [View::Number, View::Lid]
        .map(|namespace| network.with(|world| world.name(key, namespace).to_string()));
    Ok(Json(PairedView { jid, lid, device: key.device }))
}

pub(super) fn actor_of(network: &Network, phone: &str) -> Result<Arc<Actor>, Problem> {
    network.actor(phone_of(phone)?).ok_or_else(|| Problem::not_found("there is no such person"))
}

pub(super) fn account_of(network: &Network, to: &str) -> Result<AccountId, Problem> {
    let found = network.with(|world| {
        let partner = world.partner_by_user_visible_id(to);
        let person = to.trim_start_matches('+').parse().ok().filter(|p| world.person(*p).is_some());
        partner.map(|held| AccountId::Partner(held.account)).or(person.map(AccountId::Person))
    });
    found.ok_or_else(|| Problem::not_found("nobody has this user-visible id or phone number"))
}

fn view(network: &Network, phone: u64) -> Result<Json<PersonView>, Problem> {
    let unknown = || Problem::not_found("there is no such person");
    let counters = network.actor(phone).ok_or_else(unknown)?.transcript.counters();
    let account = AccountId::Person(phone);
    let mut view = network
        .with(|world| {
            let person = world.person(phone)?;
            let key = DeviceKey::primary(account);
            let devices = person.devices.iter().map(|(number, device)| DeviceView {
                device: *number,
                connected: *number == 0,
                prekeys_left: device.bundle.as_ref().map_or(0, |bundle| bundle.one_time.len()),
                mailbox: device.mailbox.len(),
            });
            Some(PersonView {
                phone: person.phone.to_string(),
                jid: world.name(key, View::Number).to_string(),
                lid: world.name(key, View::Lid).to_string(),
                name: person.name.clone(),
                kind: person.kind,
                opted_in: person.opted_in,
                devices: devices.collect(),
                counters,
            })
        })
        .ok_or_else(unknown)?;
    for device in &mut view.devices {
        device.connected |= network.is_connected(DeviceKey { account, device: device.device });
    }
    Ok(Json(view))
}
