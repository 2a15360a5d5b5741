//! Where in its ratchet a Signal message stands: the sender's ratchet key and the counter name the message
//! key. Read from the bytes as the network sees them, and past the library that made them.

use causeway::signal::{Ciphertext, CiphertextKind};

/// Bytes of the message authentication code behind a message.
const MAC_LENGTH: usize = 8;

pub(crate) fn place(ciphertext: &Ciphertext) -> (Vec<u8>, u32) {
    let bytes = &ciphertext.bytes;
    let message = match ciphertext.kind {
        CiphertextKind::Message => bytes.clone(),
        // A version byte, and a protobuf whose field 4 is the message.
        CiphertextKind::PreKey => field(&bytes[1..], 4).expect("a message that opens a session").1,
    };
    let protobuf = &message[1..message.len() - MAC_LENGTH];
    let (_, key) = field(protobuf, 1).expect("a ratchet key");
    // The first of a chain may be left out.
    let (counter, _) = field(protobuf, 2).unwrap_or_default();
    (key, u32::try_from(counter).unwrap())
}

/// The number or the bytes of a field of a protobuf.
fn field(mut rest: &[u8], wanted: u64) -> Option<(u64, Vec<u8>)> {
    while !rest.is_empty() {
        let (tag, number) = (varint(&mut rest), varint(&mut rest));
        let is_bytes = tag & 7 == 2;
        let bytes = if is_bytes {
            let (bytes, behind) = rest.split_at(usize::try_from(number).unwrap());
            rest = behind;
            bytes.to_vec()
        } else {
            assert_eq!(tag & 7, 0, "a Signal message has numbers and bytes alone");
            Vec::new()
        };
        if tag >> 3 == wanted {
            return Some((number, bytes));
        }
    }
    None
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first().expect("a whole number");
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}
