//! Answers about people: who is on the network and who is a partner's user, opting in, blocking. It must not know
//! connections.
//!
//! How a partner looks somebody up is not public (network facts 6.5). Here it is the contact query of ordinary clients: not
//! on the network is `<contact type="out"/>` without a JID; who did not opt in is found, and the key request says 403.

use causeway_wire::{
    jid::Jid,
    node::{Content, Node},
    stanza::{
        IqError, Personal,
        interop::{BlockChange, ExternalUser, Report, Resolved, ResolvedUser, blocklist_content},
        usync::{
            Contact, Device, DeviceList, KeyIndexList, Protocol, Usync, UsyncReply, UsyncUser,
        },
    },
};

use super::{query::Answer, render};
use crate::{
    limits::USERS_PER_REQUEST_MAX,
    network::Network,
    router::Refusal,
    world::{AccountId, DeviceKey, View, World},
};

/// The error child of one item.
pub(super) fn error(refusal: Refusal) -> IqError {
    IqError { code: refusal.code(), text: refusal.text().to_owned() }
}

/// Answers the question which people and devices there are.
pub(super) fn usync(network: &Network, key: DeviceKey, asked: &Usync) -> Answer {
    if asked.users.len() > USERS_PER_REQUEST_MAX {
        return Err(Refusal::Malformed);
    }
    let replies: Vec<UsyncReply> = network
        .with(|world| asked.users.iter().map(|user| about(world, key, asked, user)).collect());
    Ok(UsyncReply::into_content(asked, replies))
}

fn about(world: &World, viewer: DeviceKey, asked: &Usync, user: &UsyncUser) -> UsyncReply {
    let by_phone = user.phone.as_ref().and_then(|phone| {
        let digits = phone.0.trim_start_matches('+');
        Jid::phone(digits).ok().and_then(|jid| world.account_named(&jid))
    });
    let by_jid = user.jid.as_ref().and_then(|jid| world.account_named(jid));
    let account = by_phone.or(by_jid);
    let contact = asked
        .protocols
        .contains(&Protocol::Contact)
        .then(|| Contact { registered: account.is_some(), phone: user.phone.clone() });
    let Some(account) = account else {
        return UsyncReply { jid: user.jid.clone(), contact, devices: None, lid: None };
    };
    // The JID is repeated as it was asked for: clients look for it.
    let named = render::account_name(world, viewer, account);
    let jid = user.jid.as_ref().map_or(named, Jid::without_device);
    let lid = (asked.protocols.contains(&Protocol::Lid) && viewer.is_person())
        .then(|| world.name(DeviceKey::primary(account), View::Lid));
    let devices =
        asked.protocols.contains(&Protocol::Devices).then(|| devices(world, viewer, account));
    UsyncReply { jid: Some(jid), contact, devices, lid }
}

fn devices(world: &World, viewer: DeviceKey, account: AccountId) -> DeviceList {
    let numbers = world.devices_of(account);
    let mut devices: Vec<Device> = numbers
        .into_iter()
        .map(|device| {
            let key = DeviceKey { account, device };
            let companion = world.device(key).and_then(|device| device.companion.as_ref());
            let id = world.seen_by(viewer, key).device;
            Device { id, key_index: companion.map(|held| held.key_index).filter(|_| id != 0) }
        })
        .collect();
    // Where a linked device is shown as the phone, the phone itself is not shown.
    devices.sort_by_key(|device| device.id);
    devices.dedup_by_key(|device| device.id);
    let key_index_list = match account {
        AccountId::Person(phone) => world
            .person(phone)
            .and_then(|person| person.primary.signed_key_index_list.clone())
            .map(|(timestamp_s, signed)| KeyIndexList { timestamp_s, signed: signed.to_vec() }),
        AccountId::Partner(_) => None,
    };
    DeviceList { devices, key_index_list }
}

