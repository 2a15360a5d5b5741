//! The client's Signal party.

use causeway_wire::stanza::keys::{Bundle, PreKey, SignedPreKey};
use rand::rngs::StdRng;
use wacore_libsignal::protocol::{
    CiphertextMessage, DeviceId, GenericSignedPreKey as _, IdentityKey, IdentityKeyPair, KeyPair,
    PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore as _, ProtocolAddress,
    PublicKey, SessionStore as _, SignalMessage, SignedPreKeyRecord, Timestamp, UsePQRatchet,
    message_decrypt, message_encrypt, process_prekey_bundle,
};

use crate::store::{Identities, Prekeys, Sessions, SignedPrekeys};

pub(crate) struct Party {
    identities: Identities,
    sessions: Sessions,
    prekeys: Prekeys,
    signed: SignedPrekeys,
    signature: [u8; 64],
}

pub(crate) fn rng() -> StdRng {
    rand::make_rng()
}

fn raw(key: &PublicKey) -> [u8; 32] {
    key.public_key_bytes().try_into().unwrap()
}

fn address(name: &str) -> ProtocolAddress {
    ProtocolAddress::new(name, DeviceId::new(0))
}

impl Party {
    pub(crate) fn new() -> Self {
        let own = IdentityKeyPair::generate(&mut rng());
        let prekey = KeyPair::generate(&mut rng());
        let signature = own
            .private_key()
            .calculate_signature(&prekey.public_key.serialize(), &mut rng())
            .unwrap();
        let time = Timestamp::from_epoch_millis(0);
        let record = SignedPreKeyRecord::new(9.into(), time, &prekey, &signature);
        Self {
            identities: Identities::new(own, 77),
            sessions: Sessions::default(),
            prekeys: Prekeys::default(),
            signed: SignedPrekeys { record, id: 9 },
            signature,
        }
    }

    pub(crate) fn spoil_signature(&mut self) {
        self.signature[10] ^= 1;
    }

    /// What is published, without one-time prekeys.
    pub(crate) fn bundle(&self) -> Bundle {
        Bundle {
            registration_id: self.identities.registration_id,
            identity: raw(self.identities.own.public_key()),
            signed_prekey: SignedPreKey {
                id: self.signed.id,
                public: raw(&self.signed.record.public_key().unwrap()),
                signature: self.signature,
            },
            prekey: None,
            device_identity: None,
        }
    }

    pub(crate) async fn prekey(&mut self, id: u32) -> PreKey {
        let pair = KeyPair::generate(&mut rng());
        let record = PreKeyRecord::new(PreKeyId::from(id), &pair);
        self.prekeys.save_pre_key(id.into(), &record).await.unwrap();
        PreKey { id, public: raw(&pair.public_key) }
    }

    pub(crate) async fn has_session(&self, name: &str) -> bool {
        self.sessions.has_session(&address(name)).await.unwrap()
    }

    pub(crate) async fn establish(&mut self, name: &str, bundle: &Bundle) {
        let key = |bytes: &[u8; 32]| PublicKey::from_djb_public_key_bytes(bytes).unwrap();
        self.sessions.forget(&address(name));
        let bundle = PreKeyBundle::new(
            bundle.registration_id,
            DeviceId::new(0),
            bundle.prekey.as_ref().map(|prekey| (prekey.id.into(), key(&prekey.public))),
            bundle.signed_prekey.id.into(),
            key(&bundle.signed_prekey.public),
            bundle.signed_prekey.signature.to_vec(),
            IdentityKey::new(key(&bundle.identity)),
        )
        .unwrap();
        process_prekey_bundle(
            &address(name),
            &mut self.sessions,
            &mut self.identities,
            &bundle,
            &mut rng(),
            UsePQRatchet::No,
        )
        .await
        .unwrap();
    }

    pub(crate) async fn encrypt(&mut self, name: &str, padded: &[u8]) -> (bool, Vec<u8>) {
        let sealed =
            message_encrypt(padded, &address(name), &mut self.sessions, &mut self.identities)
                .await
                .unwrap();
        let first = matches!(sealed, CiphertextMessage::PreKeySignalMessage(_));
        (first, sealed.serialize().to_vec())
    }

    pub(crate) async fn decrypt(&mut self, name: &str, first: bool, body: &[u8]) -> Vec<u8> {
        let sealed = if first {
            CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(body).unwrap())
        } else {
            CiphertextMessage::SignalMessage(SignalMessage::try_from(body).unwrap())
        };
        let opened = message_decrypt(
            &sealed,
            &address(name),
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed,
            &mut rng(),
            UsePQRatchet::No,
        )
        .await
        .unwrap();
        opened.plaintext
    }
}
