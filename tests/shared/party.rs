//! The Signal side of a person on the network: keys, and true sessions with whoever they write to.

use std::collections::BTreeMap;

use causeway::{
    port::network::OurBundle,
    signal::{
        self, Address, Ciphertext, DecryptError, OfferedKeys, OurIdentity, PreKey, RemoteBundle,
        RemoteIdentityKey, SessionRecord, SignedPreKey,
    },
};
use rand::{SeedableRng as _, rngs::StdRng};

pub(crate) struct Party {
    identity: OurIdentity,
    signed: SignedPreKey,
    prekeys: BTreeMap<u32, PreKey>,
    last_prekey: u32,
    /// By partner.
    sessions: BTreeMap<String, (SessionRecord, RemoteIdentityKey)>,
    pub(crate) rng: StdRng,
}

impl Party {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = OurIdentity::generate(&mut rng);
        let signed =
            SignedPreKey::generate(1, &identity, 0, &mut rng).expect("a signed prekey can be made");
        let (prekeys, last_prekey, sessions) = Default::default();
        Self { identity, signed, prekeys, last_prekey, sessions, rng }
    }

    /// Keys for whoever wants to write to this person; with a one-time key unless the stock is empty.
    pub(crate) fn bundle(&mut self, is_stocked: bool) -> RemoteBundle {
        let prekey = is_stocked.then(|| {
            self.last_prekey += 1;
            let prekey =
                PreKey::generate(self.last_prekey, &mut self.rng).expect("a prekey can be made");
            let public = prekey.public();
            self.prekeys.insert(self.last_prekey, prekey);
            (self.last_prekey, public)
        });
        RemoteBundle {
            registration_id: self.identity.registration_id(),
            identity: self.identity.public_key(),
            signed_prekey_id: self.signed.id(),
            signed_prekey: self.signed.public(),
            signature: self.signed.signature(),
            prekey,
        }
    }

    /// Forgets the session with a partner.
    pub(crate) fn lose_session(&mut self, partner: &str) {
        self.sessions.remove(partner);
    }

    /// Reads; a failure leaves nothing behind.
    pub(crate) fn open(
        &mut self,
        partner: &str,
        ciphertext: &Ciphertext,
    ) -> Result<Vec<u8>, DecryptError> {
        let needed = signal::needed_prekeys(ciphertext)?;
        let keys = OfferedKeys {
            signed: Some(&self.signed),
            one_time: needed.and_then(|needed| self.prekeys.get(&needed.one_time?)),
        };
        let (record, known) = self.sessions.get(partner).map(|(r, k)| (r, k)).unzip();
        let (us, from) = (&self.identity, address(partner));
        let step = signal::decrypt(us, &from, record, known, &keys, ciphertext, &mut self.rng)?;
        self.sessions.insert(partner.to_owned(), (step.record, step.identity.key()));
        Ok(step.output)
    }

    /// Writes; `theirs` opens a session when there is none.
    pub(crate) fn seal(
        &mut self,
        partner: &str,
        plaintext: &[u8],
        theirs: &OurBundle,
        prekey: Option<&PreKey>,
    ) -> Ciphertext {
        if !self.sessions.contains_key(partner) {
            self.establish(partner, theirs, prekey);
        }
        let (record, known) = &self.sessions[partner];
        let to = address(partner);
        let step = signal::encrypt(&self.identity, &to, record, known, plaintext)
            .expect("a session encrypts");
        self.sessions.insert(partner.to_owned(), (step.record, step.identity.key()));
        step.output
    }

    /// Opens a session; one that there was is still read.
    pub(crate) fn establish(&mut self, partner: &str, theirs: &OurBundle, prekey: Option<&PreKey>) {
        let bundle = RemoteBundle {
            registration_id: theirs.identity.registration_id(),
            identity: theirs.identity.public_key(),
            signed_prekey_id: theirs.signed_prekey.id(),
            signed_prekey: theirs.signed_prekey.public(),
            signature: theirs.signed_prekey.signature(),
            prekey: prekey.map(|prekey| (prekey.id(), prekey.public())),
        };
        let (record, known) = self.sessions.get(partner).map(|(r, k)| (r, k)).unzip();
        let (us, to) = (&self.identity, address(partner));
        let step = signal::establish(us, &to, record, known, &bundle, &mut self.rng)
            .expect("a bundle of the bridge establishes a session");
        self.sessions.insert(partner.to_owned(), (step.record, step.identity.key()));
    }
}

fn address(name: &str) -> Address {
    Address { name: name.to_owned(), device: 0 }
}
