//! The Signal party of one simulated phone: sessions, keys, encryption. It must not know stanzas or mailboxes.

use std::collections::VecDeque;

use thiserror::Error;
use wacore_libsignal::protocol::{
    CiphertextMessage, DeviceId, GenericSignedPreKey as _, IdentityKey, IdentityKeyPair, KeyPair,
    PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore as _, ProtocolAddress,
    PublicKey, SessionStore as _, SignalMessage, SignalProtocolError, SignedPreKeyRecord,
    Timestamp, UsePQRatchet, message_decrypt, message_encrypt, process_prekey_bundle,
};

use super::store::{Identities, Prekeys, Sessions, SignedPrekeys};
use crate::{
    entropy,
    world::{Bundle, OneTimePrekey, SignedPrekey},
};

const SIGNED_PREKEY_ID: u32 = 1;
/// The registration id has 14 bits.
const REGISTRATION_ID_MASK: u32 = 0x3fff;

/// Why a message could not be read.
#[derive(Debug, Error)]
pub(crate) enum DecryptError {
    #[error("this message was read before")]
    Duplicate,
    #[error("no key fits this message")]
    Undecryptable(#[source] SignalProtocolError),
}

/// A Signal address: name and device, as the library wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) device: u16,
}

impl Address {
    fn protocol(&self) -> ProtocolAddress {
        ProtocolAddress::new(&self.name, DeviceId::new(u32::from(self.device)))
    }
}

/// See the module.
pub(crate) struct Engine {
    identities: Identities,
    sessions: Sessions,
    prekeys: Prekeys,
    signed_prekeys: SignedPrekeys,
    next_prekey_id: u32,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine(…)")
    }
}

impl Engine {
    /// A fresh party.
    pub(crate) fn generate() -> Self {
        let mut rng = entropy::rng();
        let own = IdentityKeyPair::generate(&mut rng);
        let prekey = KeyPair::generate(&mut rng);
        let signature = own
            .private_key()
            .calculate_signature(&prekey.public_key.serialize(), &mut rng)
            .expect("a fresh key signs");
        let record = SignedPreKeyRecord::new(
            SIGNED_PREKEY_ID.into(),
            Timestamp::from_epoch_millis(0),
            &prekey,
            &signature,
        );
        let registration_id = (u32::from_be_bytes(entropy::bytes()) & REGISTRATION_ID_MASK).max(1);
        Self {
            identities: Identities::new(own, registration_id),
            sessions: Sessions::default(),
            prekeys: Prekeys::default(),
            signed_prekeys: SignedPrekeys { record, id: SIGNED_PREKEY_ID },
            next_prekey_id: 1,
        }
    }

    /// The identity key pair, which is also the account key that links devices.
    pub(crate) fn identity(&self) -> &IdentityKeyPair {
        &self.identities.own
    }

    /// The published half, with `count` fresh one-time prekeys.
    pub(crate) async fn publish(&mut self, count: u32) -> Bundle {
        let signed = &self.signed_prekeys.record;
        let value = signed.public_key().expect("our own record holds its key");
        let signature = signed.signature().expect("our own record holds its signature");
        let signed_prekey = SignedPrekey {
            id: self.signed_prekeys.id,
            value: raw(&value),
            signature: signature.try_into().expect("a signature has 64 bytes"),
        };
        Bundle {
            registration_id: self.identities.registration_id,
            identity: raw(self.identities.own.public_key()),
            signed_prekey,
            one_time: VecDeque::from(self.more_prekeys(count).await),
        }
    }

    /// Fresh one-time prekeys, kept here until they are used.
    pub(crate) async fn more_prekeys(&mut self, count: u32) -> Vec<OneTimePrekey> {
        let mut published = Vec::new();
        for id in self.next_prekey_id..self.next_prekey_id + count {
            let pair = KeyPair::generate(&mut entropy::rng());
            let record = PreKeyRecord::new(PreKeyId::from(id), &pair);
            self.prekeys.save_pre_key(id.into(), &record).await.expect("memory takes every key");
            published.push(OneTimePrekey { id, value: raw(&pair.public_key) });
        }
        self.next_prekey_id += count;
        published
    }

    pub(crate) async fn has_session(&self, address: &Address) -> bool {
        self.sessions.has_session(&address.protocol()).await.unwrap_or(false)
    }

    /// Forgets the session with an address.
    pub(crate) fn forget(&mut self, address: &Address) {
        self.sessions.forget(&address.protocol());
    }

