//! Where a check's database is: a file of its own, or a database of its own on the PostgreSQL server.

use std::sync::Arc;

use causeway::{port::Entropy, storage::SqlStorage};
use sqlx::{AnyPool, any::AnyPoolOptions};

use crate::support::{place::DatabaseFolder, postgres};

pub(super) const MASTER_KEY: [u8; 32] = [7; 32];

#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: String,
    /// Removed with the place.
    pub(super) folder: Option<DatabaseFolder>,
}

impl Place {
    pub(super) fn sqlite() -> Self {
        let folder = DatabaseFolder::new();
        Self { url: folder.sqlite_url(), folder: Some(folder) }
    }

    pub(super) async fn postgres() -> Self {
        Self { url: postgres::new_database().await.unwrap(), folder: None }
    }

    pub(super) async fn open(&self) -> SqlStorage {
        SqlStorage::open(&self.url, MASTER_KEY, dice()).await.unwrap()
    }

    /// The database past the port: what an attacker or an operator sees. There need be none yet.
    pub(super) async fn raw(&self) -> AnyPool {
        sqlx::any::install_default_drivers();
        let made = if self.folder.is_some() { "?mode=rwc" } else { "" };
        let url = format!("{}{made}", self.url);
        AnyPoolOptions::new().max_connections(1).connect(&url).await.unwrap()
    }
}

pub(super) fn dice() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}
