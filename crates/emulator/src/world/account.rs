//! Who is on the network: people with their devices, and the accounts of the partner's users. It must not know about
//! connections; names on the wire are made in `names`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Bundle, Mailbox};

/// An account: a WhatsApp person by phone number, or a partner's user by the number in `12-<number>@interop`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountId {
    Person(u64),
    Partner(u64),
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(_) => f.write_str("Person(…)"),
            Self::Partner(account) => write!(f, "Partner({account})"),
        }
    }
}

/// One device of an account. Number 0 is the phone (people) or the only device (partners).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DeviceKey {
    pub(crate) account: AccountId,
    pub(crate) device: u16,
}

impl DeviceKey {
    /// The phone or only device of an account.
    pub(crate) fn primary(account: AccountId) -> Self {
        Self { account, device: 0 }
    }

    /// Whether it is a WhatsApp person's.
    pub(crate) fn is_person(self) -> bool {
        matches!(self.account, AccountId::Person(_))
    }
}

/// What pairing adds to a linked device.
#[derive(Debug, Clone)]
pub(crate) struct Companion {
    pub(crate) noise_key: [u8; 32],
    pub(crate) key_index: u32,
    /// `ADVSignedDeviceIdentity` as the device signed it in the last step of pairing.
    pub(crate) signed_identity: Bytes,
}

/// A device of a person or partner.
#[derive(Debug, Default)]
pub(crate) struct Device {
    pub(crate) bundle: Option<Bundle>,
    pub(crate) mailbox: Mailbox,
    pub(crate) companion: Option<Companion>,
    /// Whether it was already told that its one-time prekeys run low.
    pub(crate) told_low: bool,
}

/// How a WhatsApp person is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PersonKind {
    /// By the emulator, from a script.
    Simulated,
    /// By a real client that links itself with a QR code; the emulator plays the phone.
    Paired,
}

/// What only the phone of a person knows about its linked devices.
#[derive(Debug, Clone)]
pub(crate) struct Primary {
    /// `rawId` of the device list.
    pub(crate) raw_id: u32,
    /// `ADVSignedKeyIndexList`, once a device is linked.
    pub(crate) signed_key_index_list: Option<(u64, Bytes)>,
    pub(crate) next_device: u16,
}

/// A WhatsApp person.
pub(crate) struct Person {
    pub(crate) phone: u64,
    pub(crate) name: String,
    pub(crate) kind: PersonKind,
    /// Whether they opted in to third-party chats with this partner.
    pub(crate) opted_in: bool,
    /// Show partners' users to this person's linked devices under a PN and LID alias: Baileys cannot see `@interop`.
    pub(crate) sees_aliases: bool,
    /// Show the newest linked device to partners as device 0, so that a plain `<enc>` reaches it.
    pub(crate) companion_as_primary: bool,
    pub(crate) primary: Primary,
    pub(crate) devices: BTreeMap<u16, Device>,
    pub(crate) blocked: BTreeSet<AccountId>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({:?}, {} devices)", self.kind, self.devices.len())
    }
}

impl Person {
    /// The device that partners see as device 0.
    pub(crate) fn face_to_partners(&self) -> u16 {
        if !self.companion_as_primary {
            return 0;
        }
        self.devices.last_key_value().map_or(0, |(number, _)| *number)
    }
}

/// A partner's user, as enlisted.
pub(crate) struct Partner {
    pub(crate) account: u64,
    pub(crate) user_visible_id: String,
    /// Static Noise key pinned at enlistment (`authkey`, network facts 1.4).
    pub(crate) noise_key: [u8; 32],
    pub(crate) device: Device,
    /// With whom messages were exchanged: who hears of a changed identity.
    pub(crate) contacts: BTreeSet<AccountId>,
    pub(crate) blocked: BTreeSet<AccountId>,
    /// Whom they reported.
    pub(crate) reported: BTreeSet<AccountId>,
    /// Number of the PN alias.
    pub(crate) alias: u64,
    /// What the client said of the person at its latest login.
    pub(crate) shown: Shown,
    /// How often they logged in since they were enlisted.
    pub(crate) logins: u64,
}

/// How a partner's user wants to be shown.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    pub(crate) push_name: Option<String>,
    /// `None` before the first login.
    pub(crate) read_receipts: Option<bool>,
}

impl fmt::Debug for Partner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partner({})", self.account)
    }
}
