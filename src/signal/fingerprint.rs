//! The safety number: what two people compare to know that nobody stands between them.
//!
//! The numeric form that Signal published: of each side a hash, iterated so that finding a second key
//! with the same digits is dear, as thirty digits; the smaller half comes first, so that both sides see
//! the same sixty digits.

use sha2::{Digest as _, Sha512};

use super::identity::RemoteIdentityKey;

/// How often the hash of one side is made.
const ROUNDS: u32 = 5200;
/// The first bytes of what is hashed.
const VERSION: [u8; 2] = [0, 0];
/// Before a key of Curve25519 stands its type.
const KEY_TYPE: u8 = 5;
/// Groups of five digits on each side.
const GROUPS: usize = 6;

/// One of the two.
#[derive(Debug, Clone, Copy)]
pub struct FingerprintParty<'a> {
    /// The party's long-term key.
    pub key: RemoteIdentityKey,
    /// What names the party for good. Both sides must use the same bytes for the same party.
    pub id: &'a [u8],
}

/// Sixty digits, the same from both sides.
pub fn safety_number(one: FingerprintParty<'_>, other: FingerprintParty<'_>) -> String {
    let mut halves = [half(one), half(other)];
    halves.sort_unstable();
    halves.concat()
}

fn half(FingerprintParty { key, id }: FingerprintParty<'_>) -> String {
    let key = [&[KEY_TYPE][..], key.as_bytes()].concat();
    let first = Sha512::new().chain_update(VERSION).chain_update(&key).chain_update(id);
    let mut hash = first.chain_update(&key).finalize();
    for _ in 1..ROUNDS {
        hash = Sha512::new().chain_update(hash).chain_update(&key).finalize();
    }
    let (groups, _) = hash.as_slice().as_chunks::<5>();
    let digits = |&[a, b, c, d, e]: &[u8; 5]| {
        format!("{:05}", u64::from_be_bytes([0, 0, 0, a, b, c, d, e]) % 100_000)
    };
    groups.iter().take(GROUPS).map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hex: &str) -> RemoteIdentityKey {
        RemoteIdentityKey::from_bytes(hex::decode(hex).unwrap().try_into().unwrap())
    }

    /// The vector that Signal's own libraries are tested with.
    #[test]
    fn the_published_number_of_the_published_keys() {
        let alice = FingerprintParty {
            key: key("06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"),
            id: b"+14152222222",
        };
        let bob = FingerprintParty {
            key: key("f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"),
            id: b"+14153333333",
        };
        let number = "300354477692869396892869876765458257569162576843440918079131";
        assert_eq!(safety_number(alice, bob), number);
        assert_eq!(safety_number(bob, alice), number);
        let other = FingerprintParty { id: b"+14153333334", ..bob };
        assert_ne!(safety_number(alice, other), number);
    }
}