/// Answers who a partner's users are.
pub(super) fn resolve(network: &Network, users: Vec<ExternalUser>) -> Answer {
    if users.is_empty() || users.len() > USERS_PER_REQUEST_MAX {
        return Err(Refusal::Malformed);
    }
    let resolved = network.with(|world| {
        let resolve = |user: ExternalUser| {
            let found = (user.integrator.get() == world.integrator_number())
                .then(|| world.partner_by_user_visible_id(&user.external_id.0))
                .flatten();
            let resolved = match found {
                Some(partner) => Ok(Resolved {
                    normalized_external_id: Personal(partner.user_visible_id.clone()),
                    jid: world
                        .name(DeviceKey::primary(AccountId::Partner(partner.account)), View::True),
                }),
                None => Err(error(Refusal::Unknown)),
            };
            ResolvedUser { user, resolved }
        };
        users.into_iter().map(resolve).collect::<Vec<_>>()
    });
    Ok(ResolvedUser::into_content(resolved))
}

/// The list of partners: one.
pub(super) fn integrators(network: &Network, key: DeviceKey) -> Node {
    let (number, opted_in) =
        network.with(|world| (world.integrator_number(), is_opted_in(world, key)));
    let opted_in = opted_in.then_some("true");
    let integrator = Node::new("integrator")
        .attr("id", number)
        .attr("name", "Emulated partner")
        .attr("status", "active")
        .attr("identifier_type", "username")
        .attr_opt("opted_in", opted_in)
        .child(Node::new("features"));
    Node::new("integrator_list").attr_opt("opted_in", opted_in).child(integrator)
}

fn is_opted_in(world: &World, key: DeviceKey) -> bool {
    match key.account {
        AccountId::Person(phone) => world.person(phone).is_some_and(|person| person.opted_in),
        AccountId::Partner(_) => false,
    }
}

/// Opts a person in to the partners that they name; naming none of ours opts them out.
pub(super) fn opt_in(network: &Network, key: DeviceKey, content: &Content) -> Answer {
    let AccountId::Person(phone) = key.account else { return Err(Refusal::NotOptedIn) };
    let list = content
        .children()
        .first()
        .and_then(|node| node.get("integrator_list"))
        .ok_or(Refusal::Malformed)?;
    let named: Vec<u64> =
        list.children_of("integrator").filter_map(|node| node.attr_number("id")).collect();
    let ours = network.with(|world| {
        let ours = u64::from(world.integrator_number());
        if let Some(person) = world.person_mut(phone) {
            person.opted_in = named.contains(&ours);
        }
        ours
    });
    let answers = named.into_iter().map(|id| {
        let node = Node::new("integrator").attr("id", id);
        let unknown = Node::new("error").attr("code", 404_u16).attr("text", "item-not-found");
        if id == ours { node } else { node.child(unknown) }
    });
    Ok(Content::Nodes(vec![Node::new("integrator_list").with_children(answers)]))
}

/// Whom somebody blocks.
pub(super) fn blocklist(network: &Network, key: DeviceKey) -> Content {
    let jids = network.with(|world| {
        let blocked = world.blocked(key.account);
        let names = blocked.into_iter().flatten();
        names.map(|account| render::account_name(world, key, *account)).collect::<Vec<_>>()
    });
    blocklist_content(jids)
}

/// Blocks and unblocks.
pub(super) fn block(network: &Network, key: DeviceKey, changes: &[BlockChange]) -> Answer {
    network.with(|world| {
        for change in changes {
            let account = world.account_named(&change.jid).ok_or(Refusal::Unknown)?;
            let blocked = world.blocked_mut(key.account).ok_or(Refusal::Unknown)?;
            if change.blocked {
                blocked.insert(account);
            } else {
                blocked.remove(&account);
            }
        }
        Ok(Content::Empty)
    })
}

/// Takes a complaint of a partner's user; those of people go nowhere.
pub(super) fn report(network: &Network, key: DeviceKey, report: &Report) -> Answer {
    network.with(|world| {
        let account = world.account_named(&report.jid).ok_or(Refusal::Unknown)?;
        match key.account {
            AccountId::Partner(reporter) => world.complain(reporter, account),
            AccountId::Person(_) => {}
        }
        Ok(Content::Empty)
    })
}
