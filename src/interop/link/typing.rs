//! Typing on its way out (network facts 3.7).

use causeway_wire::stanza::{ChatState, ChatstateStanza, Route};

use super::{Link, jid_of};
use crate::{domain::ids::RemoteUser, port::Failure};

impl Link {
    pub(super) async fn tell_typing(&self, to: &RemoteUser, typing: bool) -> Result<(), Failure> {
        let state = if typing { ChatState::Composing } else { ChatState::Paused };
        let stanza = ChatstateStanza { route: Route::to(jid_of(to, 0)?), state };
        self.connection.send(self.connection.pack(&stanza.into_node())?).await
    }
}
