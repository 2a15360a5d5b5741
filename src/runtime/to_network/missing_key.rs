//! An event whose room key has not come. For some seconds it holds its chat, because most keys come
//! after all; then the person is told, and it waits for days beside the chat, with whatever else is
//! encrypted with that key. With the key it returns to its chat, where its age gives it its place.

use super::ToNetwork;
use crate::{
    domain::{
        bridged::{ActAs, Portal},
        event::Event,
        ids::{Lane, PortalKey},
        item::RawEvent,
        limits,
        notice::Notice,
    },
    port::{
        Failure,
        room_cipher::DecryptFailure,
        storage::{Change, InboxRow},
    },
    runtime::outcome::Outcome,
};

impl ToNetwork {
    /// An event that came when older ones wait for its key, or waited until just now, goes behind them.
    pub(super) async fn behind_others(
        &self,
        row: &InboxRow,
        portal: &Portal,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<Option<Outcome>, Failure> {
        let Some(lane) = beside(&portal.key, event) else { return Ok(None) };
        let oldest = self.ports.storage.inbox_next(&lane, None).await?;
        if oldest.is_none_or(|oldest| row.id < oldest.id) {
            return Ok(None);
        }
        if !self.key_is_there(&portal.key, event, raw).await? {
            // As any event without its key; it finds the others itself.
            return Ok(None);
        }
        let due = Change::InboxLaneDue(lane.clone());
        Ok(Some(Outcome::Move { lane, changes: vec![due] }))
    }

    pub(super) async fn without_key(
        &self,
        row: &InboxRow,
        portal: &Portal,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<Outcome, Failure> {
        let Some(lane) = beside(&portal.key, event) else {
            return self.refuse(portal, event, &Notice::EventUndecryptable).await;
        };
        let (storage, now) = (&self.ports.storage, self.ports.clock.now());
        let others_wait = storage.inbox_next(&lane, None).await?.is_some();
        if !others_wait && now < row.received_at + limits::millis(limits::ROOM_KEY_WAIT) {
            if row.attempts == 0 {
                let who = ActAs::Ghost(portal.key.ghost.clone());
                self.ports.cipher.request_key(&who, &event.room, raw).await?;
            }
            let until = now + limits::millis(limits::ROOM_KEY_RETRY);
            return self.wait(row, portal, event, until).await;
        }
        if storage.awaiting_key(&portal.key).await? >= limits::AWAITING_KEY_MAX {
            let until = now + limits::millis(limits::HELD_WAIT);
            return self.wait(row, portal, event, until).await;
        }
        let changes = self.speech.awaits_key(&portal.key, event).await?;
        Ok(Outcome::Move { lane, changes })
    }

    /// An event that waits beside its chat.
    pub(crate) async fn look_for_key(
        &self,
        row: &InboxRow,
        key: &PortalKey,
        raw: &RawEvent,
    ) -> Result<Outcome, Failure> {
        let Some(event) = Event::parse(raw) else { return Err(Failure::never("malformed event")) };
        if self.key_is_there(key, &event, raw).await? {
            let changes = self.speech.key_came(key, &event).await?;
            return Ok(Outcome::Move { lane: Lane::Portal(key.clone()), changes });
        }
        let now = self.ports.clock.now();
        if now < row.received_at + limits::millis(limits::ROOM_KEY_DEADLINE) {
            let pause = limits::ROOM_KEY_BACKOFF.pause(row.attempts + 1);
            return Ok(Outcome::wait(now + limits::millis(pause)));
        }
        let changes = self.speech.key_never_came(key, &event).await?;
        Ok(Outcome::SetAside { reason: "no room key came in time".to_owned(), changes })
    }

    /// Whether there is any sense in taking the event to its chat. What it holds is not looked at.
    async fn key_is_there(
        &self,
        key: &PortalKey,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<bool, Failure> {
        match self.decrypt(&key.ghost, event, raw).await {
            Ok(_) | Err(DecryptFailure::Undecryptable(_)) => Ok(true),
            Err(DecryptFailure::MissingKey) => Ok(false),
            Err(DecryptFailure::Outside(failure)) => Err(failure),
        }
    }
}

/// Where events of a chat wait for the room key of this one.
fn beside(key: &PortalKey, event: &Event) -> Option<Lane> {
    Some(Lane::AwaitingKey(key.clone(), event.room_key()?))
}
