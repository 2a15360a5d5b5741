use proptest::{collection::vec, prelude::*};

use super::{
    interop::{
        BlockChange, BlocklistForm, ExternalUser, Report, Resolved, ResolvedUser, UnenlistForm,
        blocklist_content, parse_blocklist,
    },
    keys::{Bundle, MAX_PREKEY_ID, PreKey, SignedPreKey},
    prekeys::{KeyReply, KeyRequest, Upload, count_content, parse_count},
    usync::{Contact, Device, DeviceList, KeyIndexList, Protocol, Usync, UsyncReply},
    *,
};
use crate::{
    jid::{Integrator, JidForm},
    node,
};

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

fn partner() -> Jid {
    jid("12-10501234567@interop")
}

fn person() -> Jid {
    jid("4912345@s.whatsapp.net")
}

/// What the other end understands: the node goes through bytes, as on the wire.
fn over_the_wire(node: &Node) -> Stanza {
    let bytes = node::encode(node, JidForm::default()).unwrap();
    Stanza::parse(node::decode(&bytes).unwrap())
}

fn malformed(node: Node) -> Malformed {
    match Stanza::parse(node) {
        Stanza::Malformed(malformed) => malformed,
        other => panic!("{other:?}"),
    }
}

fn bundle(prekey: Option<PreKey>) -> Bundle {
    let signed_prekey = SignedPreKey { id: MAX_PREKEY_ID, public: [3; 32], signature: [4; 64] };
    Bundle {
        registration_id: 0x0102_0304,
        identity: [2; 32],
        signed_prekey,
        prekey,
        device_identity: Some(vec![9; 40]),
    }
}

#[test]
fn a_direct_message_is_plain() {
    let message = MessageStanza {
        timestamp_s: Some(1_800_000_000),
        display_name: Some(Personal("Joe".to_owned())),
        offline: Some(2),
        encs: vec![Enc::new(EncKind::PreKeyMessage, vec![0x33, 8, 1])],
        ..MessageStanza::new("3EB0A1", Route::from(partner()), "text")
    };
    let node = message.clone().into_node();
    assert_eq!(node.children().len(), 1);
    let enc = node.get("enc").unwrap();
    assert_eq!((enc.attr_text("v"), enc.attr_text("type")), (Some("2"), Some("pkmsg")));
    assert_eq!(over_the_wire(&node), Stanza::Message(message.clone()));

    let expected = AckStanza::new(AckClass::Message, "3EB0A1", Route::to(partner()));
    assert_eq!(over_the_wire(&message.ack().into_node()), Stanza::Ack(expected));
}

#[test]
fn a_fanned_out_message_keeps_its_participants() {
    let enc = |kind| Enc {
        media_type: Some("image".to_owned()),
        hide_failure: true,
        count: Some(1),
        ..Enc::new(kind, vec![1, 2, 3])
    };
    let participant = |to: &str, kind| Participant { to: jid(to), encs: vec![enc(kind)] };
    let message = MessageStanza {
        edit: Some(7),
        participants: vec![
            participant("4912345@s.whatsapp.net", EncKind::Message),
            participant("4912345:3@s.whatsapp.net", EncKind::PreKeyMessage),
        ],
        device_identity: Some(vec![9; 40]),
        ..MessageStanza::new("3EB0A2", Route::to(person()), "media")
    };
    assert_eq!(over_the_wire(&message.clone().into_node()), Stanza::Message(message));
}

#[test]
fn the_name_that_ordinary_people_show_counts_too() {
    let node = Node::new("message")
        .attr("id", "1")
        .attr("from", person())
        .attr("notify", "Joe")
        .child(Node::new("enc").attr("type", "frskmsg").bytes([1]));
    let Stanza::Message(message) = Stanza::parse(node) else { panic!("not a message") };
    assert_eq!(message.display_name, Some(Personal("Joe".to_owned())));
    assert_eq!(message.encs[0].kind, EncKind::Other("frskmsg".to_owned()));
    assert_eq!(message.kind, "");
}

