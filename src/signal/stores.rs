//! What the library believes to be its storage: one record, one identity, the offered keys, in memory.
//!
//! Nothing here waits, so the library's asynchronous functions finish at their first poll. Prekeys are never
//! removed here: a spent one is reported, and the caller deletes it in the commit that stores the record.

use async_trait::async_trait;
use futures_util::FutureExt as _;
use wacore_libsignal::protocol::{
    DeviceId, Direction, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore, PreKeyId,
    PreKeyRecord, PreKeyStore, ProtocolAddress, SessionRecord, SessionStore, SignalProtocolError,
    SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore,
};

use super::{address::Address, identity::RemoteIdentityKey, trust};

type LibraryResult<T> = Result<T, SignalProtocolError>;

/// Runs one of the library's functions over the stores below.
pub(super) fn run<T>(step: impl Future<Output = LibraryResult<T>>) -> LibraryResult<T> {
    step.now_or_never().unwrap_or_else(|| {
        Err(SignalProtocolError::InvalidState("run", "an in-memory store waited".to_owned()))
    })
}

/// What the library is told of the peer's address.
///
/// The stores below hold one record and never look at it, but the library logs it: so it gets the device, and
/// never the name.
pub(super) fn nameless(address: &Address) -> ProtocolAddress {
    ProtocolAddress::new("peer", DeviceId::new(address.device))
}

/// The one session record of a step.
pub(super) struct OneSession(pub(super) Option<SessionRecord>);

#[async_trait]
impl SessionStore for OneSession {
    async fn load_session(&self, _: &ProtocolAddress) -> LibraryResult<Option<SessionRecord>> {
        Ok(self.0.clone())
    }

    async fn has_session(&self, _: &ProtocolAddress) -> LibraryResult<bool> {
        Ok(self.0.is_some())
    }

    async fn store_session(
        &mut self,
        _: &ProtocolAddress,
        record: SessionRecord,
    ) -> LibraryResult<()> {
        self.0 = Some(record);
        Ok(())
    }
}

/// Our identity, and for whom a step may encrypt.
pub(super) struct Identities {
    pub(super) pair: IdentityKeyPair,
    pub(super) registration_id: u32,
    /// The only identity to encrypt for; `None` while sessions are opened or messages are read, where
    /// every identity is accepted and what became of it is reported.
    pub(super) only: Option<RemoteIdentityKey>,
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> LibraryResult<IdentityKeyPair> {
        Ok(self.pair.clone())
    }

    async fn get_local_registration_id(&self) -> LibraryResult<u32> {
        Ok(self.registration_id)
    }

    async fn save_identity(
        &mut self,
        _: &ProtocolAddress,
        _: &IdentityKey,
    ) -> LibraryResult<IdentityChange> {
        // What became of the identity is judged in `trust`, from the session itself.
        Ok(IdentityChange::NewOrUnchanged)
    }

    async fn is_trusted_identity(
        &self,
        _: &ProtocolAddress,
        identity: &IdentityKey,
        _: Direction,
    ) -> LibraryResult<bool> {
        Ok(self
            .only
            .is_none_or(|only| trust::may_encrypt(&only, &RemoteIdentityKey::of_library(identity))))
    }

    async fn get_identity(&self, _: &ProtocolAddress) -> LibraryResult<Option<IdentityKey>> {
        Ok(None)
    }
}

/// The one-time prekey that was offered, if any.
pub(super) struct OneTime(pub(super) Option<PreKeyRecord>);

#[async_trait]
impl PreKeyStore for OneTime {
    async fn get_pre_key(&self, id: PreKeyId) -> LibraryResult<PreKeyRecord> {
        match &self.0 {
            Some(record) if record.id()? == id => Ok(record.clone()),
            _ => Err(SignalProtocolError::InvalidPreKeyId),
        }
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> LibraryResult<()> {
        Err(read_only())
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> LibraryResult<()> {
        Err(read_only())
    }
}

/// The signed prekey that was offered, if any.
pub(super) struct Signed(pub(super) Option<SignedPreKeyRecord>);

#[async_trait]
impl SignedPreKeyStore for Signed {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> LibraryResult<SignedPreKeyRecord> {
        use wacore_libsignal::protocol::GenericSignedPreKey as _;
        match &self.0 {
            Some(record) if record.id()? == id => Ok(record.clone()),
            _ => Err(SignalProtocolError::InvalidSignedPreKeyId),
        }
    }

    async fn save_signed_pre_key(
        &mut self,
        _: SignedPreKeyId,
        _: &SignedPreKeyRecord,
    ) -> LibraryResult<()> {
        Err(read_only())
    }
}

fn read_only() -> SignalProtocolError {
    SignalProtocolError::InvalidState("stores", "prekeys are the caller's to change".to_owned())
}
