//! Every state and every event, written out: a change of the machine is a change of this table.

use super::*;
use crate::domain::document;

use ContactEvent as On;
use ContactState as Is;

/// The columns of [`TABLE`].
const EVENTS: [ContactEvent; 9] = ContactEvent::ALL;

/// From each state, what the events of [`EVENTS`] lead to.
#[rustfmt::skip]
const TABLE: [(ContactState, [ContactState; 9]); 8] = [
    //              they wrote     started       joined        left          paused        resumed       blocked      unblocked     time passed
    (Is::Unknown,   [Is::Requested, Is::Approved, Is::Approved, Is::Unknown,  Is::Unknown,  Is::Unknown,  Is::Blocked, Is::Unknown,  Is::Unknown]),
    (Is::Requested, [Is::Requested, Is::Approved, Is::Approved, Is::Declined, Is::Requested, Is::Requested, Is::Blocked, Is::Requested, Is::Expired]),
    (Is::Approved,  [Is::Approved,  Is::Approved, Is::Approved, Is::Revoked,  Is::Paused,   Is::Approved, Is::Blocked, Is::Approved, Is::Approved]),
    (Is::Paused,    [Is::Paused,    Is::Approved, Is::Paused,   Is::Revoked,  Is::Paused,   Is::Approved, Is::Blocked, Is::Paused,   Is::Paused]),
    (Is::Declined,  [Is::Declined,  Is::Approved, Is::Approved, Is::Declined, Is::Declined, Is::Declined, Is::Blocked, Is::Declined, Is::Declined]),
    (Is::Revoked,   [Is::Requested, Is::Approved, Is::Approved, Is::Revoked,  Is::Revoked,  Is::Revoked,  Is::Blocked, Is::Revoked,  Is::Revoked]),
    (Is::Expired,   [Is::Requested, Is::Approved, Is::Approved, Is::Expired,  Is::Expired,  Is::Expired,  Is::Blocked, Is::Expired,  Is::Expired]),
    (Is::Blocked,   [Is::Blocked,   Is::Blocked,  Is::Blocked,  Is::Blocked,  Is::Blocked,  Is::Blocked,  Is::Blocked, Is::Revoked,  Is::Blocked]),
];

#[test]
fn every_state_and_every_event() {
    assert_eq!(TABLE.map(|(state, _)| state), ContactState::ALL);
    for (state, expected) in TABLE {
        for (event, expected) in EVENTS.into_iter().zip(expected) {
            assert_eq!(state.after(event), expected, "{state:?} on {event:?}");
        }
    }
}

#[test]
fn only_an_approved_contact_is_shown_or_written_to() {
    for state in ContactState::ALL {
        assert_eq!(state.admits() == Admission::Show, state == Is::Approved, "{state:?}");
        assert_eq!(state.may_send(), state == Is::Approved, "{state:?}");
    }
}

#[test]
fn nothing_but_the_person_approves() {
    let the_person = [On::Started, On::Joined, On::Resumed];
    for state in ContactState::ALL.into_iter().filter(|state| *state != Is::Approved) {
        for event in ContactEvent::ALL {
            if state.after(event) == Is::Approved {
                assert!(the_person.contains(&event), "{state:?} on {event:?}");
            }
        }
    }
}

#[test]
fn what_is_held_ends_with_the_answer() {
    let held: Vec<_> =
        ContactState::ALL.into_iter().filter(|state| state.of_held() == Admission::Hold).collect();
    assert_eq!(held, [Is::Unknown, Is::Requested, Is::Paused]);
}

#[test]
fn a_state_survives_its_name() {
    for state in ContactState::ALL {
        assert_eq!(ContactState::from_name(state.name()), Some(state));
    }
    assert_eq!(ContactState::from_name("Approved"), None);
}

/// `CAUSEWAY_BLESS=1` draws it anew.
#[test]
fn the_architecture_draws_the_machine() {
    let drawn = format!("```mermaid\n{}```\n", diagram());
    let start = "the machine of src/domain/consent/contact.rs: drawn by its tests";
    document::check("ARCHITECTURE.md", start, "end of the machine", &drawn);
}
