//! The life of one person's login at the network: where it stands, and what each thing that happens
//! makes of it. It must not know how anything of it is done.

use std::fmt::Write as _;

/// Where a login stands. A login that is stored is never in [`LoginState::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginState {
    /// There is no login, and no key of one.
    None,
    /// The person agreed and keys exist; enlistment is repeated until the network answers.
    Enlisting,
    /// Enlisted: connected whenever possible.
    Active,
    /// The network has forgotten the person, as it does with whoever stays away for 30 days (network
    /// facts 1.5). Everything is kept, nothing is asked of the network until they agree once more.
    Lapsed,
    /// The person left; un-enlistment is repeated until the network confirms it.
    Leaving,
}

/// What happens to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginEvent {
    /// The person agreed to the consent text, for the first time or again.
    Agreed,
    /// The network answered with an id.
    Enlisted,
    /// The network would not enlist.
    Refused,
    /// The network does not know the login.
    FoundMissing,
    /// The person wants to leave.
    LeaveAsked,
    /// The network confirmed that it forgot the person.
    UnenlistConfirmed,
}

impl LoginState {
    pub const ALL: [Self; 5] =
        [Self::None, Self::Enlisting, Self::Active, Self::Lapsed, Self::Leaving];

    /// Where it stands after something happened. What makes no sense, because an answer came late or
    /// a wish twice, changes nothing.
    #[must_use]
    pub fn after(self, event: LoginEvent) -> Self {
        use LoginEvent as E;
        match (self, event) {
            (Self::None | Self::Lapsed, E::Agreed) => Self::Enlisting,
            (Self::Enlisting, E::Enlisted) => Self::Active,
            // Only who was enlisted can be forgotten: before that, the answer to an enlistment was
            // lost, and it is repeated without asking the person again.
            (Self::Active, E::FoundMissing) => Self::Lapsed,
            (Self::Enlisting | Self::Active, E::LeaveAsked) => Self::Leaving,
            // Nobody who left is enlisted once more to find out whether the network knows them.
            (Self::Leaving, E::UnenlistConfirmed | E::FoundMissing)
            | (Self::Lapsed, E::LeaveAsked) => Self::None,
            (
                state,
                E::Agreed
                | E::Enlisted
                | E::Refused
                | E::FoundMissing
                | E::LeaveAsked
                | E::UnenlistConfirmed,
            ) => state,
        }
    }
}

impl LoginEvent {
    pub const ALL: [Self; 6] = [
        Self::Agreed,
        Self::Enlisted,
        Self::Refused,
        Self::FoundMissing,
        Self::LeaveAsked,
        Self::UnenlistConfirmed,
    ];

    /// As the diagram calls it.
    fn words(self) -> &'static str {
        match self {
            Self::Agreed => "the person agrees",
            Self::Enlisted => "the network enlists",
            Self::Refused => "the network refuses",
            Self::FoundMissing => "the network does not know them",
            Self::LeaveAsked => "the person leaves",
            Self::UnenlistConfirmed => "the network confirms",
        }
    }
}

/// Every step that leads elsewhere, as a Mermaid diagram.
pub fn diagram() -> String {
    let name = |state: LoginState| match state {
        LoginState::None => "[*]".to_owned(),
        state => format!("{state:?}"),
    };
    let mut drawn = String::from("```mermaid\nstateDiagram-v2\n");
    for from in LoginState::ALL {
        for event in LoginEvent::ALL {
            let to = from.after(event);
            if to != from {
                let (from, to, words) = (name(from), name(to), event.words());
                writeln!(drawn, "    {from} --> {to}: {words}").expect("a text can be written to");
            }
        }
    }
    drawn.push_str("```\n");
    drawn
}

#[cfg(test)]
mod tests {
    use super::{LoginEvent as E, LoginState as S, *};
    use crate::domain::document;

    /// Every state with every event, in the order of [`LoginEvent::ALL`].
    const TABLE: [(S, [S; 6]); 5] = [
        //              Agreed        Enlisted      Refused       FoundMissing  LeaveAsked  UnenlistConfirmed
        (S::None, [S::Enlisting, S::None, S::None, S::None, S::None, S::None]),
        (
            S::Enlisting,
            [S::Enlisting, S::Active, S::Enlisting, S::Enlisting, S::Leaving, S::Enlisting],
        ),
        (S::Active, [S::Active, S::Active, S::Active, S::Lapsed, S::Leaving, S::Active]),
        (S::Lapsed, [S::Enlisting, S::Lapsed, S::Lapsed, S::Lapsed, S::None, S::Lapsed]),
        (S::Leaving, [S::Leaving, S::Leaving, S::Leaving, S::None, S::Leaving, S::None]),
    ];

    #[test]
    fn every_event_in_every_state_leads_where_the_table_says() {
        assert_eq!(TABLE.map(|(state, _)| state), S::ALL);
        for (from, row) in TABLE {
            for (event, expected) in E::ALL.into_iter().zip(row) {
                assert_eq!(from.after(event), expected, "{from:?} after {event:?}");
            }
        }
    }

    #[test]
    fn without_the_person_nobody_becomes_enlisted_and_who_leaves_stays_gone() {
        for event in E::ALL.into_iter().filter(|event| *event != E::Agreed) {
            for state in [S::None, S::Lapsed, S::Leaving] {
                assert!(!matches!(state.after(event), S::Enlisting | S::Active), "{event:?}");
            }
            assert_eq!(S::None.after(event), S::None);
        }
        assert!(
            E::ALL
                .into_iter()
                .all(|event| { matches!(S::Leaving.after(event), S::Leaving | S::None) })
        );
    }

    #[test]
    fn the_document_holds_the_diagram() {
        let start = "the life of a login: made by the tests of src/domain/consent/login.rs";
        document::check("ARCHITECTURE.md", start, "end of the life of a login", &diagram());
    }
}
