//! The names of accounts on the wire: who is called what, in whose eyes. It must not know any state but the accounts'.
//!
//! A person has a phone number JID and a LID; a partner's user has its true `12-…@interop` JID, and for clients that cannot
//! see that server a PN and LID alias (network facts B3).

use causeway_wire::jid::{Integrator, Jid, Server};

use super::{AccountId, DeviceKey, Partner, World};

/// A LID is the number of the phone (or alias) plus this.
pub(crate) const LID_OFFSET: u64 = 5_000_000_000_000;
/// The first PN alias of partners' users; no person may have a number from here up to [`ALIAS_LAST`].
pub(crate) const ALIAS_FIRST: u64 = 88_800_000_000;
/// The last PN alias.
pub(crate) const ALIAS_LAST: u64 = 88_899_999_999;

/// In which namespace somebody is to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// People by phone number, partners' users by their true JID.
    True,
    /// Everybody by phone number or PN alias.
    Number,
    /// Everybody by LID.
    Lid,
}

impl World {
    /// The JID of a device in a namespace.
    pub(crate) fn name(&self, key: DeviceKey, view: View) -> Jid {
        let (number, partner) = match key.account {
            AccountId::Person(phone) => (phone, None),
            AccountId::Partner(account) => {
                let alias = self.partners.get(&account).map_or(ALIAS_FIRST, |p| p.alias);
                (alias, Some(account))
            }
        };
        let jid = match (view, partner) {
            (View::True, Some(account)) => Jid::interop(self.integrator(), account),
            (View::True | View::Number, _) => {
                Jid::new(&number.to_string(), Server::Phone, key.device)
            }
            (View::Lid, _) => Jid::new(&(number + LID_OFFSET).to_string(), Server::Lid, key.device),
        };
        jid.expect("numbers of accounts are plain digits")
    }

    /// In which namespace this account sees others.
    pub(crate) fn view_of(&self, viewer: DeviceKey) -> View {
        match viewer.account {
            AccountId::Person(phone) => match self.people.get(&phone) {
                Some(person) if person.sees_aliases && viewer.device != 0 => View::Number,
                _ => View::True,
            },
            AccountId::Partner(_) => View::True,
        }
    }

    /// How `viewer` sees `subject`: partners may see a linked device as the phone.
    pub(crate) fn seen_by(&self, viewer: DeviceKey, subject: DeviceKey) -> DeviceKey {
        match (viewer.account, subject.account) {
            (AccountId::Partner(_), AccountId::Person(phone)) => match self.people.get(&phone) {
                Some(person) if person.face_to_partners() == subject.device => {
                    DeviceKey { device: 0, ..subject }
                }
                _ => subject,
            },
            _ => subject,
        }
    }

    /// Whom `viewer` means by a JID. `None`: nobody by that name is on the network, or no such device.
    pub(crate) fn resolve(&self, viewer: DeviceKey, jid: &Jid) -> Option<DeviceKey> {
        let account = self.account_named(jid)?;
        let mut device = jid.device();
        if let (AccountId::Partner(_), AccountId::Person(phone), 0) =
            (viewer.account, account, device)
        {
            device = self.people.get(&phone)?.face_to_partners();
        }
        let key = DeviceKey { account, device };
        self.device(key).map(|_| key)
    }

    /// Which account a JID names, in any namespace.
    pub(crate) fn account_named(&self, jid: &Jid) -> Option<AccountId> {
        let number: u64 = jid.user().parse().ok()?;
        match jid.server() {
            Server::Phone => self.account_numbered(number),
            Server::Lid => self.account_numbered(number.checked_sub(LID_OFFSET)?),
            Server::Interop(integrator) => (*integrator == self.integrator()
                && self.partners.contains_key(&number))
            .then_some(AccountId::Partner(number)),
            Server::Other(_) => None,
        }
    }

    fn account_numbered(&self, number: u64) -> Option<AccountId> {
        if self.people.contains_key(&number) {
            return Some(AccountId::Person(number));
        }
        self.partners
            .values()
            .find(|partner: &&Partner| partner.alias == number)
            .map(|partner| AccountId::Partner(partner.account))
    }