#[test]
fn odd_numbers_that_only_inform_do_not_cost_a_message() {
    let node = Node::new("message")
        .attr("id", "1")
        .attr("from", person())
        .attr("type", "text")
        .attr("t", "soon")
        .attr("offline", "yes")
        .child(Node::new("enc").attr("type", "msg").attr("count", "-1").bytes([1]));
    let Stanza::Message(message) = Stanza::parse(node) else { panic!("not a message") };
    assert_eq!((message.timestamp_s, message.offline), (None, Some(0)));
    assert_eq!(message.encs, [Enc::new(EncKind::Message, vec![1])]);
}

#[test]
fn receipts_of_every_kind_survive() {
    let retry = Retry {
        count: 5,
        message_timestamp_s: Some(1_800_000_000),
        registration_id: 0x0102_0304,
        keys: Some(bundle(Some(PreKey { id: 1, public: [5; 32] }))),
    };
    let bare = Retry { keys: None, message_timestamp_s: None, ..retry.clone() };
    for kind in [
        ReceiptKind::Delivered,
        ReceiptKind::Read,
        ReceiptKind::Played,
        ReceiptKind::Retry(retry),
        ReceiptKind::Retry(bare),
        ReceiptKind::Other("inactive".to_owned()),
    ] {
        let receipt = ReceiptStanza::new("A", Route::to(partner()), kind);
        assert_eq!(over_the_wire(&receipt.clone().into_node()), Stanza::Receipt(receipt));
    }
}

