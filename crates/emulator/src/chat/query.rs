//! Answers to queries: each family in a function or a file of its own. What is not known is answered politely. It must not
//! know connections.

use causeway_wire::{
    node::{Content, Node},
    stanza::{
        IqBody, IqStanza, Query, StanzaError, StreamError,
        prekeys::{KeyReply, KeyRequest, Upload, count_content},
    },
};

use super::{
    keys, people,
    reaction::{End, Reaction},
};
use crate::{
    limits::USERS_PER_REQUEST_MAX,
    media::MEDIA_HOST,
    network::{Network, Order},
    router::Refusal,
    world::{AccountId, Bundle, DeviceKey, bundle::verify_signed_prekey},
};

/// The answer, or why there is none.
pub(super) type Answer = Result<Content, Refusal>;

impl From<StanzaError> for Refusal {
    fn from(_: StanzaError) -> Self {
        Self::Malformed
    }
}

/// Answers a query; answers of the client to us need none.
pub(crate) fn answer(network: &Network, key: DeviceKey, iq: &IqStanza) -> Reaction {
    if matches!(iq.body, IqBody::Result(_) | IqBody::Error(_)) {
        return Reaction::default();
    }
    let mut reaction = Reaction::default();
    let answer = Query::parse(iq).map_err(Refusal::from).and_then(|query| match query {
        Query::SetActive(active) => {
            reaction.activate = Some(active);
            Ok(Content::Empty)
        }
        Query::Unenlist(_) => {
            let gone = StreamError::Code(401).into_node();
            unenlist(network, key).inspect(|_| reaction.end = Some(End::Saying(gone)))
        }
        query => answer_known(network, key, iq, query),
    });
    let reply = match answer {
        Ok(content) => iq.answer(content),
        Err(refusal) => iq.refuse(refusal.code(), refusal.text()),
    };
    reaction.replies.push(reply.into_node());
    reaction
}

fn answer_known(network: &Network, key: DeviceKey, iq: &IqStanza, query: Query) -> Answer {
    match query {
        Query::Ping | Query::SetActive(_) | Query::Unenlist(_) => Ok(Content::Empty),
        Query::CountPreKeys => Ok(count_content(count(network, key))),
        // Who is told that we have no digest publishes everything again, which a test may want.
        Query::Digest => Err(Refusal::Unknown),
        Query::UploadPreKeys(upload) => publish(network, key, &upload),
        Query::FetchKeys(requests) => fetch(network, key, requests),
        Query::Usync(usync) => people::usync(network, key, &usync),
        Query::ResolveUsers(users) => people::resolve(network, users),
        Query::GetBlocklist(_) => Ok(people::blocklist(network, key)),
        Query::ChangeBlocklist(_, changes) => people::block(network, key, &changes),
        Query::Report(report) => people::report(network, key, &report),
        Query::Unknown => answer_other(network, key, iq),
    }
}

/// What ordinary clients ask beyond the typed queries.
fn answer_other(network: &Network, key: DeviceKey, iq: &IqStanza) -> Answer {
    let (set, xmlns, content) = match &iq.body {
        IqBody::Get { xmlns, content } => (false, xmlns.as_str(), content),
        IqBody::Set { xmlns, content } => (true, xmlns.as_str(), content),
        IqBody::Result(_) | IqBody::Error(_) => return Err(Refusal::Malformed),
    };
    let first = content.children().first().map(|node| node.tag.as_str());
    let one = |node| Ok(Content::Nodes(vec![node]));
    match (xmlns, set, first) {
        ("encrypt", true, Some("rotate")) => rotate(network, key, content),
        ("w:interop", false, Some("integrator")) => one(people::integrators(network, key)),
        ("w:interop", true, Some("opt_in_integrators")) => people::opt_in(network, key, content),
        ("w:interop", _, Some("reachability_settings")) => Ok(content.clone()),
        ("privacy", false, _) => one(privacy()),
        ("w:sync:app:state", _, _) => one(app_state(content)),
        ("w:m", _, Some("media_conn")) => media_connection(network, key),
        ("abt" | "w", false, Some("props")) => one(Node::new("props")),
        ("md", true, Some("remove-companion-device")) => unlink(network, key),
        _ => match key.account {
            // Ordinary clients ask about dozens of things at start and are content with nothing.
            AccountId::Person(_) => Ok(Content::Empty),
            AccountId::Partner(_) => Err(Refusal::Unsupported),
        },
    }
}

fn count(network: &Network, key: DeviceKey) -> u32 {
    let count = network.with(|world| {
        let bundle = world.device(key).and_then(|device| device.bundle.as_ref());
        bundle.map_or(0, |bundle| bundle.one_time.len())
    });
    u32::try_from(count).expect("a stock of prekeys is bounded")
}

