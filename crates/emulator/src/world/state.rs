//! The state of the whole network and the steps that change it. It must not know sockets, time or chance: ids, keys and
//! timestamps are given to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use causeway_wire::jid::Integrator;
use thiserror::Error;

use super::{
    AccountId, Bundle, Device, DeviceKey, OneTimePrekey, Partner, Person, PersonKind, Primary,
    Shown,
    mailbox::{Class, Full, Item},
    names::{ALIAS_FIRST, ALIAS_LAST},
};
use crate::limits::{ACCOUNTS_MAX, DEDUPLICATION_MAX, PREKEYS_LOW};

/// Something that cannot be done because of a limit or a rule of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Limit {
    #[error("there are as many accounts as the emulator takes")]
    Accounts,
    #[error("this number is taken")]
    Taken,
    #[error("this is no phone number for a person: 5 to 15 digits, outside the range of aliases")]
    PhoneNumber,
}

/// What became of an item for a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    New,
    /// The same sender sent this id to this device before: stored then, and not again.
    Duplicate,
}

/// What a key request gets for one device.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) bundle: Bundle,
    pub(crate) one_time: Option<OneTimePrekey>,
    /// One-time prekeys left, when the owner should hear that they run low.
    pub(crate) low: Option<usize>,
}

/// See the module.
pub(crate) struct World {
    pub(super) integrator: Integrator,
    pub(super) people: BTreeMap<u64, Person>,
    pub(super) partners: BTreeMap<u64, Partner>,
    next_alias: u64,
    seen: BTreeSet<(DeviceKey, DeviceKey, String)>,
    seen_order: VecDeque<(DeviceKey, DeviceKey, String)>,
    pub(crate) duplicates_dropped: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} people, {} partner accounts)", self.people.len(), self.partners.len())
    }
}

/// What a new person is like.
#[derive(Debug, Clone)]
pub(crate) struct PersonDraft {
    pub(crate) phone: u64,
    pub(crate) name: String,
    pub(crate) kind: PersonKind,
    pub(crate) opted_in: bool,
    pub(crate) sees_aliases: bool,
    pub(crate) companion_as_primary: bool,
    pub(crate) raw_id: u32,
    pub(crate) bundle: Bundle,
}

/// What an enlistment brings.
pub(crate) struct Enlistment {
    pub(crate) user_visible_id: String,
    pub(crate) noise_key: [u8; 32],
    pub(crate) bundle: Bundle,
    /// The account number if this user is new.
    pub(crate) fresh_account: u64,
}

/// What an enlistment did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Enlisted {
    pub(crate) account: u64,
    /// The Signal identity is another one than before: contacts must hear of it.
    pub(crate) identity_changed: bool,
}

impl World {
    pub(crate) fn new(integrator: Integrator) -> Self {
        Self {
            integrator,
            people: BTreeMap::new(),
            partners: BTreeMap::new(),
            next_alias: ALIAS_FIRST,
            seen: BTreeSet::new(),
            seen_order: VecDeque::new(),
            duplicates_dropped: 0,
        }
    }

    pub(crate) fn integrator_number(&self) -> u16 {
        self.integrator.get()
    }

    pub(crate) fn person(&self, phone: u64) -> Option<&Person> {
        self.people.get(&phone)
    }

