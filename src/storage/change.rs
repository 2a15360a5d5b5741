//! A list of changes as one unit of work: each change goes to the file of its table.

use super::{
    choices, contact, contact_keys, counter,
    database::{UnitOfWork, Verdict, Writer},
    day_usage, erasure,
    error::Error,
    ghost, hosted_media, inbox, ledger, login, lookup, management_room, message, notice, outbox,
    part, portal, prekey, reaction, reading, session, setting,
};
use crate::{domain::bridged::Direction, port::storage::Change};

pub(super) struct Commit<'c>(pub(super) &'c [Change]);

impl UnitOfWork for Commit<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        // Ids first, and always in this order (`counter`).
        let mut ids = Ids {
            outbox: self.reserve(writer, "outbox", is_leaving).await?,
            ledger: self.reserve(writer, "ledger", is_entry).await?,
        };
        for change in self.0 {
            ids.outbox += i64::from(is_leaving(change));
            ids.ledger += i64::from(is_entry(change));
            apply(writer, change, ids).await?;
        }
        Ok(Verdict::Keep(()))
    }
}

impl Commit<'_> {
    async fn reserve(
        &self,
        writer: &mut Writer<'_>,
        counter: &'static str,
        counted: fn(&Change) -> bool,
    ) -> Result<i64, Error> {
        match self.0.iter().filter(|change| counted(change)).count() {
            0 => Ok(0),
            count => counter::reserve(writer, counter, count).await,
        }
    }
}

fn is_leaving(change: &Change) -> bool {
    matches!(change, Change::OutboxAdded { .. })
}

fn is_entry(change: &Change) -> bool {
    matches!(change, Change::LedgerAdded(_))
}

/// The ids of the last rows that were added.
#[derive(Clone, Copy)]
struct Ids {
    outbox: i64,
    ledger: i64,
}

#[expect(clippy::too_many_lines, reason = "a table: one line a kind of change")]
async fn apply(writer: &mut Writer<'_>, change: &Change, ids: Ids) -> Result<(), Error> {
    match change {
        Change::ContactMoved { portal, from, to, at } => {
            contact::move_on(writer, portal, *from, *to, *at).await
        }
        Change::ContactKeysSaved { portal, keys } => contact_keys::save(writer, portal, keys).await,
        Change::LedgerAdded(entry) => ledger::add(writer, ids.ledger, entry).await,
        Change::HeldReleased(portal) => inbox::release(writer, portal).await,
        Change::HeldDropped(portal) => inbox::drop_held(writer, portal).await,
        Change::ManagementRoomSaved { person, room } => {
            management_room::save(writer, person, room).await
        }
        Change::LoginAdded { login, keys } => login::add(writer, login, keys).await,
        Change::LoginEnlisted { login, network_id } => {
            login::enlist(writer, login, network_id).await
        }
        Change::LoginStateSet { login, state } => login::set_state(writer, login, *state).await,
        Change::LoginRemoved(login) => login::remove(writer, login).await,
        Change::DayUsageAdded(used) => day_usage::add(writer, used).await,
        Change::ChoicesSaved { login, choices } => choices::save(writer, login, *choices).await,
        Change::GhostSaved(ghost) => ghost::save(writer, ghost).await,
        Change::PortalSaved(portal) => portal::save(writer, portal).await,
        Change::PortalAffirmed { portal, room } => portal::affirm(writer, portal, room).await,
        Change::LookupSaved { ghost, phone, at } => lookup::save(writer, ghost, phone, *at).await,
        Change::LookupsForgotten { before } => lookup::forget(writer, *before).await,
        Change::PreKeysAdded { login, prekeys } => prekey::add(writer, login, prekeys).await,
        Change::PreKeySpent { login, id } => prekey::spend(writer, login, *id).await,
        Change::SessionSaved { session, record, identity } => {
            session::save(writer, session, record, identity).await
        }
        Change::MessageAdded(message) => message::add(writer, message).await,
        Change::MessageShown { portal, remote_id, event } => {
            message::set_event(writer, portal, remote_id, event).await
        }
        Change::PartShown { portal, remote_id, number, event } => {
            part::add(writer, portal, remote_id, *number, event).await
        }
        Change::PartRemoved { portal, remote_id, number } => {
            part::remove(writer, portal, remote_id, *number).await
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
        Change::InboxLaneDue(lane) => inbox::make_due(writer, lane).await,
        Change::InboxQuarantined { id, reason } => inbox::quarantine(writer, *id, reason).await,
        Change::OutboxAdded { lane, item } => outbox::add(writer, ids.outbox, lane, item).await,
        Change::OutboxDone(id) => outbox::remove(writer, *id).await,
        Change::OutboxParked { id, until, attempts } => {
            outbox::park(writer, *id, *until, *attempts).await
        }
        Change::OutboxQuarantined { id, reason } => outbox::quarantine(writer, *id, reason).await,
        Change::ErasureAsked { person, at } => erasure::ask(writer, person, *at).await,
        Change::ErasureLeft { person, at } => erasure::set_left(writer, person, *at).await,
        Change::PersonErased(person) => erasure::fulfil(writer, person).await,
        Change::SettingSaved { key, value } => setting::save(writer, key, value).await,
    }
}
