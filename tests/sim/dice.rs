//! Chance, all of it from one seed. Each user of chance has a stream of its own, so that one more throw
//! here does not change what is thrown there.

use std::{ops::Range, sync::Mutex};

use causeway::port::Entropy;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};

pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(stream);
        Self(StdRng::from_seed(hash.finalize().into()))
    }

    pub(crate) fn chance(&mut self, likely: f64) -> bool {
        self.0.random_bool(likely)
    }

    pub(crate) fn between(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// Short as a rule and seldom long; `mean` on average.
    pub(crate) fn around(&mut self, mean: u64) -> u64 {
        let halvings = self.between(0..6).min(self.between(0..6));
        (self.between(0..mean.max(1)) << halvings) >> 1
    }

    /// Up to `most`; in a third of all worlds never.
    pub(crate) fn likelihood(&mut self, most: f64) -> f64 {
        if self.chance(1.0 / 3.0) { 0.0 } else { self.0.random_range(0.0..most) }
    }
}

/// The randomness of one life of the process.
pub(crate) struct Seeded(Mutex<StdRng>);

impl Seeded {
    pub(crate) fn new(seed: u64, life: u32) -> Self {
        Self(Mutex::new(Dice::new(seed, &format!("life {life}")).0))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}
