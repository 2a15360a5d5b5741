//! Time and randomness, which are ports like everything else.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::bridged::Timestamp;

/// The time of day, and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    async fn sleep(&self, pause: Duration);
}

/// Randomness fit for keys.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}
