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
