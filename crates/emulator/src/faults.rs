//! Faults that a test orders: what they are, how often they still happen, whom they strike. It must not know how a fault is
//! carried out; those who carry it out ask here.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{limits::FAULTS_MAX, media::MediaFaultOrder, world::AccountId};

/// A number of times with a number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long each message is held back.
    pub ms: u64,
    /// How many messages.
    #[serde(default = "once")]
    pub count: u32,
}

/// A number of times with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded {
    /// The code on the wire.
    pub code: u16,
    /// How many times.
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

/// Which person is struck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedIdentity {
    /// Phone number of a simulated person, digits only.
    pub phone: String,
}

/// An order of faults, as `POST /faults` takes it. Every number counts down to nothing by itself.
///
/// Faults of delivery and of requests strike partner connections, or only `target` if it is given. Faults of the
/// handshake strike the next connections, whoever makes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultOrder {
    /// User-visible id of a partner's user, or phone number of a person.
    pub target: Option<String>,
    /// Messages that are not sent; they stay in the mailbox until the next connection.
    pub drop: u32,
    /// Messages that are sent twice.
    pub duplicate: u32,
    /// Messages that change places with the one behind them.
    pub reorder: u32,
    /// Messages that are held back, with everything behind them.
    pub delay: Option<Delay>,
    /// Connections that stay open and go silent: nothing is read or written any more.
    pub half_open: u32,
    /// Connections that get `<stream:error code=…>` and are closed.
    pub stream_error: Option<Coded>,
    /// Handshakes with a certificate chain from another root.
    pub wrong_root: u32,
    /// Handshakes with a chain whose leaf is for another key.
    pub wrong_leaf_key: u32,
    /// Handshakes with a leaf whose time is over.
    pub expired_leaf: u32,
    /// Key requests that are answered without a one-time prekey.
    pub no_prekeys: u32,
    /// Messages from the client that are refused with this code and not stored.
    pub nack: Option<Coded>,
    /// Messages to the client whose ciphertext has one bit changed.
    pub corrupt_next_ciphertext: u32,
    /// Gives a simulated person a new identity now.
    pub changed_identity: Option<ChangedIdentity>,
    /// Something that goes wrong with downloads of media, whoever makes them.
    pub media: Option<MediaFaultOrder>,
}

/// Bytes from the end of a Signal message at which one bit is changed. In a `msg` this is the end of the ciphertext; in a
/// `pkmsg` the ids that come last take 4 to 11 bytes and the 8 bytes of MAC stand before them.
const CORRUPTED_FROM_END: usize = 12;

/// Changes one bit of a Signal message where its MAC notices it.
pub(crate) fn corrupt(body: &mut [u8]) {
    if let Some(place) = body.len().checked_sub(CORRUPTED_FROM_END) {
        body[place] ^= 1;
    }
}

/// A fault that waits for its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop,
    Duplicate,
    Reorder,
    Delay(u64),
    HalfOpen,
    StreamError(u16),
    WrongRoot,
    WrongLeafKey,
    ExpiredLeaf,
    NoPrekeys,
    Nack(u16),
    Corrupt,
}

/// More faults wait than the emulator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("more than {FAULTS_MAX} kinds of fault are waiting")]
pub(crate) struct TooManyFaults;

#[derive(Debug, Clone, Copy)]
struct Pending {
    fault: Fault,
    left: u32,
    target: Option<AccountId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pending: Mutex<Vec<Pending>>,
}