#[test]
fn a_receipt_for_many_messages_names_each_once() {
    let receipt = ReceiptStanza {
        more_ids: vec!["B".to_owned(), "C".to_owned()],
        timestamp_s: Some(1),
        ..ReceiptStanza::new("A", Route::from(person()), ReceiptKind::Read)
    };
    assert_eq!(receipt.ids().collect::<Vec<_>>(), ["A", "B", "C"]);
    assert_eq!(over_the_wire(&receipt.clone().into_node()), Stanza::Receipt(receipt.clone()));
    let ack = receipt.ack();
    assert_eq!((ack.class, ack.kind.as_deref()), (AckClass::Receipt, Some("read")));

    let item = |id| Node::new("item").attr("id", id);
    let repeated = Node::new("receipt")
        .attr("id", "A")
        .attr("from", person())
        .child(Node::new("list").child(item("A")).child(item("B")));
    let Stanza::Receipt(receipt) = Stanza::parse(repeated) else { panic!("not a receipt") };
    assert_eq!(receipt.ids().collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn what_the_server_says_about_the_connection_survives() {
    let success = SuccessStanza {
        timestamp_s: Some(1),
        lid: Some(jid("99@lid")),
        more: vec![("location".to_owned(), Value::from("fra"))],
    };
    assert_eq!(over_the_wire(&success.clone().into_node()), Stanza::Success(success));
    let failure = FailureStanza { reason: 401 };
    assert_eq!(over_the_wire(&failure.clone().into_node()), Stanza::Failure(failure));
    let odd = Node::new("stream:error").child(Node::new("odd"));
    let replaced = StreamError::Conflict { kind: "replaced".to_owned() };
    for error in [StreamError::Code(515), replaced, StreamError::Other(odd)] {
        assert_eq!(over_the_wire(&error.clone().into_node()), Stanza::StreamError(error));
    }
    let preview = OfflinePreview { count: 10, message: 4, receipt: 3, notification: 2, appdata: 1 };
    let ib = IbStanza {
        items: vec![
            IbItem::OfflinePreview(preview),
            IbItem::Offline { count: 10 },
            IbItem::OfflineBatch { count: 100 },
            IbItem::EdgeRouting { routing: vec![1, 2, 3] },
            IbItem::Other(Node::new("dirty").attr("type", "groups")),
        ],
    };
    assert_eq!(over_the_wire(&ib.clone().into_node()), Stanza::Ib(ib));
    assert_eq!(over_the_wire(&Node::new("xmlstreamend")), Stanza::StreamEnd);
}

#[test]
fn notifications_survive_and_are_acknowledged() {
    let other = NotificationBody::Other {
        kind: "devices".to_owned(),
        content: Content::Nodes(vec![Node::new("remove")]),
    };
    for body in
        [NotificationBody::PreKeysLow { count: 4 }, NotificationBody::IdentityChanged, other]
    {
        let notification = NotificationStanza {
            id: "N".to_owned(),
            route: Route::from(person()),
            timestamp_s: Some(1),
            offline: None,
            body,
        };
        let node = notification.clone().into_node();
        let ack = notification.ack().into_node();
        assert_eq!(ack.attr_text("type"), node.attr_text("type"));
        assert_eq!(over_the_wire(&node), Stanza::Notification(notification));
    }
}

#[test]
fn signs_of_life_survive() {
    for state in [ChatState::Composing, ChatState::Recording, ChatState::Paused] {
        let chatstate = ChatstateStanza { route: Route::to(partner()), state };
        assert_eq!(over_the_wire(&chatstate.clone().into_node()), Stanza::Chatstate(chatstate));
    }
    let presence = PresenceStanza {
        route: Route::default(),
        kind: Some("available".to_owned()),
        name: Some(Personal("Joe".to_owned())),
        last_s: None,
    };
    assert_eq!(over_the_wire(&presence.clone().into_node()), Stanza::Presence(presence));
}

/// What the server understands of a query.
fn asked(query: Query) -> Query {
    let iq = query.into_iq("7").unwrap();
    match over_the_wire(&iq.into_node()) {
        Stanza::Iq(iq) => {
            assert_eq!((iq.id.as_str(), &iq.route), ("7", &Route::to(Jid::network())));
            Query::parse(&iq).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_query_is_understood_as_it_was_meant() {
    let upload = Upload {
        registration_id: 0x0102_0304,
        identity: [2; 32],
        prekeys: (1..=812).map(|id| PreKey { id, public: [5; 32] }).collect(),
        signed_prekey: bundle(None).signed_prekey,
    };
    let external = ExternalUser {
        external_id: Personal("joe@example.org".to_owned()),
        integrator: Integrator::new(12).unwrap(),
    };
    let changed = KeyRequest { identity_changed: true, ..KeyRequest::new(partner()) };
    let changes = vec![
        BlockChange { jid: partner(), blocked: true },
        BlockChange { jid: person(), blocked: false },
    ];
    for query in [
        Query::Ping,
        Query::SetActive(true),
        Query::SetActive(false),
        Query::CountPreKeys,
        Query::UploadPreKeys(upload),
        Query::FetchKeys(vec![KeyRequest::new(person()), changed]),
        Query::Digest,
        Query::Usync(Usync::lookup("s1", "4912345")),
        Query::Usync(Usync::devices("s2", [person()])),
        Query::ResolveUsers(vec![external]),
        Query::GetBlocklist(BlocklistForm::Ordinary),
        Query::GetBlocklist(BlocklistForm::Interop),
        Query::ChangeBlocklist(BlocklistForm::Ordinary, changes.clone()),
        Query::ChangeBlocklist(BlocklistForm::Interop, changes),
        Query::Report(Report { jid: person(), flow: "account_info_block".to_owned() }),
        Query::Unenlist(UnenlistForm::Account),
        Query::Unenlist(UnenlistForm::Interop),
    ] {
        assert_eq!(asked(query.clone()), query);
    }
    assert_eq!(Query::Unknown.into_iq("7"), None);
}

#[test]
fn a_query_that_nobody_knows_is_unknown_and_can_be_answered() {
    let iq = IqStanza::get("7", "w:stats", Content::Empty);
    assert_eq!(Query::parse(&iq), Ok(Query::Unknown));
    let refusal = iq.refuse(501, "feature-not-implemented");
    let Stanza::Iq(arrived) = over_the_wire(&refusal.clone().into_node()) else { panic!() };
    assert_eq!(arrived, refusal);
    assert_eq!(arrived.route, Route::from(Jid::network()));
    let error = arrived.body.into_answer().unwrap().unwrap_err();
    assert_eq!((error.code, error.text.as_str()), (501, "feature-not-implemented"));
    assert!(iq.body.into_answer().is_err());
}

/// What the asker understands of an answer.
fn answered(content: Content) -> Content {
    let iq = Query::Ping.into_iq("7").unwrap().answer(content);
    match over_the_wire(&iq.into_node()) {
        Stanza::Iq(iq) => iq.body.into_answer().unwrap().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn key_replies_survive_and_one_bad_device_does_not_cost_the_others() {
    let not_found = IqError { code: 404, text: "item-not-found".to_owned() };
    let replies = vec![
        KeyReply { jid: person(), keys: Ok(bundle(Some(PreKey { id: 1, public: [5; 32] }))) },
        KeyReply { jid: partner(), keys: Ok(bundle(None)) },
        KeyReply { jid: jid("4912345:3@s.whatsapp.net"), keys: Err(not_found) },
    ];
    let content = answered(KeyReply::into_content(replies.clone()));
    assert_eq!(KeyReply::parse(&content), Ok(replies));

    let good = KeyReply { jid: partner(), keys: Ok(bundle(None)) };
    let Content::Nodes(mut nodes) = KeyReply::into_content([good.clone()]) else { panic!() };
    let bad = Node::new("user").attr("jid", person());
    nodes[0] = nodes[0].clone().child(bad);
    let parsed = KeyReply::parse(&Content::Nodes(nodes)).unwrap();
    assert_eq!(parsed[0], good);
    assert_eq!(parsed[1].keys.as_ref().unwrap_err().code, 500);
}

#[test]
fn the_other_answers_survive() {
    assert_eq!(parse_count(&answered(count_content(4))), Ok(4));
    let blocked = vec![partner(), person()];
    assert_eq!(parse_blocklist(&answered(blocklist_content(blocked.clone()))), Ok(blocked));
    assert_eq!(parse_blocklist(&Content::Empty), Ok(Vec::new()));

    let user = ExternalUser {
        external_id: Personal("Joe@example.org".to_owned()),
        integrator: Integrator::new(12).unwrap(),
    };
    let resolved =
        Resolved { normalized_external_id: Personal("joe@example.org".to_owned()), jid: partner() };
    let forbidden = IqError { code: 403, text: "forbidden".to_owned() };
    let users = vec![
        ResolvedUser { user: user.clone(), resolved: Ok(resolved) },
        ResolvedUser { user, resolved: Err(forbidden) },
    ];
    let content = answered(ResolvedUser::into_content(users.clone()));
    assert_eq!(ResolvedUser::parse(&content), Ok(users));

    let asked = Usync::lookup("s1", "4912345");
    assert_eq!(asked.protocols, [Protocol::Contact, Protocol::Lid]);
    let phone = Some(Personal("+4912345".to_owned()));
    let devices = DeviceList {
        devices: vec![Device { id: 0, key_index: None }, Device { id: 3, key_index: Some(2) }],
        key_index_list: Some(KeyIndexList { timestamp_s: 1, signed: vec![1, 2, 3] }),
    };
    let replies = vec![
        UsyncReply {
            jid: Some(person()),
            contact: Some(Contact { registered: true, phone: phone.clone() }),
            devices: Some(devices),
            lid: Some(jid("99@lid")),
        },
        UsyncReply {
            jid: None,
            contact: Some(Contact { registered: false, phone: None }),
            devices: None,
            lid: None,
        },
    ];
    let content = answered(UsyncReply::into_content(&asked, replies.clone()));
    let parsed = UsyncReply::parse(&content).unwrap();
    assert_eq!(parsed, replies);
}

#[test]
fn malformed_stanzas_can_still_be_refused() {
    let message = Node::new("message")
        .attr("id", "A")
        .attr("from", person())
        .attr("type", "text")
        .child(Node::new("enc").bytes([1]));
    let malformed_message = malformed(message);
    assert_eq!(malformed_message.error, StanzaError { what: "type of an enc" });
    let nack = malformed_message.refuse(nack::PARSING_ERROR).unwrap();
    let Stanza::Ack(nack) = over_the_wire(&nack) else { panic!("not an ack") };
    assert_eq!((nack.id.as_str(), nack.error), ("A", Some(nack::PARSING_ERROR)));
    assert_eq!((nack.class, nack.route), (AckClass::Message, Route::to(person())));

    let query = malformed(Node::new("iq").attr("id", "B").attr("type", "get"));
    let answer = query.refuse(nack::PARSING_ERROR).unwrap();
    let Stanza::Iq(answer) = over_the_wire(&answer) else { panic!("not an iq") };
    assert!(matches!(answer.body, IqBody::Error(IqError { code: 400, .. })));

    for unanswerable in [
        Node::new("message").attr("from", person()),
        Node::new("message").attr("id", "A"),
        Node::new("receipt").attr("from", person()),
        Node::new("ack").attr("id", "A").attr("from", person()),
        Node::new("iq").attr("id", "A").attr("type", "error"),
        Node::new("iq").attr("id", "A"),
        Node::new("chatstate").attr("from", person()),
        Node::new("failure"),
    ] {
        assert_eq!(malformed(unanswerable).refuse(nack::PARSING_ERROR), None);
    }
}

#[test]
fn an_odd_address_makes_a_stanza_malformed_not_unreadable() {
    let node = Node::new("receipt").attr("id", "A").attr("from", "who?@interop");
    let malformed = malformed(node);
    assert_eq!((malformed.id.as_deref(), malformed.error.what), (Some("A"), "sender"));
}

#[test]
fn what_is_unknown_is_kept_and_can_be_acknowledged() {
    let call = Node::new("call").attr("id", "A").attr("from", person());
    assert_eq!(Stanza::parse(call.clone()), Stanza::Unknown(call.clone()));
    let ack = AckStanza::of_unknown(&call).unwrap();
    assert_eq!(ack, AckStanza::new(AckClass::Other("call".to_owned()), "A", Route::to(person())));
    assert_eq!(AckStanza::of_unknown(&Node::new("call").attr("id", "A")), None);
}

#[test]
fn debug_hides_people() {
    let message = MessageStanza {
        display_name: Some(Personal("Joe".to_owned())),
        encs: vec![Enc::new(EncKind::Message, vec![1; 100])],
        ..MessageStanza::new("A", Route::from(partner()), "text")
    };
    let lookup = Usync::lookup("s1", "4912345");
    let shown = format!("{message:?} {lookup:?}");
    assert!(shown.contains("Enc(msg, 100 bytes)"), "{shown}");
    for hidden in ["Joe", "10501234567", "4912345"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

const TAGS: &str = "\
    message ack receipt iq success failure stream:error ib presence notification chatstate \
    enc participants to list item user key skey id value signature registration identity \
    retry keys error usync query devices device-list device users blocklist offline count \
    conflict";
const NAMES: &str = "\
    id from to type t class error jid count xmlns code reason value offline integrator_id \
    external_id action";
const VALUES: &str = "\
    1 70000 -1 get set result error encrypt usync w:interop blocklist retry \
    4912345@s.whatsapp.net 12-5@interop block";

fn any_of(words: &'static str) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(words.split(' ').collect::<Vec<_>>())
}

/// Trees made of the words that stanzas are made of, so that the parsers get past their first line.
fn any_tree() -> impl Strategy<Value = Node> {
    let attr = (any_of(NAMES), any_of(VALUES))
        .prop_map(|(name, value)| (name.to_owned(), Value::from(value)));
    let leaf = (any_of(TAGS), vec(attr.clone(), 0..6), vec(any::<u8>(), 0..5))
        .prop_map(|(tag, attrs, bytes)| Node { attrs, ..Node::new(tag).bytes(bytes) });
    leaf.prop_recursive(4, 32, 5, move |inner| {
        (any_of(TAGS), vec(attr.clone(), 0..6), vec(inner, 0..5)).prop_map(
            |(tag, attrs, children)| Node { attrs, ..Node::new(tag).with_children(children) },
        )
    })
}

proptest! {
    #[test]
    fn parsing_is_total(node in any_tree()) {
        let tag = node.tag.clone();
        match Stanza::parse(node) {
            Stanza::Iq(iq) => {
                Query::parse(&iq).ok();
                if let Ok(Ok(content)) = iq.body.into_answer() {
                    KeyReply::parse(&content).ok();
                    UsyncReply::parse(&content).ok();
                    ResolvedUser::parse(&content).ok();
                    parse_blocklist(&content).ok();
                    parse_count(&content).ok();
                }
            }
            Stanza::Malformed(malformed) => {
                prop_assert_eq!(&malformed.tag, &tag);
                malformed.refuse(nack::PARSING_ERROR);
            }
            _ => {}
        }
    }
}