    /// Starts a session from somebody's published keys. The signed prekey's signature is checked.
    pub(crate) async fn establish(
        &mut self,
        address: &Address,
        bundle: &Bundle,
        one_time: Option<&OneTimePrekey>,
    ) -> Result<(), SignalProtocolError> {
        let key = |bytes: &[u8; 32]| PublicKey::from_djb_public_key_bytes(bytes);
        let one_time = match one_time {
            Some(prekey) => Some((PreKeyId::from(prekey.id), key(&prekey.value)?)),
            None => None,
        };
        let bundle = PreKeyBundle::new(
            bundle.registration_id,
            DeviceId::new(u32::from(address.device)),
            one_time,
            bundle.signed_prekey.id.into(),
            key(&bundle.signed_prekey.value)?,
            bundle.signed_prekey.signature.to_vec(),
            IdentityKey::new(key(&bundle.identity)?),
        )?;
        process_prekey_bundle(
            &address.protocol(),
            &mut self.sessions,
            &mut self.identities,
            &bundle,
            &mut entropy::rng(),
            UsePQRatchet::No,
        )
        .await
        .map(|_| ())
    }

    /// Encrypts for an address with a session: the kind (`pkmsg` or `msg`) and the bytes.
    pub(crate) async fn encrypt(
        &mut self,
        address: &Address,
        padded: &[u8],
    ) -> Result<(&'static str, Vec<u8>), SignalProtocolError> {
        let ciphertext =
            message_encrypt(padded, &address.protocol(), &mut self.sessions, &mut self.identities)
                .await?;
        let kind = match ciphertext {
            CiphertextMessage::PreKeySignalMessage(_) => "pkmsg",
            _ => "msg",
        };
        Ok((kind, ciphertext.serialize().to_vec()))
    }

    /// Decrypts what came from an address; a spent one-time prekey is deleted with the same step.
    pub(crate) async fn decrypt(
        &mut self,
        address: &Address,
        kind: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        let ciphertext = match kind {
            "pkmsg" => {
                PreKeySignalMessage::try_from(body).map(CiphertextMessage::PreKeySignalMessage)
            }
            _ => SignalMessage::try_from(body).map(CiphertextMessage::SignalMessage),
        }
        .map_err(DecryptError::Undecryptable)?;
        let result = message_decrypt(
            &ciphertext,
            &address.protocol(),
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed_prekeys,
            &mut entropy::rng(),
            UsePQRatchet::No,
        )
        .await
        .map_err(|error| match error {
            SignalProtocolError::DuplicatedMessage(..) => DecryptError::Duplicate,
            other => DecryptError::Undecryptable(other),
        })?;
        if let Some(id) = result.consumed_prekey_id {
            self.prekeys.remove_pre_key(id).await.map_err(DecryptError::Undecryptable)?;
        }
        Ok(result.plaintext)
    }
}

fn raw(key: &PublicKey) -> [u8; 32] {
    key.public_key_bytes().try_into().expect("a curve key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use assert_matches::assert_matches;

    use super::*;

    fn address(name: &str) -> Address {
        Address { name: name.to_owned(), device: 0 }
    }

    async fn pair() -> (Engine, Engine) {
        let (mut one, mut other) = (Engine::generate(), Engine::generate());
        let mut bundle = other.publish(1).await;
        bundle.verify().unwrap();
        let prekey = bundle.one_time.pop_front();
        one.establish(&address("other"), &bundle, prekey.as_ref()).await.unwrap();
        (one, other)
    }

    #[tokio::test]
    async fn the_first_message_is_a_pkmsg_and_after_an_answer_it_is_a_msg() {
        let (mut one, mut other) = pair().await;
        let (kind, body) = one.encrypt(&address("other"), b"first").await.unwrap();
        assert_eq!(kind, "pkmsg");
        assert_eq!(other.decrypt(&address("one"), kind, &body).await.unwrap(), b"first");
        let (kind, body) = other.encrypt(&address("one"), b"answer").await.unwrap();
        assert_eq!(kind, "msg");
        assert_eq!(one.decrypt(&address("other"), kind, &body).await.unwrap(), b"answer");
        let (kind, _) = one.encrypt(&address("other"), b"second").await.unwrap();
        assert_eq!(kind, "msg");
    }

    #[tokio::test]
    async fn a_message_that_comes_twice_is_known_and_a_changed_one_is_not_read() {
        let (mut one, mut other) = pair().await;
        let (kind, body) = one.encrypt(&address("other"), b"once").await.unwrap();
        other.decrypt(&address("one"), kind, &body).await.unwrap();
        let again = other.decrypt(&address("one"), kind, &body).await;
        assert_matches!(again, Err(DecryptError::Duplicate));
        for _ in 0..2 {
            let (kind, mut body) = one.encrypt(&address("other"), b"changed").await.unwrap();
            crate::faults::corrupt(&mut body);
            let changed = other.decrypt(&address("one"), kind, &body).await;
            assert_matches!(changed, Err(DecryptError::Undecryptable(_)), "{kind}");
            let (kind, body) = other.encrypt(&address("one"), b"answer").await.unwrap();
            one.decrypt(&address("other"), kind, &body).await.unwrap();
        }
    }
}
