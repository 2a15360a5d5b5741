//! Corrections of a contact: the events of the earlier message say something else from then on.

use ruma::EventId;
use serde_json::Value;

use super::{Arrival, Effect, ToMatrix, target::Target};
use crate::{
    domain::{
        ids::RemoteMessageId,
        notice::Notice,
        part::Part,
        text::{IncomingText, Replaced},
    },
    port::{Failure, room_cipher::DecryptFailure},
};

impl ToMatrix {
    pub(super) async fn edit(
        &self,
        arrival: &Arrival<'_>,
        id: &RemoteMessageId,
        text: &IncomingText,
        target: &Target,
    ) -> Result<Effect, Failure> {
        let Replaced { contents, surplus } = text.replacing(&target.all_of_theirs());
        let mut redactions = Vec::with_capacity(surplus.len());
        if !surplus.is_empty() {
            let room = self.room(arrival).await?;
            let numbers = surplus.iter().filter_map(|event| target.number(event));
            redactions.extend(numbers.map(|it| self.part_redaction(arrival, &room, id, it)));
        }
        Ok(Effect::Both(contents.into_iter().map(Part::message).collect(), redactions))
    }

    /// Other words with a file, which is fetched from the homeserver to be said again.
    pub(super) async fn caption(
        &self,
        arrival: &Arrival<'_>,
        words: &IncomingText,
        target: &Target,
    ) -> Result<Effect, Failure> {
        if let Some(event) = target.theirs() {
            let earlier = self.content_of(arrival, event).await?;
            if let Some(content) = earlier.and_then(|it| words.recaptioning(event, &it)) {
                return Ok(Effect::messages(vec![content]));
            }
        }
        if words.is_empty() {
            let notice = Notice::MessageKindNotShown { kind: "edit".to_owned() };
            return Ok(Effect::Messages(vec![Part::notice(&notice)]));
        }
        Ok(Effect::messages(words.anew(target.theirs())))
    }

    /// What an event of the ghost says; `None` if it is gone or cannot be read any more.
    async fn content_of(
        &self,
        arrival: &Arrival<'_>,
        event: &EventId,
    ) -> Result<Option<Value>, Failure> {
        let (who, room) = (arrival.sender(), self.room(arrival).await?);
        let Some(raw) = self.ports.homeserver.event(&who, &room, event).await? else {
            return Ok(None);
        };
        match self.ports.cipher.decrypt(&who, &room, &raw).await {
            Ok(decrypted) => Ok(Some(decrypted.content)),
            Err(DecryptFailure::Outside(failure)) => Err(failure),
            Err(DecryptFailure::MissingKey | DecryptFailure::Undecryptable(_)) => Ok(None),
        }
    }
}
