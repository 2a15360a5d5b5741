//! Fetching what a transaction lost.
//!
//! Synapse pushes to-device messages once, and to nobody while we are down; device lists fare
//! alike. It still keeps the messages for the device, so the device syncs
//! (element-hq/synapse#14710; appservice facts, 1). What was pushed before comes a second time;
//! the machine recognizes it by its hash.

use std::time::Duration;

use ruma::api::client::{
    filter::FilterDefinition,
    sync::sync_events::{self, v3::Filter},
};

use super::{MatrixCipher, failure::from_store, machines::Machine, receive::Portion};
use crate::{domain::bridged::ActAs, port::Failure};

/// Syncs in a row; each fetches up to a hundred messages and confirms those of the one before.
pub(super) const SYNCS_MAX: usize = 50;

impl MatrixCipher {
    pub(super) async fn fetch_missed_changes(&self, who: &ActAs) -> Result<(), Failure> {
        let mut machine = self.machines.open(who).await?;
        self.ensure_prepared(&mut machine).await?;
        let what = "reading the sync token";
        let mut since = machine.olm.store().next_batch_token().await.map_err(from_store(what))?;
        if since.is_none() {
            // A first sync tells no changes of device lists.
            let marked = machine.olm.mark_all_tracked_users_as_dirty().await;
            marked.map_err(from_store("marking device lists as outdated"))?;
        }
        for _ in 0..SYNCS_MAX {
            let response = self.sync(&machine, since.take()).await?;
            let is_last = response.to_device.events.is_empty();
            since = Some(response.next_batch.clone());
            let portion = Portion {
                to_device: response.to_device.events,
                device_lists: response.device_lists,
                key_counts: response.device_one_time_keys_count,
                unused_fallback_keys: response.device_unused_fallback_key_types,
                next_batch: Some(response.next_batch),
            };
            // Saved together with the token, so the next sync may confirm them.
            self.feed(&machine, portion).await?;
            if is_last {
                break;
            }
        }
        self.flush_or_remember(&machine).await;
        Ok(())
    }

    async fn sync(
        &self,
        machine: &Machine,
        since: Option<String>,
    ) -> Result<sync_events::v3::Response, Failure> {
        let mut request = sync_events::v3::Request::new();
        request.filter = Some(Filter::FilterDefinition(FilterDefinition::ignore_all()));
        request.since = since;
        request.timeout = Some(Duration::ZERO);
        let identity = self.homeserver.identity(&machine.user);
        Ok(self.homeserver.api().call("fetching missed messages", identity, request).await?)
    }
}