fn publish(network: &Network, key: DeviceKey, upload: &Upload) -> Answer {
    let signed_prekey = keys::signed_from_wire(&upload.signed_prekey);
    verify_signed_prekey(&upload.identity, &signed_prekey).map_err(|_| Refusal::Malformed)?;
    let one_time = upload.prekeys.iter().map(keys::one_time_from_wire).collect();
    network.with(|world| {
        let device = world.device_mut(key).ok_or(Refusal::Unknown)?;
        let bundle = device.bundle.get_or_insert_with(|| Bundle {
            registration_id: upload.registration_id,
            identity: upload.identity,
            signed_prekey: signed_prekey.clone(),
            one_time: std::collections::VecDeque::new(),
        });
        // The identity was fixed at enlistment or pairing; another one needs another enlistment.
        if bundle.identity != upload.identity {
            return Err(Refusal::Malformed);
        }
        bundle.registration_id = upload.registration_id;
        bundle.signed_prekey = signed_prekey;
        device.told_low = false;
        match bundle.add_one_time(one_time) {
            0 => Ok(Content::Empty),
            _ => Err(Refusal::Full),
        }
    })
}

fn rotate(network: &Network, key: DeviceKey, content: &Content) -> Answer {
    let rotate = content.children().first().ok_or(Refusal::Malformed)?;
    let node = rotate.get("skey").ok_or(Refusal::Malformed)?;
    let prekey = keys::signed_from_node(node).ok_or(Refusal::Malformed)?;
    network.with(|world| {
        let device = world.device_mut(key).ok_or(Refusal::Unknown)?;
        let bundle = device.bundle.as_mut().ok_or(Refusal::Unknown)?;
        verify_signed_prekey(&bundle.identity, &prekey).map_err(|_| Refusal::Malformed)?;
        bundle.signed_prekey = prekey;
        Ok(Content::Empty)
    })
}

fn fetch(network: &Network, key: DeviceKey, requests: Vec<KeyRequest>) -> Answer {
    if requests.len() > USERS_PER_REQUEST_MAX {
        return Err(Refusal::Malformed);
    }
    let replies = requests.into_iter().map(|request| {
        let found = network
            .with(|world| world.resolve(key, &request.jid))
            .ok_or(Refusal::Unknown)
            .and_then(|of| Ok((of, network.fetch_keys(key, of)?)));
        let keys = match found {
            Ok((of, (fetched, one_time))) => {
                let identity = network.with(|world| {
                    let device = world.device(of)?;
                    device.companion.as_ref().map(|companion| companion.signed_identity.clone())
                });
                Ok(keys::to_wire(&fetched.bundle, one_time.as_ref(), identity.as_ref()))
            }
            Err(refusal) => Err(people::error(refusal)),
        };
        KeyReply { jid: request.jid, keys }
    });
    Ok(KeyReply::into_content(replies))
}

/// Forgets a partner's user. The connection ends with it.
fn unenlist(network: &Network, key: DeviceKey) -> Answer {
    let AccountId::Partner(account) = key.account else { return Err(Refusal::Unsupported) };
    if network.with(|world| world.unenlist(account)) {
        Ok(Content::Empty)
    } else {
        Err(Refusal::Unknown)
    }
}

/// Unlinks the device that asks.
fn unlink(network: &Network, key: DeviceKey) -> Answer {
    let AccountId::Person(phone) = key.account else { return Err(Refusal::Unsupported) };
    if key.device == 0 {
        return Err(Refusal::Malformed);
    }
    network.with(|world| world.person_mut(phone).map(|person| person.devices.remove(&key.device)));
    network.announce_identity(key.account);
    network.tell(key, Order::LoggedOut);
    Ok(Content::Empty)
}

/// Read receipts go to everybody: else Baileys keeps them to its own devices.
fn privacy() -> Node {
    let category = |name, value| Node::new("category").attr("name", name).attr("value", value);
    let names = ["readreceipts", "last", "online", "profile", "status", "groupadd", "calladd"];
    Node::new("privacy").with_children(names.into_iter().map(|name| category(name, "all")))
}

/// Every collection is empty.
fn app_state(content: &Content) -> Node {
    let asked = content.children().first().map_or(&[][..], Node::children);
    let collections = asked.iter().filter_map(|node| node.attr_text("name")).map(|name| {
        Node::new("collection").attr("name", name).attr("version", 0_u32).attr("type", "result")
    });
    Node::new("sync").with_children(collections)
}

/// Where people upload and with which word. Partners host what they send (network facts 1.7).
fn media_connection(network: &Network, key: DeviceKey) -> Answer {
    let AccountId::Person(_) = key.account else { return Err(Refusal::Unsupported) };
    let host = Node::new("host").attr("hostname", MEDIA_HOST).attr("type", "primary");
    let connection = Node::new("media_conn")
        .attr("auth", network.media.auth.as_str())
        .attr("ttl", 3_600_u32)
        .attr("auth_ttl", 3_600_u32)
        .attr("max_buckets", 12_u32)
        .child(host);
    Ok(Content::Nodes(vec![connection]))
}
