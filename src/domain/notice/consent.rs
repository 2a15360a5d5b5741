//! Why nothing goes to a contact whom the person does not want to hear at the moment.

use crate::domain::consent::ContactState;

pub(super) const ASKS_AGAIN: &str = "This contact writes to you again. To read it, join this room, \
    or send `start` and the number to the bridge's bot if you are in it already. To refuse, leave \
    the room, or send `block` and the number.";

pub(super) fn text(state: ContactState) -> &'static str {
    match state {
        ContactState::Paused => {
            "You have paused this chat, so nothing was sent. Send `resume` and this contact's \
             number to the bridge's bot first."
        }
        ContactState::Blocked => {
            "You have blocked this contact, so nothing was sent. Send `unblock` and this contact's \
             number to the bridge's bot first."
        }
        _ => {
            "You have not agreed to this chat, so nothing was sent. Send `start` and this \
             contact's number to the bridge's bot first."
        }
    }
}
