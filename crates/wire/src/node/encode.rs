//! Nodes to bytes.

use wacore_binary::token::{self, TokenKind};

use super::{
    Content, MAX_ATTRS, MAX_CHILDREN, Node, NodeError, Value,
    size::{Size, check_children},
};
use crate::jid::{INTEROP, Jid, JidForm, Server};

/// The longest text that is packed two characters a byte.
const MAX_PACKED: usize = token::PACKED_MAX as usize;
const NOT_COMPRESSED: u8 = 0;
const MESSENGER: &str = "msgr";

/// Writes `node` with its leading flag byte, never compressed, JIDs of partners in `form`.
pub fn encode(node: &Node, form: JidForm) -> Result<Vec<u8>, NodeError> {
    let mut writer = Writer { out: vec![NOT_COMPRESSED], form, size: Size::default() };
    writer.node(node, 1)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    form: JidForm,
    size: Size,
}

impl Writer {
    fn node(&mut self, node: &Node, depth: usize) -> Result<(), NodeError> {
        let count = node.attrs.len();
        self.size.add_node(depth, count)?;
        let has_content = !matches!(&node.content, Content::Empty);
        self.list(1 + 2 * count + usize::from(has_content));
        self.string(&node.tag)?;
        for (name, value) in &node.attrs {
            self.string(name)?;
            match value {
                Value::Text(text) => self.string(text)?,
                Value::Jid(jid) => self.jid(jid)?,
            }
        }
        match &node.content {
            Content::Empty => Ok(()),
            Content::Text(text) => self.string(text),
            Content::Bytes(bytes) => self.raw(bytes),
            Content::Nodes(children) => self.children(children, depth),
        }
    }

    fn children(&mut self, children: &[Node], depth: usize) -> Result<(), NodeError> {
        let count = children.len();
        check_children(count)?;
        self.list(count);
        children.iter().try_for_each(|child| self.node(child, depth + 1))
    }

    fn list(&mut self, length: usize) {
        const _: () = assert!(MAX_CHILDREN <= u16::MAX as usize && 2 * MAX_ATTRS + 2 <= 255);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(0), _) => self.out.push(token::LIST_EMPTY),
            (Ok(length), _) => self.out.extend([token::LIST_8, length]),
            (_, length) => {
                self.out.push(token::LIST_16);
                let length = length.expect("lists are checked against limits below 2^16");
                self.out.extend(length.to_be_bytes());
            }
        }
    }

    fn string(&mut self, text: &str) -> Result<(), NodeError> {
        if let Some(kind) = token::index_of_token(text) {
            match kind {
                TokenKind::Single(index) => self.out.push(index),
                TokenKind::Double(dictionary, index) => {
                    self.out.extend([token::DICTIONARY_0 + dictionary, index]);
                }
            }
            return Ok(());
        }
        if !(1..=MAX_PACKED).contains(&text.len()) {
            return self.raw(text.as_bytes());
        }
        if let Some(digits) = text.bytes().map(nibble).collect::<Option<Vec<u8>>>() {
            self.packed(token::NIBBLE_8, &digits);
        } else if let Some(digits) = text.bytes().map(upper_hex).collect::<Option<Vec<u8>>>() {
            self.packed(token::HEX_8, &digits);
        } else {
            return self.raw(text.as_bytes());
        }
        Ok(())
    }

    /// Two digits a byte; the high bit of the length says that the last half is padding.
    fn packed(&mut self, tag: u8, digits: &[u8]) {
        let pairs = u8::try_from(digits.len().div_ceil(2)).expect("at most MAX_PACKED digits");
        let odd = if digits.len().is_multiple_of(2) { 0 } else { 0x80 };
        self.out.extend([tag, pairs | odd]);
        self.out.extend(digits.chunks(2).map(|pair| match *pair {
            [high, low] => high << 4 | low,
            _ => pair[0] << 4 | 0xf,
        }));
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let length = bytes.len();
        let [_, b, c, d] =
            u32::try_from(length).map_err(|_| NodeError::TooLong { length })?.to_be_bytes();
        if length < 1 << 8 {
            self.out.extend([token::BINARY_8, d]);
        } else if length < 1 << 20 {
            self.out.extend([token::BINARY_20, b, c, d]);
        } else if length < 1 << 31 {
            self.out.push(token::BINARY_32);
            self.out.extend(u32::try_from(length).expect("below 2^31").to_be_bytes());
        } else {
            return Err(NodeError::TooLong { length });
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn jid(&mut self, jid: &Jid) -> Result<(), NodeError> {
        let device = jid.device();
        match (jid.server(), device) {
            (Server::Interop(integrator), _) if self.form != JidForm::Pair250 => {
                self.out.push(token::INTEROP_JID);
                self.string(jid.user())?;
                self.out.extend(device.to_be_bytes());
                self.out.extend(integrator.get().to_be_bytes());
                match self.form {
                    JidForm::Interop245WithServer => self.string(INTEROP),
                    JidForm::Interop245Bare | JidForm::Pair250 => Ok(()),
                }
            }
            (Server::Other(name), _) if name == MESSENGER => {
                self.out.push(token::FB_JID);
                self.string(jid.user())?;
                self.out.extend(device.to_be_bytes());
                self.string(name)
            }
            (server, 1..) => match (domain_of(server), u8::try_from(device)) {
                (Some(domain), Ok(device)) => {
                    self.out.extend([token::AD_JID, domain, device]);
                    self.string(jid.user())
                }
                _ => self.pair(&format!("{}:{device}", jid.local_part()), server),
            },
            (server, 0) => self.pair(&jid.local_part(), server),
        }
    }

    fn pair(&mut self, local: &str, server: &Server) -> Result<(), NodeError> {
        self.out.push(token::JID_PAIR);
        if local.is_empty() {
            self.out.push(token::LIST_EMPTY);
        } else {
            self.string(local)?;
        }
        self.string(server.as_str())
    }
}

/// The byte that stands for a server in tag 247; others cannot have devices there.
fn domain_of(server: &Server) -> Option<u8> {
    match server {
        Server::Phone => Some(0),
        Server::Lid => Some(1),
        Server::Other(name) if name == "hosted" => Some(128),
        Server::Other(name) if name == "hosted.lid" => Some(129),
        Server::Interop(_) | Server::Other(_) => None,
    }
}

fn nibble(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'-' => Some(10),
        b'.' => Some(11),
        _ => None,
    }
}

fn upper_hex(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}
