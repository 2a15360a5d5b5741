//! Items of a mailbox as stanzas for one viewer. It must not know connections; it only reads the world.

use causeway_wire::{
    jid::Jid,
    node::Node,
    stanza::{
        Enc, EncKind, MessageStanza, NotificationBody, NotificationStanza, Personal, ReceiptKind,
        ReceiptStanza, Retry, Route,
    },
};

use super::keys;
use crate::world::{
    AccountId, DeviceKey, View, World,
    mailbox::{Envelope, Item, MessageItem, Notice, NoticeItem, ReceiptItem},
};

/// The stanza for an item; `offline` says how many waited, when this is one of them.
pub(crate) fn render(world: &World, viewer: DeviceKey, item: &Item, offline: Option<u32>) -> Node {
    match item {
        Item::Message(message) => message_node(world, viewer, message, offline),
        Item::Receipt(receipt) => receipt_stanza(world, viewer, receipt, offline).into_node(),
        Item::Notice(notice) => notice_stanza(world, viewer, notice, offline).into_node(),
    }
}

/// A device as the viewer names it.
pub(crate) fn name(world: &World, viewer: DeviceKey, of: DeviceKey) -> Jid {
    world.name(world.seen_by(viewer, of), world.view_of(viewer))
}

/// An account as the viewer names it, whatever the device.
pub(crate) fn account_name(world: &World, viewer: DeviceKey, of: AccountId) -> Jid {
    world.name(DeviceKey::primary(of), world.view_of(viewer))
}

fn message_node(
    world: &World,
    viewer: DeviceKey,
    item: &MessageItem,
    offline: Option<u32>,
) -> Node {
    let route = Route::from(name(world, viewer, item.from));
    let stanza = MessageStanza {
        timestamp_s: Some(item.sent_at_s),
        display_name: partner_name(world, item.from.account),
        offline,
        edit: item.edit.as_deref().and_then(|edit| edit.parse().ok()),
        encs: vec![enc(&item.envelope)],
        device_identity: item.device_identity.as_ref().map(|bytes| bytes.to_vec()),
        ..MessageStanza::new(item.id.as_str(), route, &item.kind)
    };
    let node = stanza
        .into_node()
        .attr_opt("notify", push_name(world, item.from.account))
        .attr_opt("category", item.category.as_deref())
        .attr_opt("recipient", item.recipient.map(|to| account_name(world, viewer, to)));
    if world.view_of(viewer) == View::Number {
        return node.attr("sender_lid", world.name(item.from, View::Lid));
    }
    node
}

fn partner_name(world: &World, account: AccountId) -> Option<Personal> {
    match account {
        AccountId::Person(_) => None,
        AccountId::Partner(_) => shown_name(world, account).map(Personal),
    }
}

fn shown_name(world: &World, account: AccountId) -> Option<String> {
    match account {
        AccountId::Person(phone) => world.person(phone).map(|person| person.name.clone()),
        AccountId::Partner(number) => {
            world.partner(number).map(|partner| partner.user_visible_id.clone())
        }
    }
}

/// The name that somebody gave themselves; a partner's user who gave none is called by their id.
fn push_name(world: &World, account: AccountId) -> Option<String> {
    let given = match account {
        AccountId::Person(_) => None,
        AccountId::Partner(number) => world.partner(number)?.shown.push_name.clone(),
    };
    given.or_else(|| shown_name(world, account))
}

fn enc(envelope: &Envelope) -> Enc {
    let kind = match envelope.kind.as_str() {
        "pkmsg" => EncKind::PreKeyMessage,
        "msg" => EncKind::Message,
        other => EncKind::Other(other.to_owned()),
    };
    Enc {
        count: envelope.count,
        media_type: envelope.media_type.clone(),
        hide_failure: envelope.decrypt_fail.as_deref() == Some("hide"),
        ..Enc::new(kind, envelope.body.to_vec())
    }
}

fn receipt_stanza(
    world: &World,
    viewer: DeviceKey,
    item: &ReceiptItem,
    offline: Option<u32>,
) -> ReceiptStanza {
    let kind = match (&item.retry, item.kind.as_deref()) {
        (Some(request), _) => ReceiptKind::Retry(Retry {
            count: request.count,
            message_timestamp_s: request.message_t,
            registration_id: request.registration_id,
            keys: request.keys.as_ref().map(|(bundle, device_identity)| {
                keys::to_wire(bundle, bundle.one_time.front(), device_identity.as_ref())
            }),
        }),
        (None, None) => ReceiptKind::Delivered,
        (None, Some("read")) => ReceiptKind::Read,
        (None, Some("played")) => ReceiptKind::Played,
        (None, Some(other)) => ReceiptKind::Other(other.to_owned()),
    };
    let route = Route::from(name(world, viewer, item.from));
    ReceiptStanza {
        more_ids: item.more_ids.clone(),
        timestamp_s: Some(item.sent_at_s),
        offline,
        ..ReceiptStanza::new(item.id.as_str(), route, kind)
    }
}

fn notice_stanza(
    world: &World,
    viewer: DeviceKey,
    item: &NoticeItem,
    offline: Option<u32>,
) -> NotificationStanza {
    let (from, body) = match item.notice {
        Notice::PrekeysLow { left } => {
            let count = u32::try_from(left).expect("a stock of prekeys is small");
            (Jid::network(), NotificationBody::PreKeysLow { count })
        }
        Notice::IdentityChanged { of } => {
            (account_name(world, viewer, of), NotificationBody::IdentityChanged)
        }
    };
    NotificationStanza {
        id: item.id.clone(),
        route: Route::from(from),
        timestamp_s: Some(item.sent_at_s),
        offline,
        body,
    }
}
