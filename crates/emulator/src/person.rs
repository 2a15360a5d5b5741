//! Simulated WhatsApp people: real Signal sessions and a script. They live inside the emulator, but everything that they
//! get and send goes through the same router and mailboxes as for everybody else. They must not know sockets.

mod actor;
mod content;
mod engine;
mod files;
mod sample;
mod store;
mod transcript;
mod typing;

pub(crate) use actor::{Actor, Outgoing, SendError};
pub(crate) use content::{About, Attachment, Kind, Wrap, encode, padded};
pub(crate) use files::{Source, download, upload};
pub(crate) use sample::Sample;
pub(crate) use transcript::{Counters, Received, ShownFile, Transcript};
pub(crate) use typing::{Typed, TypingLog};
