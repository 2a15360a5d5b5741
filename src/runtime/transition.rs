//! What an event makes of a stored login: the step of the state machine, as a change to commit.

use crate::{
    domain::{
        bridged::Login,
        consent::login::{LoginEvent, LoginState},
    },
    port::storage::Change,
};

/// `None` if the login stays as it is. The caller has read the login under its transition, and holds it
/// until this is committed.
pub(crate) fn change(login: &Login, event: LoginEvent) -> Option<Change> {
    let id = login.id.clone();
    match login.state.after(event) {
        state if state == login.state => None,
        LoginState::None => Some(Change::LoginRemoved(id)),
        state => Some(Change::LoginStateSet { login: id, state }),
    }
}
