//! A look at partners' users and at the whole, and the end of a connection.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;

use super::Problem;
use crate::{
    network::{Network, Order},
    world::{AccountId, DeviceKey, Partner, PersonKind, View, World},
};

type Shared = State<Arc<Network>>;

#[derive(Serialize)]
pub(super) struct PartnerView {
    user_visible_id: String,
    /// The true JID.
    jid: String,
    /// What a linked client without interop JIDs writes to.
    alias_pn: String,
    alias_lid: String,
    connected: bool,
    /// Since they were enlisted.
    logins: u64,
    prekeys_left: usize,
    mailbox: usize,
    /// True JIDs of whom they block.
    blocked: Vec<String>,
    /// True JIDs of whom they reported.
    reported: Vec<String>,
    /// As the client said at its latest login.
    push_name: Option<String>,
    read_receipts: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct StateView {
    partners: Vec<PartnerView>,
    people: Vec<PersonLine>,
    connections: usize,
    pushes_sent: u64,
    pushes_failed: u64,
    duplicates_dropped: u64,
    faults: Vec<String>,
    media_files: usize,
    media_bytes: u64,
}

#[derive(Serialize)]
pub(super) struct PersonLine {
    phone: String,
    name: String,
    kind: PersonKind,
    opted_in: bool,
    devices: usize,
}

/// `GET /partners/{user-visible id}`.
pub(super) async fn show(
    State(network): Shared,
    Path(id): Path<String>,
) -> Result<Json<PartnerView>, Problem> {
    let mut view = network
        .with(|world| {
            let partner = world.partner_by_user_visible_id(&id)?;
            Some((view(world, partner), partner.account))
        })
        .ok_or_else(|| Problem::not_found("nobody is enlisted under this user-visible id"))?;
    view.0.connected = network.is_connected(key_of(view.1));
    Ok(Json(view.0))
}

/// `POST /partners/{user-visible id}/disconnect`.
pub(super) async fn disconnect(
    State(network): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let account = account_of(&network, &id)?;
    if network.tell(key_of(account), Order::Close) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::CONFLICT, "not connected"))
    }
}

/// `POST /partners/{user-visible id}/replace`: as if another client had logged in with the same identity and left again.
pub(super) async fn replace(
    State(network): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let account = account_of(&network, &id)?;
    if network.tell(key_of(account), Order::Replaced) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::CONFLICT, "not connected"))
    }
}

/// `POST /partners/{user-visible id}/unenlist`: what the network does after 30 idle days (network facts 1.5).
pub(super) async fn unenlist(
    State(network): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let account = account_of(&network, &id)?;
    network.with(|world| world.unenlist(account));
    network.tell(key_of(account), Order::LoggedOut);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /state`.
pub(super) async fn state(State(network): Shared) -> Json<StateView> {
    let (partners, people, duplicates_dropped) = network.with(|world| {
        let partners: Vec<_> =
            world.partners().map(|partner| (view(world, partner), partner.account)).collect();
        let people = world.people().map(|person| PersonLine {
            phone: person.phone.to_string(),
            name: person.name.clone(),
            kind: person.kind,
            opted_in: person.opted_in,
            devices: person.devices.len(),
        });
        (partners, people.collect(), world.duplicates_dropped)
    });
    let partners = partners.into_iter().map(|(mut view, account)| {
        view.connected = network.is_connected(key_of(account));
        view
    });
    Json(StateView {
        partners: partners.collect(),
        people,
        connections: network.connected_count(),
        pushes_sent: network.pushes_sent.load(Ordering::Relaxed),
        pushes_failed: network.pushes_failed.load(Ordering::Relaxed),
        duplicates_dropped,
        faults: [network.faults.describe(), network.media.faults.describe()].concat(),
        media_files: network.media.store.usage().0,
        media_bytes: network.media.store.usage().1,
    })
}

fn account_of(network: &Network, id: &str) -> Result<u64, Problem> {
    network
        .with(|world| world.partner_by_user_visible_id(id).map(|partner| partner.account))
        .ok_or_else(|| Problem::not_found("nobody is enlisted under this user-visible id"))
}

fn key_of(account: u64) -> DeviceKey {
    DeviceKey::primary(AccountId::Partner(account))
}

fn view(world: &World, partner: &Partner) -> PartnerView {
    let name = |namespace| world.name(key_of(partner.account), namespace).to_string();
    let names = |accounts: &BTreeSet<AccountId>| {
        let keys = accounts.iter().map(|account| DeviceKey::primary(*account));
        keys.map(|key| world.name(key, View::True).to_string()).collect()
    };
    let bundle = partner.device.bundle.as_ref();
    PartnerView {
        user_visible_id: partner.user_visible_id.clone(),
        jid: name(View::True),
        alias_pn: name(View::Number),
        alias_lid: name(View::Lid),
        connected: false,
        logins: partner.logins,
        prekeys_left: bundle.map_or(0, |bundle| bundle.one_time.len()),
        mailbox: partner.device.mailbox.len(),
        blocked: names(&partner.blocked),
        reported: names(&partner.reported),
        push_name: partner.shown.push_name.clone(),
        read_receipts: partner.shown.read_receipts,
    }
}
