//! What a person is told of the fate of one message: the status events that some clients show beside
//! it, and one notice if it failed, which is taken back if it arrives after all.

use ruma::{EventId, RoomId};
use serde_json::Value;

use super::{Framing, Speech};
use crate::{
    domain::{
        bridged::{ActAs, Delivery, Message, Portal},
        event::Event,
        ids::{Lane, PortalKey, RemoteMessageId},
        item::{Destination, OutboundEvent, OutboundNotice, OutboxItem},
        notice::{Earlier, IdentityNews, Notice},
        status::{self, STATUS},
    },
    port::{
        Failure,
        storage::{Change, SaidNotice},
    },
};

const ABOUT_LAPSED: &str = "lapsed";

type Said = Result<Vec<Change>, Failure>;

impl Speech {
    /// An event of the person is not sent, and why.
    pub(crate) async fn refused(&self, key: &PortalKey, event: &Event, notice: &Notice) -> Said {
        // Deleting succeeded, here; the notice is only a word about it.
        if *notice == Notice::Earlier(Earlier::CopyStays) {
            return self.remarked(key, event, notice).await;
        }
        let mut said = self.remarked(key, event, notice).await?;
        let name = format!("failed/{}", notice.name());
        said.extend(self.status(key, &event.id, &name, status::failed(&event.id, notice)).await?);
        Ok(said)
    }

    /// A word about an event of the person.
    pub(crate) async fn remarked(&self, key: &PortalKey, event: &Event, notice: &Notice) -> Said {
        let about = format!("{}/{}", event.id, notice.name());
        // Clients show answers to messages, and to nothing else.
        let about_contact = matches!(
            notice,
            Notice::IdentityChanged | Notice::Identity(IdentityNews::ComparisonVoid)
        );
        let framing = if event.is_message() && !about_contact {
            Framing::Answers(&event.id)
        } else {
            Framing::Plain
        };
        Ok(self.framed(key, notice, &about, framing).await?.into_iter().collect())
    }

    /// An event of the person waits.
    pub(crate) async fn pending(&self, key: &PortalKey, event: &Event) -> Said {
        self.status(key, &event.id, "pending", status::pending(&event.id)).await
    }

    /// An event of the person waits for its room key; said once.
    pub(crate) async fn awaits_key(&self, key: &PortalKey, event: &Event) -> Said {
        let framing = Framing::Answers(&event.id);
        let notice = &Notice::RoomKeyMissing;
        let mut said = self.said_once(key, notice, event.id.as_str(), framing).await?;
        said.extend(self.pending(key, event).await?);
        Ok(said)
    }

    /// The room key of an event came; the notice that it waits is edited.
    pub(crate) async fn key_came(&self, key: &PortalKey, event: &Event) -> Said {
        self.taken_back(key, event.id.as_str(), &Notice::RoomKeyCame).await
    }

    /// The room key of an event did not come; the notice that it waits is edited.
    pub(crate) async fn key_never_came(&self, key: &PortalKey, event: &Event) -> Said {
        let notice = &Notice::RoomKeyNeverCame;
        let mut said = self.taken_back(key, event.id.as_str(), notice).await?;
        let name = format!("failed/{}", notice.name());
        said.extend(self.status(key, &event.id, &name, status::failed(&event.id, notice)).await?);
        Ok(said)
    }

    /// The network's server has a message of the person.
    pub(crate) async fn sent(&self, key: &PortalKey, message: &Message) -> Said {
        let Some(event) = &message.event else { return Ok(Vec::new()) };
        self.status(key, event, "sent", status::sent(event)).await
    }

    /// The contact's device has a message of the person. If a notice said otherwise, it is edited.
    pub(crate) async fn delivered(&self, key: &PortalKey, message: &Message) -> Said {
        let Some(event) = &message.event else { return Ok(Vec::new()) };
        let mut said = self.taken_back(key, event.as_str(), &Notice::ArrivedAfterAll).await?;
        let name = match (said.is_empty(), message.delivery < Delivery::Delivered) {
            (false, _) => "delivered-after-all",
            (true, true) => "delivered",
            (true, false) => return Ok(said),
        };
        let contact = self.ports.homeserver.user_id(&ActAs::Ghost(key.ghost.clone()));
        let status = status::delivered(event, &contact);
        said.extend(self.status(key, event, name, status).await?);
        Ok(said)
    }

