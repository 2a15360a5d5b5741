use proptest::{collection::vec, prelude::*};
use wacore_binary::{
    Node as OracleNode, NodeContent, NodeRef, NodeValue,
    builder::NodeBuilder,
    marshal::{marshal, unmarshal_ref},
};

use super::*;
use crate::jid::{Integrator, JidForm, Server};

const FORMS: [JidForm; 3] =
    [JidForm::Pair250, JidForm::Interop245WithServer, JidForm::Interop245Bare];

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// The example in Meta's public documentation (network facts 1.5), with its two known slips put
/// right: the id's length is 21, not 14, and the bytes of `to` say 15, not what the XML beside it says.
#[test]
fn the_published_example_decodes() {
    let bytes = [
        &[0, 248, 12, 19][..],
        &[17, 250, 255, 134, 20, 21, 85, 81, 0, 31, 3],
        &[6, 250, 255, 134, 20, 21, 85, 81, 0, 15, 3],
        &[8, 252, 6, 49, 50, 51, 52, 53, 54],
        &[4, 56],
        &[24, 252, 3],
        b"joe",
        &[248, 1, 248, 2, 237, 117, 252, 21],
        b"Body text of message.",
    ]
    .concat();
    let expected = Node::new("message")
        .attr("to", jid("14155551001@s.whatsapp.net"))
        .attr("from", jid("14155551000@s.whatsapp.net"))
        .attr("id", "123456")
        .attr("type", "text")
        .attr("notify", "joe")
        .child(Node::new("body").bytes(*b"Body text of message."));
    assert_eq!(decode(&bytes), Ok(expected));
}

#[test]
fn every_form_of_an_interop_jid_is_understood() {
    let pair = b"\xfa\xff\x07\x12\xa1\x05\x01\x23\x45\x67\xfc\x07interop".as_slice();
    let account = b"\xf5\xff\x86\x10\x50\x12\x34\x56\x7f\x00\x00\x00\x0c".as_slice();
    let with_server = [account, b"\xfc\x07interop"].concat();
    let text = b"\xfc\x18\x31\x32-10501234567:0@interop";
    let text = [b"\xfc\x18".as_slice(), &text[2..]].concat();
    for packed in [pair, account, &with_server, &text] {
        let node =
            decode(&[b"\x00\xf8\x05\x13\x11", packed, b"\x08\xff\x01\x77"].concat()).unwrap();
        assert_eq!(node.attr_jid("to"), Ok(Some(jid("12-10501234567@interop"))));
        assert_eq!(node.attr_text("id"), Some("77"));
    }
}

#[test]
fn interop_jids_are_written_in_the_form_asked_for() {
    let node = Node::new("message").attr("to", jid("12-10501234567@interop"));
    let check = |form, expected: &[u8]| assert_eq!(encode(&node, form).unwrap(), expected);
    check(
        JidForm::Pair250,
        b"\x00\xf8\x03\x13\x11\xfa\xff\x07\x12\xa1\x05\x01\x23\x45\x67\xfc\x07interop",
    );
    check(
        JidForm::Interop245WithServer,
        b"\x00\xf8\x03\x13\x11\xf5\xff\x86\x10\x50\x12\x34\x56\x7f\x00\x00\x00\x0c\xfc\x07interop",
    );
    check(
        JidForm::Interop245Bare,
        b"\x00\xf8\x03\x13\x11\xf5\xff\x86\x10\x50\x12\x34\x56\x7f\x00\x00\x00\x0c",
    );
}

#[test]
fn a_packed_jid_that_is_none_of_ours_becomes_text() {
    let node = decode(b"\x00\xf8\x03\x13\x11\xfa\xfc\x03a b\x03").unwrap();
    assert_eq!(node.attr_text("to"), Some("a b@s.whatsapp.net"));
}

#[test]
fn devices_and_servers_survive() {
    for text in [
        "4912345:3@s.whatsapp.net",
        "4912345:3@lid",
        "4912345:3@hosted",
        "4912345:300@msgr",
        "4912345:300@lid",
        "4912345:7@newsletter",
        "s.whatsapp.net",
        "g.us",
        "123-456@g.us",
        "status@broadcast",
    ] {
        let node = Node::new("receipt").attr("from", jid(text));
        let packed = encode(&node, JidForm::default()).unwrap();
        assert_eq!(decode(&packed), Ok(node), "{text}");
    }
}

fn round_trip(node: &Node) -> Result<Node, NodeError> {
    decode(&encode(node, JidForm::default())?)
}

fn nested(depth: usize) -> Node {
    (1..depth).fold(Node::new("leaf"), |inner, _| Node::new("list").child(inner))
}

