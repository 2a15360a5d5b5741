//! Corrections of a contact: the events of the earlier message say something else from then on.

use super::{Arrival, Effect, ToMatrix, target::Target};
use crate::{
    domain::{
        ids::RemoteMessageId,
        part::Part,
        text::{IncomingText, Replaced},
    },
    port::Failure,
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
}
