//! The fields of an encoded protobuf, one at a time. A whole `Message` is never decoded: what we do
//! not understand must not be able to spoil what we do.

use waproto::buffa::encoding::{Tag, WireType, decode_varint, skip_field};

use super::MessageError;

/// The most entries of a list that are read; how many more there are is counted.
pub const MAX_LISTED: usize = 256;

/// The value of a field, as far as we tell them apart.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u64),
    Double(f64),
    Other,
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) | Self::Double(_) | Self::Other => &[],
        }
    }
}

/// An encoded protobuf of which every field can be told from the next. Looking a field up reads all
/// of it again, so that nothing is kept of what a stranger sent.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MessageError> {
        fields(bytes).try_for_each(|field| field.map(drop))?;
        Ok(Self(bytes))
    }

    /// The last value of a field counts, as in any protobuf.
    fn last(self, number: u32) -> Option<Value<'a>> {
        fields(self.0)
            .filter_map(Result::ok)
            .filter(|(found, _)| *found == number)
            .last()
            .map(|(_, value)| value)
    }

    pub(super) fn bytes(self, number: u32) -> &'a [u8] {
        self.last(number).map_or(&[], Value::bytes)
    }

    /// `None` if it is not set or blank. What is no UTF-8 is shown as such.
    pub(super) fn text(self, number: u32) -> Option<String> {
        readable(self.bytes(number))
    }

    /// Zero if it is not set.
    pub(super) fn number(self, number: u32) -> u64 {
        match self.last(number) {
            Some(Value::Number(value)) => value,
            _ => 0,
        }
    }

    /// A number that people count with: pixels, seconds. Zero if it is not set or too large.
    pub(super) fn count(self, number: u32) -> u32 {
        self.number(number).try_into().unwrap_or(0)
    }

    pub(super) fn flag(self, number: u32) -> bool {
        self.number(number) != 0
    }

    pub(super) fn double(self, number: u32) -> Option<f64> {
        match self.last(number) {
            Some(Value::Double(value)) => Some(value),
            _ => None,
        }
    }

    /// Every value of a repeated field.
    pub(super) fn each(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        fields(self.0)
            .filter_map(Result::ok)
            .filter(move |(found, _)| *found == number)
            .map(|(_, value)| value.bytes())
    }

    /// The first [`MAX_LISTED`] of a repeated field that `read` can read, and how many more there
    /// are.
    pub(super) fn list<T>(
        self,
        number: u32,
        read: impl Fn(&'a [u8]) -> Option<T>,
    ) -> (Vec<T>, usize) {
        let mut listed = self.each(number).filter_map(read);
        let items = listed.by_ref().take(MAX_LISTED).collect();
        (items, listed.count())
    }
}

/// Bytes as a text for people; `None` if there is nothing to read.
pub(super) fn readable(bytes: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.trim().is_empty())
}

/// The bytes of field `number`, empty if it is not set; the last one counts, as in any protobuf.
pub(super) fn bytes_of(message: &[u8], number: u32) -> Result<&[u8], MessageError> {
    fields(message).try_fold(&[][..], |earlier, field| {
        let (found, value) = field?;
        Ok(if found == number { value.bytes() } else { earlier })
    })
}

pub(super) fn text(bytes: &[u8]) -> Result<String, MessageError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| MessageError::NotAMessage)
}

/// The fields, in order.
pub(super) fn fields(
    mut rest: &[u8],
) -> impl Iterator<Item = Result<(u32, Value<'_>), MessageError>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or(MessageError::NotAMessage))
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let tag = Tag::decode(rest).ok()?;
    let value = match tag.wire_type() {
        WireType::Varint => Value::Number(decode_varint(rest).ok()?),
        WireType::LengthDelimited => {
            let length = decode_varint(rest).ok()?.try_into().ok()?;
            let (value, later) = rest.split_at_checked(length)?;
            *rest = later;
            Value::Bytes(value)
        }
        WireType::Fixed64 => {
            let (value, later) = rest.split_first_chunk()?;
            *rest = later;
            Value::Double(f64::from_le_bytes(*value))
        }
        _ => {
            skip_field(tag, rest).ok()?;
            Value::Other
        }
    };
    Some((tag.field_number(), value))
}