#[test]
fn depth_attributes_children_and_nodes_are_bounded() {
    let with_attrs =
        |count: usize| (0..count).fold(Node::new("a"), |node, n| node.attr(&format!("k{n}"), "v"));
    let with_children =
        |count: usize| Node::new("list").with_children((0..count).map(|_| Node::new("item")));
    let wide = |nodes: usize| {
        let full = (nodes - 1) / 1024;
        let rest = nodes - 1 - full * 1024;
        let children = (0..full).map(|_| with_children(1023));
        Node::new("list").with_children(children.chain((0..rest).map(|_| Node::new("item"))))
    };
    let check = |at: &Node, past: &Node, error: NodeError| {
        assert_eq!(round_trip(at).as_ref(), Ok(at));
        assert_eq!(encode(past, JidForm::default()), Err(error));
    };
    check(&nested(MAX_DEPTH), &nested(MAX_DEPTH + 1), NodeError::TooDeep);
    let count = MAX_ATTRS + 1;
    check(&with_attrs(MAX_ATTRS), &with_attrs(count), NodeError::TooManyAttrs { count });
    let count = MAX_CHILDREN + 1;
    let (at, past) = (with_children(MAX_CHILDREN), with_children(count));
    check(&at, &past, NodeError::TooManyChildren { count });
    check(&wide(MAX_NODES), &wide(MAX_NODES + 1), NodeError::TooManyNodes);
    let full = MAX_ATTRS_IN_ALL / MAX_ATTRS;
    let at = Node::new("list").with_children((0..full).map(|_| with_attrs(MAX_ATTRS)));
    let past = at.clone().attr("k", "v");
    let bytes = encode(&at, JidForm::default()).unwrap();
    check(&at, &past, NodeError::TooManyAttrsInAll);
    let past = [b"\x00\xf8\x04".as_slice(), &bytes[3..4], b"\x08\x08", &bytes[4..]].concat();
    assert_eq!(decode(&past), Err(NodeError::TooManyAttrsInAll));
}

#[test]
fn bytes_past_the_limits_are_refused() {
    let deep = |depth: usize| {
        [b"\x00".to_vec(), b"\xf8\x02\x02\xf8\x01".repeat(depth - 1), b"\xf8\x01\x02".to_vec()]
            .concat()
    };
    assert!(decode(&deep(MAX_DEPTH)).is_ok());
    assert_eq!(decode(&deep(MAX_DEPTH + 1)), Err(NodeError::TooDeep));

    let wide = |count: usize| {
        let length = u16::try_from(count).unwrap().to_be_bytes();
        [b"\x00\xf8\x02\x02\xf9".to_vec(), length.to_vec(), b"\xf8\x01\x02".repeat(count)].concat()
    };
    assert!(decode(&wide(MAX_CHILDREN)).is_ok());
    let count = MAX_CHILDREN + 1;
    assert_eq!(decode(&wide(count)), Err(NodeError::TooManyChildren { count }));

    let attrs = |count: usize| {
        let length = u16::try_from(2 * count + 1).unwrap().to_be_bytes();
        [b"\x00\xf9".to_vec(), length.to_vec(), b"\x02".to_vec(), b"\x08\x08".repeat(count)]
            .concat()
    };
    assert!(decode(&attrs(MAX_ATTRS)).is_ok());
    let count = MAX_ATTRS + 1;
    assert_eq!(decode(&attrs(count)), Err(NodeError::TooManyAttrs { count }));

    let many = |children: usize| {
        let inner = wide(MAX_CHILDREN)[1..].to_vec();
        let length = u8::try_from(children + 1).unwrap();
        let rest = MAX_NODES - 1 - children * (MAX_CHILDREN + 1);
        let last = wide(rest - 1)[1..].to_vec();
        [vec![0, 248, 2, 2, 248, length], inner.repeat(children), last].concat()
    };
    let fitting = many(3);
    assert!(decode(&fitting).is_ok());
    let mut past = fitting;
    past[5] += 1;
    past.extend(b"\xf8\x01\x02");
    assert_eq!(decode(&past), Err(NodeError::TooManyNodes));
}

/// Stored deflate blocks, so that the test needs no compressor.
fn zlib_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

#[test]
fn compressed_nodes_are_read_up_to_the_limit() {
    let overhead = encode(&Node::new("a").bytes(vec![0; 1 << 20]), JidForm::default()).unwrap();
    let overhead = overhead.len() - 1 - (1 << 20);
    let of_size = |size: usize| {
        let node = Node::new("a").bytes(vec![7; size - overhead]);
        let compressed = zlib_stored(&encode(&node, JidForm::default()).unwrap()[1..]);
        (decode(&compressed), node)
    };
    let (decoded, node) = of_size(MAX_INFLATED);
    assert_eq!(decoded, Ok(node));
    assert_eq!(of_size(MAX_INFLATED + 1).0, Err(NodeError::Inflate));
    assert_eq!(decode(b"\x02not zlib"), Err(NodeError::Inflate));
}

#[test]
fn damaged_bytes_say_what_is_wrong() {
    assert_eq!(decode(b""), Err(NodeError::CutShort));
    assert_eq!(decode(b"\x00"), Err(NodeError::CutShort));
    assert_eq!(decode(b"\x00\x00"), Err(NodeError::UnexpectedTag { tag: 0 }));
    assert_eq!(decode(b"\x00\xf8\x01\x13\x13"), Err(NodeError::Trailing { count: 1 }));
    assert_eq!(decode(b"\x00\xf8\x01\xfc\x01\xff"), Err(NodeError::NotUtf8));
    assert_eq!(decode(b"\x00\xf8\x03\x13\xfa\x03"), Err(NodeError::UnexpectedTag { tag: 250 }));
    assert_eq!(decode(b"\x00\xf8\x02\x13\xff\x01\xcc"), Err(NodeError::UnexpectedTag { tag: 12 }));
}

