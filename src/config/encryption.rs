//! `[encryption]`: the Matrix leg.

use super::section::{choice, section};

section! {
    /// Encryption between the bridge and the people's Matrix clients.
    Encryption at "encryption" {
        /// Which devices of a person can read what a ghost writes: "all_devices", or
        /// "cross_signed_only" for those that the person verified. Messages of people are read from
        /// any of their devices.
        outbound: Outbound = Default(r#""all_devices""#),
    }
}

choice! {
    /// Which devices of a person get the keys of a ghost's messages.
    Outbound {
        /// Every one.
        AllDevices = "all_devices",
        /// Those that the person's own identity signed.
        CrossSignedOnly = "cross_signed_only",
    }
}
