//! The ephemeral part of a transaction. How far people read is kept, since it is told; who is typing
//! is passed on and forgotten.

use serde_json::Value;

use super::{Answer, Intake};
use crate::{
    domain::{
        bridged::{Login, Portal},
        ephemeral::{Ephemeral, ReadReceipts},
        ids::Lane,
        item::{InboxItem, ReadUpTo},
    },
    port::{
        Failure, Retry,
        storage::{InboxDraft, IntakeKey},
    },
};

impl Intake {
    /// In a commit of its own, after the events: a homeserver that sends a transaction again leaves
    /// the ephemeral part out, so that it must not be part of what makes a transaction the same.
    pub(super) async fn take_in_ephemeral(
        &self,
        id: &str,
        ephemeral: &[Value],
    ) -> Result<Answer, Failure> {
        let mut drafts = Vec::new();
        for event in ephemeral.iter().filter_map(Ephemeral::parse) {
            match event {
                Ephemeral::Read(receipts) => drafts.extend(self.read(receipts).await?),
                Ephemeral::Typing { room, users } => {
                    // Where our own alone are left, the person has stopped.
                    if let Some((portal, login)) = self.portal(&room).await? {
                        self.typing.heard(&portal.key, users.contains(&login.person));
                    }
                }
            }
        }
        if drafts.is_empty() {
            return Ok(Answer::Acknowledge);
        }
        let digest = self.ports.namer.digest_of(Value::from(ephemeral).to_string().as_bytes());
        let key = IntakeKey::Transaction(format!("{id}/ephemeral/{digest}"));
        match self.take_in(key, drafts).await {
            // A portal has just ended, and with it whom to tell.
            Err(failure) if failure.retry == Retry::Never => Ok(Answer::Acknowledge),
            answer => answer,
        }
    }

    /// What the portal's own person read; what others read is nobody's business.
    async fn read(&self, receipts: ReadReceipts) -> Result<Option<InboxDraft>, Failure> {
        let ReadReceipts { room, mut readers } = receipts;
        readers.retain(|reader, _| self.ports.homeserver.our_user(reader).is_none());
        if readers.is_empty() {
            return Ok(None);
        }
        let Some((portal, login)) = self.portal(&room).await? else { return Ok(None) };
        let events = readers.remove(&login.person);
        Ok(events.map(|events| InboxDraft {
            lane: Lane::Portal(portal.key),
            item: InboxItem::Read(ReadUpTo { room, events: events.into_iter().collect() }),
            received_at: self.ports.clock.now(),
        }))
    }

    async fn portal(&self, room: &ruma::RoomId) -> Result<Option<(Portal, Login)>, Failure> {
        let Some(portal) = self.ports.storage.portal_of_room(room).await? else {
            return Ok(None);
        };
        let login = self.ports.storage.login(&portal.key.login).await?;
        Ok(login.map(|login| (portal, login)))
    }
}