impl Faults {
    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an order.
    pub(crate) fn order(
        &self,
        order: &FaultOrder,
        target: Option<AccountId>,
    ) -> Result<(), TooManyFaults> {
        let all = [
            (Fault::Drop, order.drop),
            (Fault::Duplicate, order.duplicate),
            (Fault::Reorder, order.reorder),
            (Fault::HalfOpen, order.half_open),
            (Fault::WrongRoot, order.wrong_root),
            (Fault::WrongLeafKey, order.wrong_leaf_key),
            (Fault::ExpiredLeaf, order.expired_leaf),
            (Fault::NoPrekeys, order.no_prekeys),
            (Fault::Corrupt, order.corrupt_next_ciphertext),
        ];
        let delay = order.delay.map(|Delay { ms, count }| (Fault::Delay(ms), count));
        let stream =
            order.stream_error.map(|Coded { code, count }| (Fault::StreamError(code), count));
        let nack = order.nack.map(|Coded { code, count }| (Fault::Nack(code), count));
        let added: Vec<Pending> = all
            .into_iter()
            .chain([delay, stream, nack].into_iter().flatten())
            .filter(|(_, count)| *count > 0)
            .map(|(fault, left)| Pending { fault, left, target })
            .collect();
        let mut pending = self.pending();
        if pending.len() + added.len() > FAULTS_MAX {
            return Err(TooManyFaults);
        }
        pending.extend(added);
        Ok(())
    }

    /// Takes one time of the first waiting fault that `wanted` picks and that strikes this account.
    pub(crate) fn take(&self, account: AccountId, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let strikes = |target: Option<AccountId>| match target {
            Some(target) => target == account,
            None => matches!(account, AccountId::Partner(_)),
        };
        self.take_where(|pending| strikes(pending.target) && wanted(pending.fault))
    }

    /// Takes one time of a waiting fault of the handshake, where nobody is known yet.
    pub(crate) fn take_handshake(&self) -> Option<Fault> {
        self.take_where(|pending| {
            matches!(pending.fault, Fault::WrongRoot | Fault::WrongLeafKey | Fault::ExpiredLeaf)
        })
    }

    fn take_where(&self, picks: impl Fn(&Pending) -> bool) -> Option<Fault> {
        let mut pending = self.pending();
        let index = pending.iter().position(picks)?;
        let fault = pending[index].fault;
        pending[index].left -= 1;
        if pending[index].left == 0 {
            pending.remove(index);
        }
        Some(fault)
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        self.pending().clear();
    }

    /// What waits, for people to read.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.pending().iter().map(|held| format!("{:?} × {}", held.fault, held.left)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_stops_by_itself_and_strikes_only_its_target() {
        let faults = Faults::default();
        let order = FaultOrder { drop: 2, ..FaultOrder::default() };
        faults.order(&order, Some(AccountId::Partner(1))).unwrap();
        let drop = |fault| fault == Fault::Drop;
        assert_eq!(faults.take(AccountId::Partner(2), drop), None);
        assert_eq!(faults.take(AccountId::Partner(1), drop), Some(Fault::Drop));
        assert_eq!(faults.take(AccountId::Partner(1), |f| f == Fault::Duplicate), None);
        assert_eq!(faults.take(AccountId::Partner(1), drop), Some(Fault::Drop));
        assert_eq!(faults.take(AccountId::Partner(1), drop), None);
    }

    #[test]
    fn without_a_target_partners_are_struck_and_people_are_not() {
        let faults = Faults::default();
        let nack = Some(Coded { code: 500, count: 1 });
        faults.order(&FaultOrder { nack, ..FaultOrder::default() }, None).unwrap();
        let nack = |fault| matches!(fault, Fault::Nack(_));
        assert_eq!(faults.take(AccountId::Person(49_151), nack), None);
        assert_eq!(faults.take(AccountId::Partner(1), nack), Some(Fault::Nack(500)));
    }

    #[test]
    fn it_takes_as_many_as_the_limit_and_not_one_more() {
        let faults = Faults::default();
        let order = FaultOrder { drop: 1, ..FaultOrder::default() };
        for _ in 0..FAULTS_MAX {
            faults.order(&order, None).unwrap();
        }
        assert_eq!(faults.order(&order, None), Err(TooManyFaults));
        faults.clear();
        assert_eq!(faults.order(&order, None), Ok(()));
    }
}