#[test]
fn debug_shows_the_shape_and_nobody() {
    let node = Node::new("message")
        .attr("id", "3EB0")
        .attr("notify", "Joe")
        .attr("from", jid("4912345@s.whatsapp.net"))
        .attr("participant", "4912345@s.whatsapp.net")
        .child(Node::new("body").bytes(*b"secret"));
    let shown = format!("{node:?}");
    assert_eq!(
        shown,
        "<message id=\"3EB0\" notify=… from=Jid(…:0@s.whatsapp.net) participant=… \
         [<body 6 bytes>]>"
    );
}

fn to_oracle(node: &Node) -> OracleNode {
    let value = |value: &Value| match value {
        Value::Text(text) => NodeValue::from(text.as_str()),
        Value::Jid(jid) => NodeValue::from(jid.to_string().parse::<wacore_binary::Jid>().unwrap()),
    };
    let tag: &'static str = String::leak(node.tag.clone());
    let builder = node.attrs.iter().fold(NodeBuilder::new(tag), |builder, (name, held)| {
        let name: &'static str = String::leak(name.clone());
        builder.attr(name, value(held))
    });
    let mut oracle = match &node.content {
        Content::Nodes(children) => builder.children(children.iter().map(to_oracle)).build(),
        Content::Bytes(bytes) => builder.bytes(bytes.clone()).build(),
        Content::Empty | Content::Text(_) => builder.build(),
    };
    if let Content::Text(text) = &node.content {
        oracle.content = Some(NodeContent::String(text.as_str().into()));
    }
    oracle
}

fn same_as_oracle(oracle: &NodeRef<'_>, node: &Node) -> bool {
    let oracle = oracle.to_owned();
    oracle == to_oracle(node)
}

const WORDS: [&str; 8] =
    ["message", "type", "s.whatsapp.net", "body", "w:interop", "0123-4.5", "3EB0AF", "Grüße 🦀"];

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&WORDS).prop_map(str::to_owned),
        "[0-9.-]{1,130}",
        "[0-9A-F]{1,130}",
        "[a-z ]{1,300}",
    ]
}

fn any_jid(partners: bool) -> impl Strategy<Value = Jid> {
    let person = ("[0-9]{5,15}", 0_u16..=255, any::<bool>()).prop_map(|(user, device, lid)| {
        Jid::new(&user, if lid { Server::Lid } else { Server::Phone }, device).unwrap()
    });
    let partner = (1_u16..=999, 1_u64..).prop_map(|(integrator, account)| {
        Jid::interop(Integrator::new(integrator).unwrap(), account).unwrap()
    });
    if partners { prop_oneof![person, partner].boxed() } else { person.boxed() }
}

/// Nodes whose attributes have different names (the oracle keeps a map) and whose content has one
/// spelling.
fn any_node(partners: bool) -> impl Strategy<Value = Node> {
    let value =
        prop_oneof![any_word().prop_map(Value::Text), any_jid(partners).prop_map(Value::Jid)];
    let attrs = vec(value, 0..5).prop_map(|values| {
        values.into_iter().enumerate().map(|(n, value)| (format!("k{n}"), value)).collect()
    });
    let childless = prop_oneof![
        Just(Content::Empty),
        vec(any::<u8>(), 0..300).prop_map(Content::Bytes),
        "[0-9.-]{1,127}".prop_map(Content::Text),
    ];
    let leaf = (any_word(), attrs.clone(), childless).prop_map(|(tag, attrs, content)| Node {
        tag,
        attrs,
        content,
    });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (any_word(), attrs.clone(), vec(inner, 1..4)).prop_map(|(tag, attrs, children)| Node {
            tag,
            attrs,
            content: Content::Nodes(children),
        })
    })
}

proptest! {
    #[test]
    fn nodes_round_trip_in_every_form(node in any_node(true)) {
        for form in FORMS {
            prop_assert_eq!(decode(&encode(&node, form).unwrap()), Ok(node.clone()));
        }
    }

    #[test]
    fn bytes_agree_with_the_oracle(node in any_node(false)) {
        let ours = encode(&node, JidForm::default()).unwrap();
        prop_assert_eq!(&ours, &marshal(&to_oracle(&node)).unwrap());
        prop_assert!(same_as_oracle(&unmarshal_ref(&ours[1..]).unwrap(), &node));
        prop_assert_eq!(decode(&ours), Ok(node));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        decode(&bytes).ok();
    }

    #[test]
    fn damaged_nodes_never_panic(node in any_node(true), place in any::<u16>(), byte: u8) {
        for form in FORMS {
            let mut bytes = encode(&node, form).unwrap();
            let place = usize::from(place) % bytes.len();
            bytes[place] = byte;
            if let Ok(other) = decode(&bytes) {
                prop_assert!(encode(&other, form).is_ok());
            }
            decode(&bytes[..place]).ok();
        }
    }
}
