//! Read receipts and typing of our users.

use std::time::Duration;

use http::StatusCode;
use ruma::{
    EventId, OwnedEventId, RoomId,
    api::client::{
        context::get_context,
        filter::RoomEventFilter,
        receipt::create_receipt::{self, v3::ReceiptType},
        typing::create_typing_event::{
            self,
            v3::{Typing, TypingInfo},
        },
    },
};

use super::MatrixHomeserver;
use crate::{domain::bridged::ActAs, port::Failure};

impl MatrixHomeserver {
    pub(super) async fn send_read_receipt(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &EventId,
    ) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let (room, event) = (room.to_owned(), event.to_owned());
        let request = create_receipt::v3::Request::new(room, ReceiptType::Read, event);
        self.api.call("sending a read receipt", self.identity(&user), request).await?;
        Ok(())
    }

    pub(super) async fn send_typing(
        &self,
        who: &ActAs,
        room: &RoomId,
        lasts: Option<Duration>,
    ) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let state = lasts.map_or(Typing::No, |lasts| TypingInfo::new(lasts).into());
        let request = create_typing_event::v3::Request::new(user.clone(), room.to_owned(), state);
        self.api.call("saying who is typing", self.identity(&user), request).await?;
        Ok(())
    }

    pub(super) async fn list_messages_before(
        &self,
        sender: &ActAs,
        room: &RoomId,
        event: &EventId,
        limit: u32,
    ) -> Result<Vec<OwnedEventId>, Failure> {
        let user = self.names.user_id(sender);
        let mut filter = RoomEventFilter::default();
        filter.senders = Some(vec![user.clone()]);
        filter.types = Some(vec!["m.room.encrypted".to_owned()]);
        let mut request = get_context::v3::Request::new(room.to_owned(), event.to_owned());
        request.filter = filter;
        // Half of it is for what stands behind the event.
        request.limit = limit.saturating_mul(2).into();
        let answer = self.api.call("looking before an event", self.identity(&user), request).await;
        let before = match answer {
            Ok(context) => context.events_before,
            // No such event, or one that the user may not see.
            Err(failure)
                if failure.is(StatusCode::NOT_FOUND, "M_NOT_FOUND")
                    || failure.is(StatusCode::FORBIDDEN, "M_FORBIDDEN") =>
            {
                return Ok(Vec::new());
            }
            Err(failure) => return Err(failure.into()),
        };
        let ids = before.iter().filter_map(|event| event.get_field("event_id").ok().flatten());
        Ok(ids.take(limit as usize).collect())
    }
}
