//! The Signal address of a remote party.

use std::fmt;

/// One device of a remote party, as a session is keyed by.
///
/// The name may hold a phone number, so neither `Debug` nor any error of this module shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The network's name of the party, without the device.
    pub name: String,
    /// The device; 0 is the primary one.
    pub device: u32,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name: _, device } = self;
        f.debug_struct("Address").field("device", device).finish_non_exhaustive()
    }
}
