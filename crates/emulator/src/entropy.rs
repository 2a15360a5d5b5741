//! The one place where the emulator takes randomness from. It must not know what it is for.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// A cryptographic generator, freshly seeded; it may live across an await.
#[expect(clippy::disallowed_methods, reason = "this is the place the rule points to")]
pub(crate) fn rng() -> StdRng {
    StdRng::from_rng(&mut rand::rng())
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    rng().fill_bytes(&mut out);
    out
}