    /// A message that left us failed for good; said once.
    pub(crate) async fn failed(&self, key: &PortalKey, message: &Message, notice: &Notice) -> Said {
        let Some(event) = &message.event else { return Ok(Vec::new()) };
        let framing = Framing::Answers(event);
        let mut said = self.said_once(key, notice, event.as_str(), framing).await?;
        if !said.is_empty() {
            let name = format!("failed/{}", notice.name());
            said.extend(self.status(key, event, &name, status::failed(event, notice)).await?);
        }
        Ok(said)
    }

    /// What is written in a portal waits, because the network has forgotten the person; said once a
    /// portal until [`Speech::back`].
    pub(crate) async fn lapsed(&self, key: &PortalKey) -> Said {
        self.said_once(key, &Notice::Lapsed, ABOUT_LAPSED, Framing::Plain).await
    }

    /// The person is known to the network again: the next time is said anew.
    pub(crate) async fn back(&self, key: &PortalKey) -> Said {
        let said = self.ports.storage.notice(key, ABOUT_LAPSED).await?;
        let forgotten =
            Change::NoticeRemoved { portal: key.clone(), about: ABOUT_LAPSED.to_owned() };
        Ok(said.map(|_| forgotten).into_iter().collect())
    }

    /// A message of the contact cannot be read; said once.
    pub(crate) async fn unreadable(&self, key: &PortalKey, id: &RemoteMessageId) -> Said {
        let about = about_unreadable(id);
        self.said_once(key, &Notice::MessageUndecryptable, &about, Framing::Plain).await
    }

    /// A message of the contact can be read. If a notice said otherwise, it is edited.
    pub(crate) async fn readable(&self, key: &PortalKey, id: &RemoteMessageId) -> Said {
        self.taken_back(key, &about_unreadable(id), &Notice::ReadableAfterAll).await
    }

    /// A notice that is remembered, because it may turn out wrong.
    async fn said_once(
        &self,
        key: &PortalKey,
        notice: &Notice,
        about: &str,
        framing: Framing<'_>,
    ) -> Said {
        if self.ports.storage.notice(key, about).await?.is_some() {
            return Ok(Vec::new());
        }
        let said = self.framed(key, notice, &format!("{about}/{}", notice.name()), framing).await?;
        let Some(Change::OutboxAdded { lane, item: OutboxItem::Event(event) }) = said else {
            return Ok(Vec::new());
        };
        let (portal, about) = (key.clone(), about.to_owned());
        let item = OutboundNotice { event, portal: portal.clone(), about: about.clone() };
        Ok(vec![
            Change::NoticeAdded { portal, about },
            Change::OutboxAdded { lane, item: OutboxItem::Notice(item) },
        ])
    }

    async fn taken_back(&self, key: &PortalKey, about: &str, notice: &Notice) -> Said {
        let storage = &self.ports.storage;
        let Some(SaidNotice { mut event }) = storage.notice(key, about).await? else {
            return Ok(Vec::new());
        };
        if event.is_none() {
            // Its own event waits in the same lane, unless it was set aside.
            let (lane, to) = (Lane::Portal(key.clone()), Destination::Homeserver);
            if storage.outbox_next(&lane, &to).await?.is_some() {
                return Err(Failure::later("a notice to be edited is not sent yet"));
            }
            // It may have been sent between the two questions.
            event = storage.notice(key, about).await?.and_then(|said| said.event);
        }
        let mut said = vec![Change::NoticeRemoved { portal: key.clone(), about: about.to_owned() }];
        if let Some(event) = event {
            let name = format!("{about}/{}/{event}", notice.name());
            said.extend(self.framed(key, notice, &name, Framing::Replaces(&event)).await?);
        }
        Ok(said)
    }

    async fn status(&self, key: &PortalKey, about: &EventId, name: &str, content: Value) -> Said {
        if !self.ports.message_status {
            return Ok(Vec::new());
        }
        let Some(Portal { room: Some(room), .. }) = self.ports.storage.portal(key).await? else {
            return Ok(Vec::new());
        };
        let item = OutboxItem::Event(self.status_event(key, &room, about, name, content));
        Ok(vec![Change::OutboxAdded { lane: Lane::Portal(key.clone()), item }])
    }

    fn status_event(
        &self,
        key: &PortalKey,
        room: &RoomId,
        about: &EventId,
        name: &str,
        content: Value,
    ) -> OutboundEvent {
        let about = ["status", room.as_str(), about.as_str(), name];
        OutboundEvent {
            sender: ActAs::Ghost(key.ghost.clone()),
            room: room.to_owned(),
            transaction_id: self.ports.namer.transaction_id(&about),
            event_type: STATUS.to_owned(),
            content,
            shows: None,
        }
    }
}

fn about_unreadable(id: &RemoteMessageId) -> String {
    format!("undecryptable/{}", id.0)
}
