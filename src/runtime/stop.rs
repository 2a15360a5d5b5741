//! Two-stage shutdown: *soft* means finish what you hold and take nothing new, *hard* means drop
//! it. Whatever is dropped is found again in storage.

use tokio_util::sync::CancellationToken;

/// The two tokens. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// Take nothing new.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Drop everything.
    pub fn enforce(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    pub fn begun(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Resolves when nothing new may be taken.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when everything must be dropped.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }
}
