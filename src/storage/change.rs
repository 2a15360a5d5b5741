//! A list of changes as one unit of work: each change goes to the file of its table.

use super::{
    choices, consent, counter,
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
    ghost, hosted_media, inbox, login, management_room, message, notice, outbox, portal, prekey,
    reaction, reading, session, setting,
};
use crate::{domain::bridged::Direction, port::storage::Change};

pub(super) struct Commit<'c>(pub(super) &'c [Change]);

impl UnitOfWork for Commit<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        let leaving =
            self.0.iter().filter(|change| matches!(change, Change::OutboxAdded { .. })).count();
        let mut outbox_id = 0;
        if leaving > 0 {
            outbox_id = counter::reserve(writer, "outbox", leaving).await?;
        }
        for change in self.0 {
            if matches!(change, Change::OutboxAdded { .. }) {
                outbox_id += 1;
            }
            apply(writer, change, outbox_id).await?;
        }
        Ok(Verdict::Keep(()))
    }
}

async fn apply(writer: &mut Writer<'_>, change: &Change, outbox_id: i64) -> Result<(), Error> {
    match change {
        Change::ConsentSaved(consent) => consent::save(writer, consent).await,
        Change::ManagementRoomSaved { person, room } => {
            management_room::save(writer, person, room).await
        }
        Change::LoginAdded { login, keys } => login::add(writer, login, keys).await,
        Change::LoginEnlisted { login, network_id } => {
            login::enlist(writer, login, network_id).await
        }
        Change::LoginStateSet { login, state } => login::set_state(writer, login, *state).await,
        Change::LoginRemoved(login) => login::remove(writer, login).await,
        Change::ChoicesSaved { login, choices } => choices::save(writer, login, *choices).await,
        Change::GhostSaved(ghost) => ghost::save(writer, ghost).await,
        Change::PortalSaved(portal) => portal::save(writer, portal).await,
        Change::PreKeysAdded { login, prekeys } => prekey::add(writer, login, prekeys).await,
        Change::PreKeySpent { login, id } => prekey::spend(writer, login, *id).await,
        Change::SessionSaved { session, record, identity } => {
            session::save(writer, session, record, identity).await
        }
        Change::MessageAdded(message) => message::add(writer, message).await,
        Change::MessageShown { portal, remote_id, event } => {
            message::set_event(writer, portal, remote_id, event).await
        }
        Change::MessageDelivery { portal, remote_id, delivery } => {
            message::move_forward(writer, portal, remote_id, Direction::ToNetwork, *delivery).await
        }
        Change::MessagesRead { portal, messages } => reading::mark(writer, portal, messages).await,
        Change::ReactionSaved(reaction) => reaction::save(writer, reaction).await,
        Change::ReactionRemoved { portal, direction, target } => {
            reaction::remove(writer, portal, *direction, target).await
        }
        Change::NoticeAdded { portal, about } => notice::add(writer, portal, about).await,
        Change::NoticeShown { portal, about, event } => {
            notice::set_event(writer, portal, about, event).await
        }
        Change::NoticeRemoved { portal, about } => notice::remove(writer, portal, about).await,
        Change::RetryAsked { portal, remote_id } => {
            message::count_retry(writer, portal, remote_id).await
        }
        Change::MediaHosted(media) => hosted_media::add(writer, media).await,
        Change::MediaForgotten(name) => hosted_media::remove(writer, name).await,
        Change::InboxDone(id) => inbox::remove(writer, *id).await,
        Change::InboxParked { id, until, attempts } => {
            inbox::park(writer, *id, *until, *attempts).await
        }
        Change::InboxMoved { id, lane } => inbox::move_to(writer, *id, lane).await,
        Change::InboxQuarantined { id, reason } => inbox::quarantine(writer, *id, reason).await,
        Change::OutboxAdded { lane, item } => outbox::add(writer, outbox_id, lane, item).await,
        Change::OutboxDone(id) => outbox::remove(writer, *id).await,
        Change::OutboxParked { id, until, attempts } => {
            outbox::park(writer, *id, *until, *attempts).await
        }
        Change::OutboxQuarantined { id, reason } => outbox::quarantine(writer, *id, reason).await,
        Change::SettingSaved { key, value } => setting::save(writer, key, value).await,
    }
}
