//! What performs the decisions: intake, lanes, the two paths of a message, the outbox, connections.
//!
//! Mailboxes carry hints, the database carries facts: every hint may be lost, and what is to be
//! done is found again in storage. The runtime holds ports only; it names no adapter.

mod admission;
mod blocklist;
mod chats;
mod cleaner;
mod commit;
mod connection;
mod consents;
mod directory;
mod eraser;
mod export;
mod hints;
mod identities;
mod inbox;
mod intake;
mod lanes;
mod logins;
mod management;
mod media;
mod membership;
mod outbox;
mod outcome;
mod policies;
mod ports;
mod prekeys;
mod reading;
mod receipts;
mod resume;
mod rooms;
mod rules;
mod sessions;
mod signs;
mod sounding;
mod speech;
mod stop;
mod to_matrix;
mod to_network;
mod transition;
mod typing;
mod verifications;

pub use blocklist::correct_blocklist;
pub use chats::{Chats, Opened};
pub use cleaner::clean;
pub use connection::{ConnectionState, Links};
pub use consents::Consents;
pub use directory::{Directory, Found};
pub use eraser::erase;
pub use export::{ExportOutcome, Exports};
pub use hints::Hints;
pub use identities::{Identities, SafetyNumber};
pub use inbox::Inbox;
pub use intake::{Answer, Intake, Transaction};
pub use logins::{
    CompareOutcome, LeaveOutcome, Logins, Overview, Quota, ReconnectOutcome, ReportOutcome,
    StartOutcome,
};
pub use management::{Asked, Commands};
pub use media::{Arriving, Leaving, MovedIn, MovedOut, Mover, NotMoved, Turn, WholeTurn};
pub use outbox::Outbox;
pub use policies::Policies;
pub use ports::Ports;
pub use resume::resume;
pub use rooms::Rooms;
pub use rules::Rules;
pub use signs::renew_signs;
pub use sounding::sound;
pub use stop::Stop;
