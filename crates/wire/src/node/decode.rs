//! Bytes to nodes: total and bounded, whatever the bytes.

use wacore_binary::{token, zlib_pool::decompress_zlib_pooled};

use super::{
    Content, MAX_INFLATED, Node, NodeError, Value,
    size::{Size, check_children},
};
use crate::jid::{INTEROP, Jid};

const COMPRESSED: u8 = 2;

/// Reads one node and its leading flag byte, inflating it if it says so.
pub fn decode(bytes: &[u8]) -> Result<Node, NodeError> {
    let (flags, packed) = bytes.split_first().ok_or(NodeError::CutShort)?;
    if flags & COMPRESSED == 0 {
        return decode_inflated(packed);
    }
    let inflated = decompress_zlib_pooled(packed, MAX_INFLATED as u64);
    decode_inflated(&inflated.map_err(|_| NodeError::Inflate)?)
}

fn decode_inflated(bytes: &[u8]) -> Result<Node, NodeError> {
    let mut reader = Reader { rest: bytes, size: Size::default() };
    let node = reader.node(1)?;
    match reader.rest.len() {
        0 => Ok(node),
        count => Err(NodeError::Trailing { count }),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    size: Size,
}

impl<'a> Reader<'a> {
    fn node(&mut self, depth: usize) -> Result<Node, NodeError> {
        let list = self.u8()?;
        let length = self.list_length(list)?;
        if length == 0 {
            return Err(NodeError::UnexpectedTag { tag: list });
        }
        let count = (length - 1) / 2;
        self.size.add_node(depth, count)?;
        let tag = self.name()?;
        let attrs = (0..count)
            .map(|_| Ok((self.name()?, self.value()?)))
            .collect::<Result<Vec<_>, NodeError>>()?;
        let has_content = length.is_multiple_of(2);
        let content = if has_content { self.content(depth)? } else { Content::Empty };
        Ok(Node { tag, attrs, content })
    }

    fn content(&mut self, depth: usize) -> Result<Content, NodeError> {
        match self.u8()? {
            token::LIST_EMPTY => Ok(Content::Empty),
            list @ (token::LIST_8 | token::LIST_16) => {
                let count = self.list_length(list)?;
                check_children(count)?;
                let children =
                    (0..count).map(|_| self.node(depth + 1)).collect::<Result<_, _>>()?;
                Ok(Content::Nodes(children))
            }
            tag @ (token::BINARY_8 | token::BINARY_20 | token::BINARY_32) => {
                Ok(Content::Bytes(self.raw(tag)?.to_vec()))
            }
            tag => match self.value_of(tag)? {
                Value::Text(text) => Ok(Content::Text(text)),
                Value::Jid(jid) => Ok(Content::Text(jid.to_string())),
            },
        }
    }

    fn list_length(&mut self, tag: u8) -> Result<usize, NodeError> {
        match tag {
            token::LIST_EMPTY => Ok(0),
            token::LIST_8 => self.u8().map(usize::from),
            token::LIST_16 => self.u16().map(usize::from),
            tag => Err(NodeError::UnexpectedTag { tag }),
        }
    }

    /// A tag or the name of an attribute: text, never a JID and never absent.
    fn name(&mut self) -> Result<String, NodeError> {
        match self.u8()? {
            tag @ (token::LIST_EMPTY
            | token::JID_PAIR
            | token::AD_JID
            | token::FB_JID
            | token::INTEROP_JID) => Err(NodeError::UnexpectedTag { tag }),
            tag => self.text(tag),
        }
    }

    fn value(&mut self) -> Result<Value, NodeError> {
        let tag = self.u8()?;
        self.value_of(tag)
    }

    fn value_of(&mut self, tag: u8) -> Result<Value, NodeError> {
        match tag {
            token::LIST_EMPTY => Ok(Value::Text(String::new())),
            token::JID_PAIR => {
                let user = self.optional_text()?;
                let server = self.name()?;
                if user.is_empty() {
                    return Ok(Jid::from_server_name(&server)
                        .map_or_else(|_| Value::Text(server), Value::Jid));
                }
                Ok(value_of_names(&user, &server))
            }
            token::AD_JID => {
                let domain = self.u8()?;
                let device = self.u8()?;
                let server = server_of(domain).ok_or(NodeError::UnexpectedTag { tag: domain })?;
                let user = self.name()?;
                Ok(value_of_names(&format!("{user}:{device}"), server))
            }
            token::FB_JID => {
                let user = self.name()?;
                let device = self.u16()?;
                let server = self.name()?;
                Ok(value_of_names(&format!("{user}:{device}"), &server))
            }
            token::INTEROP_JID => {
                let user = self.name()?;
                let device = self.u16()?;
                let integrator = self.u16()?;
                self.skip_interop_server();
                Ok(value_of_names(&format!("{integrator}-{user}:{device}"), INTEROP))
            }
            tag => self.text(tag).map(Value::Text),
        }
    }

    /// Tag 245 comes with and without its server, and nothing says which. The server is not in the
    /// dictionary, so as a text of its own it has one spelling, and the network has no attribute of
    /// that name that could follow instead (network facts 2.2).
    fn skip_interop_server(&mut self) {
        const SPELLED: &[u8] = b"\xfc\x07interop";
        if let Some(rest) = self.rest.strip_prefix(SPELLED) {
            self.rest = rest;
        }
    }

    fn optional_text(&mut self) -> Result<String, NodeError> {
        match self.u8()? {
            token::LIST_EMPTY => Ok(String::new()),
            tag => self.text(tag),
        }
    }

    fn text(&mut self, tag: u8) -> Result<String, NodeError> {
        match tag {
            token::BINARY_8 | token::BINARY_20 | token::BINARY_32 => {
                let bytes = self.raw(tag)?;
                let text = std::str::from_utf8(bytes).map_err(|_| NodeError::NotUtf8)?;
                Ok(text.to_owned())
            }
            token::NIBBLE_8 | token::HEX_8 => self.packed(tag),
            token::DICTIONARY_0..=token::DICTIONARY_3 => {
                let index = self.u8()?;
                token::get_double_token(tag - token::DICTIONARY_0, index)
                    .map(str::to_owned)
                    .ok_or(NodeError::UnexpectedTag { tag: index })
            }
            // Index 0 of the dictionary is the empty text, but the byte 0 is the empty list.
            1.. => token::get_single_token(tag)
                .map(str::to_owned)
                .ok_or(NodeError::UnexpectedTag { tag }),
            0 => Err(NodeError::UnexpectedTag { tag }),
        }
    }

    fn packed(&mut self, tag: u8) -> Result<String, NodeError> {
        let head = self.u8()?;
        let bytes = self.take(usize::from(head & 0x7f))?;
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let count = (2 * bytes.len()).saturating_sub(usize::from(head >> 7));
        digits
            .take(count)
            .map(|digit| match (tag, digit) {
                (_, 0..=9) => Ok(char::from(b'0' + digit)),
                (token::HEX_8, 10..=15) => Ok(char::from(b'A' + digit - 10)),
                (token::NIBBLE_8, 10) => Ok('-'),
                (token::NIBBLE_8, 11) => Ok('.'),
                _ => Err(NodeError::UnexpectedTag { tag: digit }),
            })
            .collect()
    }

    fn raw(&mut self, tag: u8) -> Result<&'a [u8], NodeError> {
        let length = match tag {
            token::BINARY_8 => u32::from(self.u8()?),
            token::BINARY_20 => {
                let [a, b, c] = self.array()?;
                u32::from_be_bytes([0, a & 0xf, b, c])
            }
            _ => u32::from_be_bytes(self.array()?),
        };
        self.take(usize::try_from(length).map_err(|_| NodeError::CutShort)?)
    }

    fn u8(&mut self) -> Result<u8, NodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, NodeError> {
        self.array().map(u16::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(NodeError::CutShort)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], NodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(NodeError::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn value_of_names(local: &str, server: &str) -> Value {
    Jid::from_names(local, server)
        .map_or_else(|_| Value::Text(format!("{local}@{server}")), Value::Jid)
}

fn server_of(domain: u8) -> Option<&'static str> {
    match domain {
        0 => Some(crate::jid::PHONE),
        1 => Some(crate::jid::LID),
        129 => Some("hosted.lid"),
        128.. if domain.is_multiple_of(2) => Some("hosted"),
        _ => None,
    }
}