    fn integrator(&self) -> Integrator {
        self.integrator
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        Bundle, Companion, Device, PersonKind, SignedPrekey,
        state::{Enlistment, Limit, PersonDraft},
    };

    const ROBIN: u64 = 4_915_112_345_678;

    fn bundle() -> Bundle {
        let signed_prekey = SignedPrekey { id: 1, value: [1; 32], signature: [2; 64] };
        let one_time = std::collections::VecDeque::new();
        Bundle { registration_id: 1, identity: [3; 32], signed_prekey, one_time }
    }

    fn draft(phone: u64) -> PersonDraft {
        PersonDraft {
            phone,
            name: "Robin".to_owned(),
            kind: PersonKind::Paired,
            opted_in: true,
            sees_aliases: true,
            companion_as_primary: true,
            raw_id: 0,
            bundle: bundle(),
        }
    }

    /// A person with a linked device 1, and a partner's user 77.
    fn world() -> World {
        let mut world = World::new(Integrator::new(12).unwrap());
        world.add_person(draft(ROBIN)).unwrap();
        let companion =
            Companion { noise_key: [0; 32], key_index: 1, signed_identity: bytes::Bytes::new() };
        let device = Device { companion: Some(companion), ..Device::default() };
        world.person_mut(ROBIN).unwrap().devices.insert(1, device);
        let user_visible_id = "@alice:hs.test".to_owned();
        let (noise_key, bundle, fresh_account) = ([9; 32], bundle(), 77);
        world.enlist(Enlistment { user_visible_id, noise_key, bundle, fresh_account }).unwrap();
        world
    }

    fn key(account: AccountId, device: u16) -> DeviceKey {
        DeviceKey { account, device }
    }

    #[test]
    fn every_name_leads_back_to_its_account() {
        let world = world();
        for account in [AccountId::Person(ROBIN), AccountId::Partner(77)] {
            for view in [View::True, View::Number, View::Lid] {
                let jid = world.name(key(account, 0), view);
                assert_eq!(world.account_named(&jid), Some(account), "{view:?}");
            }
        }
        for nobody in ["491@s.whatsapp.net", "491@lid", "13-77@interop", "12-78@interop", "1@g.us"]
        {
            assert_eq!(world.account_named(&nobody.parse().unwrap()), None, "{nobody}");
        }
    }

    #[test]
    fn a_partner_takes_the_newest_linked_device_for_the_phone() {
        let mut world = world();
        let alice = key(AccountId::Partner(77), 0);
        let phone: Jid = format!("{ROBIN}@s.whatsapp.net").parse().unwrap();
        let linked = key(AccountId::Person(ROBIN), 1);
        assert_eq!(world.resolve(alice, &phone), Some(linked));
        assert_eq!(world.name(world.seen_by(alice, linked), View::True), phone);
        world.person_mut(ROBIN).unwrap().companion_as_primary = false;
        assert_eq!(world.resolve(alice, &phone), Some(key(AccountId::Person(ROBIN), 0)));
        let by_number = phone.with_device(1).unwrap();
        assert_eq!(world.resolve(alice, &by_number), Some(linked));
        assert_eq!(world.resolve(alice, &phone.with_device(2).unwrap()), None);
    }

    #[test]
    fn numbers_of_people_are_five_to_fifteen_digits_and_no_alias() {
        let mut world = World::new(Integrator::new(12).unwrap());
        let first = ALIAS_FIRST;
        for phone in [9_999, 1_000_000_000_000_000, first, ALIAS_LAST] {
            assert_eq!(world.add_person(draft(phone)), Err(Limit::PhoneNumber), "{phone}");
        }
        for phone in [10_000, 999_999_999_999_999, first - 1, ALIAS_LAST + 1] {
            assert_eq!(world.add_person(draft(phone)), Ok(()), "{phone}");
            assert_eq!(world.add_person(draft(phone)), Err(Limit::Taken), "{phone}");
        }
    }

    #[test]
    fn there_are_as_many_accounts_as_the_limit_and_not_one_more() {
        let mut world = World::new(Integrator::new(12).unwrap());
        for number in 0..crate::limits::ACCOUNTS_MAX as u64 {
            world.add_person(draft(10_000 + number)).unwrap();
        }
        assert_eq!(world.add_person(draft(ROBIN)), Err(Limit::Accounts));
    }
}
