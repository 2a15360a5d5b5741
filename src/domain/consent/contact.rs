//! One contact of one login: whether they may write to the person, and the person to them.
//!
//! Both sides must want it. The contact's side is the network's business (they switched third-party
//! chats on); the person's side is this machine. Nothing is shown of a contact, and nothing sent to
//! one, without a standing consent of the person.

use super::ledger::Act;

/// How the person stands to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactState {
    /// Nobody has said anything yet.
    Unknown,
    /// The contact wrote; the person is invited and has not answered.
    Requested,
    /// The person wants this chat.
    Approved,
    /// The person wants it, but not now.
    Paused,
    /// The person refused the request.
    Declined,
    /// The person left the chat; the contact may ask again.
    Revoked,
    /// The person did not answer the request in time; the contact may ask again.
    Expired,
    /// The person wants to hear nothing of the contact.
    Blocked,
}

/// What happens between a person and a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactEvent {
    /// A message of the contact came.
    TheyWrote,
    /// The person opened the chat: by command, by inviting the ghost, through the provisioning API.
    Started,
    /// The person joined the chat's room.
    Joined,
    /// The person left the chat's room or declined the invite into it.
    Left,
    Paused,
    Resumed,
    Blocked,
    Unblocked,
    /// Nobody answered the request for as long as it is kept.
    TimePassed,
}

/// What becomes of what a contact sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Show,
    /// Kept as the ciphertext that it is; shown if the person approves. The contact hears nothing.
    Hold,
    /// Not kept. The contact hears nothing.
    LetGo,
}

impl ContactState {
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Requested,
        Self::Approved,
        Self::Paused,
        Self::Declined,
        Self::Revoked,
        Self::Expired,
        Self::Blocked,
    ];

    /// The state after an event; the same one if the event changes nothing.
    #[must_use]
    pub fn after(self, event: ContactEvent) -> Self {
        use ContactEvent as On;
        match (self, event) {
            (_, On::Blocked) => Self::Blocked,
            // Only `unblock` ends a block: neither a join nor a start does so in passing.
            (Self::Blocked, event) if event != On::Unblocked => Self::Blocked,
            (Self::Blocked, _) | (Self::Approved | Self::Paused, On::Left) => Self::Revoked,
            // Who looks into a paused chat has not resumed it.
            (Self::Paused, On::Joined) | (Self::Approved, On::Paused) => Self::Paused,
            (_, On::Started | On::Joined) | (Self::Paused, On::Resumed) => Self::Approved,
            (Self::Unknown | Self::Revoked | Self::Expired, On::TheyWrote) => Self::Requested,
            (Self::Requested, On::Left) => Self::Declined,
            (Self::Requested, On::TimePassed) => Self::Expired,
            (state, _) => state,
        }
    }

    /// What becomes of what the contact sends in this state.
    pub fn admits(self) -> Admission {
        match self {
            Self::Approved => Admission::Show,
            // In the first two the message makes a request and is then held with it.
            Self::Unknown | Self::Revoked | Self::Expired | Self::Requested | Self::Paused => {
                Admission::Hold
            }
            Self::Declined | Self::Blocked => Admission::LetGo,
        }
    }

    /// Whether anything of the person (words, receipts, typing) may go to the contact.
    pub fn may_send(self) -> bool {
        self == Self::Approved
    }

    /// What becomes of what is held when the state is reached: `Show` releases it, `LetGo` deletes
    /// it.
    pub fn of_held(self) -> Admission {
        match self {
            // A chat that was left or a request that expired holds nothing any more.
            Self::Revoked | Self::Expired => Admission::LetGo,
            state => state.admits(),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Paused => "paused",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Blocked => "blocked",
        }
    }

    /// The inverse of [`ContactState::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl ContactEvent {
    pub const ALL: [Self; 9] = [
        Self::TheyWrote,
        Self::Started,
        Self::Joined,
        Self::Left,
        Self::Paused,
        Self::Resumed,
        Self::Blocked,
        Self::Unblocked,
        Self::TimePassed,
    ];

    /// What the ledger remembers if the event moved a contact into `state`.
    pub fn act(self, state: ContactState) -> Act {
        match (self, state) {
            (Self::TheyWrote, _) => Act::Requested,
            (Self::Started | Self::Joined, _) => Act::Approved,
            (Self::Left, ContactState::Declined) => Act::Declined,
            (Self::Left, _) => Act::Revoked,
            (Self::Paused, _) => Act::Paused,
            (Self::Resumed, _) => Act::Resumed,
            (Self::Blocked, _) => Act::Blocked,
            (Self::Unblocked, _) => Act::Unblocked,
            (Self::TimePassed, _) => Act::Expired,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::TheyWrote => "they write",
            Self::Started => "start",
            Self::Joined => "join",
            Self::Left => "leave",
            Self::Paused => "pause",
            Self::Resumed => "resume",
            Self::Blocked => "block",
            Self::Unblocked => "unblock",
            Self::TimePassed => "time passes",
        }
    }
}

/// The machine as a Mermaid state diagram, made by asking it for every state and event.
pub fn diagram() -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned(), "    [*] --> unknown".to_owned()];
    for from in ContactState::ALL {
        for to in ContactState::ALL {
            let leads = |event: &ContactEvent| from != to && from.after(*event) == to;
            let labels: Vec<_> =
                ContactEvent::ALL.into_iter().filter(leads).map(ContactEvent::label).collect();
            if !labels.is_empty() {
                let (from, to) = (from.name(), to.name());
                lines.push(format!("    {from} --> {to}: {}", labels.join(", ")));
            }
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