    pub(crate) fn person_mut(&mut self, phone: u64) -> Option<&mut Person> {
        self.people.get_mut(&phone)
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    pub(crate) fn partner(&self, account: u64) -> Option<&Partner> {
        self.partners.get(&account)
    }

    pub(crate) fn partners(&self) -> impl Iterator<Item = &Partner> {
        self.partners.values()
    }

    pub(crate) fn partner_by_user_visible_id(&self, id: &str) -> Option<&Partner> {
        self.partners.values().find(|partner| partner.user_visible_id == id)
    }

    /// Adds a person with their phone as device 0.
    pub(crate) fn add_person(&mut self, draft: PersonDraft) -> Result<(), Limit> {
        let PersonDraft { phone, name, kind, opted_in, sees_aliases, companion_as_primary, .. } =
            draft;
        if !(10_000..1_000_000_000_000_000).contains(&phone)
            || (ALIAS_FIRST..=ALIAS_LAST).contains(&phone)
        {
            return Err(Limit::PhoneNumber);
        }
        if self.people.contains_key(&phone) {
            return Err(Limit::Taken);
        }
        if self.people.len() >= ACCOUNTS_MAX {
            return Err(Limit::Accounts);
        }
        let device = Device { bundle: Some(draft.bundle), ..Device::default() };
        let person = Person {
            phone,
            name,
            kind,
            opted_in,
            sees_aliases,
            companion_as_primary,
            primary: Primary { raw_id: draft.raw_id, signed_key_index_list: None, next_device: 1 },
            devices: BTreeMap::from([(0, device)]),
            blocked: BTreeSet::new(),
        };
        self.people.insert(phone, person);
        Ok(())
    }

    /// Enlists a partner's user: a known user-visible id keeps its account and gets new keys.
    pub(crate) fn enlist(&mut self, enlistment: Enlistment) -> Result<Enlisted, Limit> {
        let Enlistment { user_visible_id, noise_key, bundle, fresh_account } = enlistment;
        let known =
            self.partners.values_mut().find(|partner| partner.user_visible_id == user_visible_id);
        if let Some(partner) = known {
            let before = partner.device.bundle.as_ref().map(|held| held.identity);
            let identity_changed = before.is_some_and(|identity| identity != bundle.identity);
            partner.noise_key = noise_key;
            partner.device.bundle = Some(bundle);
            partner.device.told_low = false;
            return Ok(Enlisted { account: partner.account, identity_changed });
        }
        if self.partners.len() >= ACCOUNTS_MAX || self.next_alias > ALIAS_LAST {
            return Err(Limit::Accounts);
        }
        if self.partners.contains_key(&fresh_account) {
            return Err(Limit::Taken);
        }
        let alias = self.next_alias;
        self.next_alias += 1;
        let partner = Partner {
            account: fresh_account,
            user_visible_id,
            noise_key,
            device: Device { bundle: Some(bundle), ..Device::default() },
            contacts: BTreeSet::new(),
            blocked: BTreeSet::new(),
            reported: BTreeSet::new(),
            alias,
            shown: Shown::default(),
            logins: 0,
        };
        self.partners.insert(fresh_account, partner);
        Ok(Enlisted { account: fresh_account, identity_changed: false })
    }

    /// Counts a login, and keeps how the partner's user wants to be shown.
    pub(crate) fn logged_in(&mut self, account: u64, shown: Shown) {
        if let Some(partner) = self.partners.get_mut(&account) {
            partner.logins += 1;
            partner.shown = shown;
        }
    }

    /// Forgets a partner's user altogether.
    pub(crate) fn unenlist(&mut self, account: u64) -> bool {
        self.partners.remove(&account).is_some()
    }

    pub(crate) fn device(&self, key: DeviceKey) -> Option<&Device> {
        match key.account {
            AccountId::Person(phone) => self.people.get(&phone)?.devices.get(&key.device),
            AccountId::Partner(account) => {
                self.partners.get(&account).filter(|_| key.device == 0).map(|p| &p.device)
            }
        }
    }

    pub(crate) fn device_mut(&mut self, key: DeviceKey) -> Option<&mut Device> {
        match key.account {
            AccountId::Person(phone) => self.people.get_mut(&phone)?.devices.get_mut(&key.device),
            AccountId::Partner(account) => self
                .partners
                .get_mut(&account)
                .filter(|_| key.device == 0)
                .map(|partner| &mut partner.device),
        }
    }

    /// The numbers of an account's devices.
    pub(crate) fn devices_of(&self, account: AccountId) -> Vec<u16> {
        match account {
            AccountId::Person(phone) => self
                .people
                .get(&phone)
                .map_or_else(Vec::new, |p| p.devices.keys().copied().collect()),
            AccountId::Partner(_) => vec![0],
        }
    }

    /// Puts an item into the mailbox of a device. Nothing is stored for a device that does not exist.
    pub(crate) fn store(&mut self, to: DeviceKey, item: Item) -> Result<Stored, Full> {
        let seen = match &item {
            Item::Message(message) => Some((message.from, to, message.id.clone())),
            Item::Receipt(_) | Item::Notice(_) => None,
        };
        if seen.as_ref().is_some_and(|key| self.seen.contains(key)) {
            self.duplicates_dropped += 1;
            return Ok(Stored::Duplicate);
        }
        let Some(device) = self.device_mut(to) else { return Ok(Stored::New) };
        device.mailbox.append(item)?;
        if let Some(key) = seen {
            self.remember(key);
        }
        Ok(Stored::New)
    }

    fn remember(&mut self, key: (DeviceKey, DeviceKey, String)) {
        if self.seen_order.len() >= DEDUPLICATION_MAX
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.seen_order.push_back(key.clone());
        self.seen.insert(key);
    }

    /// A device asked for a message again: the same id may come once more.
    pub(crate) fn expect_again(&mut self, from: DeviceKey, to: DeviceKey, id: &str) {
        let key = (from, to, id.to_owned());
        if self.seen.remove(&key) {
            self.seen_order.retain(|held| held != &key);
        }
    }

    /// Removes what an acknowledgement names from a device's mailbox.
    pub(crate) fn acknowledge(&mut self, key: DeviceKey, class: Class, id: &str) -> bool {
        self.device_mut(key).is_some_and(|device| device.mailbox.acknowledge(class, id))
    }

    /// The published keys of a device, with one one-time prekey taken out of the stock.
    pub(crate) fn fetch_keys(&mut self, key: DeviceKey, without_one_time: bool) -> Option<Fetched> {
        let device = self.device_mut(key)?;
        let bundle = device.bundle.as_mut()?;
        let one_time = if without_one_time { None } else { bundle.one_time.pop_front() };
        let left = bundle.one_time.len();
        let low = (left < PREKEYS_LOW && !device.told_low).then_some(left);
        device.told_low |= low.is_some();
        let mut published = bundle.clone();
        published.one_time.clear();
        Some(Fetched { bundle: published, one_time, low })
    }

    /// Whether messages from one account to another are thrown away.
    pub(crate) fn is_blocked(&self, from: AccountId, by: AccountId) -> bool {
        self.blocked(by).is_some_and(|blocked| blocked.contains(&from))
    }

    pub(crate) fn blocked(&self, by: AccountId) -> Option<&BTreeSet<AccountId>> {
        match by {
            AccountId::Person(phone) => self.people.get(&phone).map(|person| &person.blocked),
            AccountId::Partner(account) => self.partners.get(&account).map(|p| &p.blocked),
        }
    }

    pub(crate) fn blocked_mut(&mut self, by: AccountId) -> Option<&mut BTreeSet<AccountId>> {
        match by {
            AccountId::Person(phone) => self.people.get_mut(&phone).map(|p| &mut p.blocked),
            AccountId::Partner(account) => {
                self.partners.get_mut(&account).map(|partner| &mut partner.blocked)
            }
        }
    }

    /// Notes that a partner's user reported somebody.
    pub(crate) fn complain(&mut self, reporter: u64, about: AccountId) {
        if let Some(partner) = self.partners.get_mut(&reporter) {
            partner.reported.insert(about);
        }
    }

    /// Notes that two accounts wrote to each other.
    pub(crate) fn meet(&mut self, one: AccountId, other: AccountId) {
        for (partner, contact) in [(one, other), (other, one)] {
            if let AccountId::Partner(account) = partner
                && let Some(partner) = self.partners.get_mut(&account)
            {
                partner.contacts.insert(contact);
            }
        }
    }

    /// Who must hear that the identity of an account changed.
    pub(crate) fn contacts_of(&self, account: AccountId) -> Vec<AccountId> {
        match account {
            AccountId::Partner(number) => self
                .partners
                .get(&number)
                .map_or_else(Vec::new, |partner| partner.contacts.iter().copied().collect()),
            AccountId::Person(_) => self
                .partners
                .values()
                .filter(|partner| partner.contacts.contains(&account))
                .map(|partner| AccountId::Partner(partner.account))
                .collect(),
        }
    }
}
