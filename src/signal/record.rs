//! The stored state of all sessions with one device of a peer.

use std::fmt;

use wacore_libsignal::protocol::SessionRecord as LibraryRecord;
use zeroize::Zeroizing;

/// The longest record that a step writes, in bytes.
///
/// A peer decides how many sessions it opens and how many messages it skips, and the library keeps 41
/// sessions with thousands of keys each. Past this size the oldest archived sessions are let go; the
/// current one always fits.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The current session with one device of a peer and the archived ones, in their stored form.
///
/// It holds ratchet keys: seal it. Whether it is sound shows only when a step uses it.
#[derive(Clone)]
pub struct SessionRecord(Zeroizing<Vec<u8>>);

impl SessionRecord {
    /// Takes what [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The library's form, with the counter lease waived (see the module's documentation).
    pub(super) fn to_library(&self) -> Result<LibraryRecord, DamagedRecord> {
        let mut record = LibraryRecord::deserialize(&self.0).map_err(|_| DamagedRecord)?;
        record.waive_counter_lease();
        Ok(record)
    }

    pub(super) fn of_library(mut record: LibraryRecord) -> Result<Self, DamagedRecord> {
        let mut bytes = Zeroizing::new(record.serialize().map_err(|_| DamagedRecord)?);
        while bytes.len() > MAX_RECORD_BYTES {
            let Some(oldest) = record.previous_session_count().checked_sub(1) else { break };
            record.take_previous_session(oldest);
            bytes = Zeroizing::new(record.serialize().map_err(|_| DamagedRecord)?);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        f.debug_struct("SessionRecord").field("len", &bytes.len()).finish_non_exhaustive()
    }
}

/// A stored record that the library cannot read. Kept apart from the library's errors so that it cannot
/// slip out as a verdict on a message.
#[derive(Debug)]
pub(super) struct DamagedRecord;

/// Whether `record` holds a session that can encrypt. If not, fetch a bundle and establish one.
pub fn has_sender_chain(record: &SessionRecord) -> bool {
    record.to_library().is_ok_and(|record| {
        record.session_state().is_some_and(|state| state.has_usable_sender_chain().unwrap_or(false))
    })
}
