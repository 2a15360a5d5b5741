//! One side of a conversation, with the storage that a caller of this module would keep.

use std::{cell::Cell, collections::BTreeMap};

use rand::{SeedableRng as _, rngs::StdRng};

use crate::signal::{
    Address, Advance, Ciphertext, DecryptError, EncryptError, IdentityStep, OfferedKeys,
    OurIdentity, PreKey, RemoteBundle, RemoteIdentityKey, SessionRecord, SignedPreKey, decrypt,
    encrypt, establish, needed_prekeys,
};

pub(super) struct Party {
    pub(super) us: OurIdentity,
    pub(super) signed: SignedPreKey,
    pub(super) prekeys: BTreeMap<u32, PreKey>,
    pub(super) record: Option<SessionRecord>,
    pub(super) known: Option<RemoteIdentityKey>,
    pub(super) peer: Address,
    pub(super) rng: StdRng,
    next_prekey: u32,
    forks: Cell<u64>,
}

impl Party {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let us = OurIdentity::generate(&mut rng);
        let signed = SignedPreKey::generate(7, &us, 1_700_000_000_000, &mut rng).unwrap();
        Self {
            us,
            signed,
            prekeys: BTreeMap::new(),
            record: None,
            known: None,
            peer: Address { name: "10501234567".to_owned(), device: 0 },
            rng,
            next_prekey: 1,
            forks: Cell::new(seed << 32),
        }
    }

    /// Two strangers.
    pub(super) fn pair() -> (Self, Self) {
        (Self::new(1), Self::new(2))
    }

    /// Two parties whose session both have confirmed.
    pub(super) fn in_session() -> (Self, Self) {
        let (mut anna, mut ben) = Self::pair();
        let bundle = ben.bundle(true);
        anna.establish(&bundle);
        let opening = anna.send(b"opening");
        ben.receive(&opening).unwrap();
        let answer = ben.send(b"answer");
        anna.receive(&answer).unwrap();
        (anna, ben)
    }

    pub(super) fn identity(&self) -> RemoteIdentityKey {
        RemoteIdentityKey::from_bytes(self.us.public_key())
    }

    pub(super) fn bundle(&mut self, with_prekey: bool) -> RemoteBundle {
        let prekey = with_prekey.then(|| {
            let prekey = PreKey::generate(self.next_prekey, &mut self.rng).unwrap();
            self.next_prekey += 1;
            let public = (prekey.id(), prekey.public());
            self.prekeys.insert(prekey.id(), prekey);
            public
        });
        RemoteBundle {
            registration_id: self.us.registration_id(),
            identity: self.us.public_key(),
            signed_prekey_id: self.signed.id(),
            signed_prekey: self.signed.public(),
            signature: self.signed.signature(),
            prekey,
        }
    }

    pub(super) fn establish(&mut self, bundle: &RemoteBundle) {
        assert_eq!(self.establish_with_step(bundle).key().as_bytes(), &bundle.identity);
    }

    pub(super) fn establish_with_step(&mut self, bundle: &RemoteBundle) -> IdentityStep {
        let advance = establish(
            &self.us,
            &self.peer,
            self.record.as_ref(),
            self.known.as_ref(),
            bundle,
            &mut self.rng,
        )
        .unwrap();
        self.commit(advance).1
    }

    pub(super) fn try_send(&self, text: &[u8]) -> Result<Advance<Ciphertext>, EncryptError> {
        let record = self.record.as_ref().ok_or(EncryptError::NoSession)?;
        let known = self.known.expect("a session has an identity");
        encrypt(&self.us, &self.peer, record, &known, text)
    }

    pub(super) fn send(&mut self, text: &[u8]) -> Ciphertext {
        let advance = self.try_send(text).unwrap();
        self.commit(advance).0
    }

    /// Fresh randomness for a step on a party that only looks.
    pub(super) fn fork(&self) -> StdRng {
        let seed = self.forks.get().wrapping_add(1);
        self.forks.set(seed);
        StdRng::seed_from_u64(seed)
    }

    /// Decrypts without storing anything.
    pub(super) fn try_receive(&self, sent: &Ciphertext) -> Result<Advance<Vec<u8>>, DecryptError> {
        let needed = needed_prekeys(sent)?;
        let keys = OfferedKeys {
            signed: needed.and_then(|it| (it.signed == self.signed.id()).then_some(&self.signed)),
            one_time: needed.and_then(|it| self.prekeys.get(&it.one_time?)),
        };
        let (record, known) = (self.record.as_ref(), self.known.as_ref());
        decrypt(&self.us, &self.peer, record, known, &keys, sent, &mut self.fork())
    }

    pub(super) fn receive(&mut self, sent: &Ciphertext) -> Result<Vec<u8>, DecryptError> {
        self.receive_with_step(sent).map(|(text, _)| text)
    }

    pub(super) fn receive_with_step(
        &mut self,
        sent: &Ciphertext,
    ) -> Result<(Vec<u8>, IdentityStep), DecryptError> {
        let advance = self.try_receive(sent)?;
        Ok(self.commit(advance))
    }

    fn commit<T>(&mut self, advance: Advance<T>) -> (T, IdentityStep) {
        let Advance { record, output, spent_prekey, identity } = advance;
        self.record = Some(record);
        self.known = Some(identity.key());
        if let Some(id) = spent_prekey {
            self.prekeys.remove(&id).expect("a prekey is spent once");
        }
        (output, identity)
    }
}
