//! Our side of a conversation, with the storage that the bridge would keep.

use std::collections::BTreeMap;

use causeway::signal::{
    Address, Advance, Ciphertext, DecryptError, EstablishError, OfferedKeys, OurIdentity, PreKey,
    RemoteBundle, RemoteIdentityKey, SessionRecord, SignedPreKey, decrypt, encrypt, establish,
    needed_prekeys,
};
use rand::{SeedableRng as _, rngs::StdRng};

pub(crate) struct Ours {
    pub(crate) us: OurIdentity,
    pub(crate) rng: StdRng,
    signed: SignedPreKey,
    prekeys: BTreeMap<u32, PreKey>,
    record: Option<SessionRecord>,
    known: Option<RemoteIdentityKey>,
    peer: Address,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let us = OurIdentity::generate(&mut rng);
        let signed = SignedPreKey::generate(9, &us, 0, &mut rng).unwrap();
        let peer = Address { name: "peer".to_owned(), device: 1 };
        Self { us, rng, signed, prekeys: BTreeMap::new(), record: None, known: None, peer }
    }

    pub(crate) fn known(&self) -> Option<RemoteIdentityKey> {
        self.known
    }

    pub(crate) fn prekeys_are_spent(&self) -> bool {
        self.prekeys.is_empty()
    }

    pub(crate) fn bundle(&mut self, with_prekey: bool) -> RemoteBundle {
        let prekey = with_prekey.then(|| {
            let prekey = PreKey::generate(0x00ff_ff00, &mut self.rng).unwrap();
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

    pub(crate) fn try_establish(&mut self, bundle: &RemoteBundle) -> Result<(), EstablishError> {
        let (record, known) = (self.record.as_ref(), self.known.as_ref());
        let advance = establish(&self.us, &self.peer, record, known, bundle, &mut self.rng)?;
        self.commit(advance);
        Ok(())
    }

    pub(crate) fn establish(&mut self, bundle: &RemoteBundle) {
        self.try_establish(bundle).unwrap();
    }

    pub(crate) fn send(&mut self, text: &str) -> Ciphertext {
        let record = self.record.as_ref().expect("a session was established");
        let known = self.known.expect("a session has an identity");
        let advance = encrypt(&self.us, &self.peer, record, &known, text.as_bytes()).unwrap();
        self.commit(advance)
    }

    pub(crate) fn receive(&mut self, sent: &Ciphertext) -> Result<String, DecryptError> {
        let needed = needed_prekeys(sent)?;
        let keys = OfferedKeys {
            signed: needed.and_then(|it| (it.signed == self.signed.id()).then_some(&self.signed)),
            one_time: needed.and_then(|it| self.prekeys.get(&it.one_time?)),
        };
        let (record, known) = (self.record.as_ref(), self.known.as_ref());
        let advance = decrypt(&self.us, &self.peer, record, known, &keys, sent, &mut self.rng)?;
        Ok(String::from_utf8(self.commit(advance)).unwrap())
    }

    fn commit<T>(&mut self, advance: Advance<T>) -> T {
        self.record = Some(advance.record);
        self.known = Some(advance.identity.key());
        if let Some(id) = advance.spent_prekey {
            self.prekeys.remove(&id).expect("a prekey is spent once");
        }
        advance.output
    }
}
