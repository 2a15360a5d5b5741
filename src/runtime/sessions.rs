//! The Signal steps of a lane: load what a step needs, take it, and give back the changes that
//! must be committed with what it produced.
//!
//! Nothing is saved here. A step that is not committed did not happen.

use super::ports::Ports;
use crate::{
    domain::{
        identity::ChangedKeys,
        ids::{PortalKey, RemoteAddress, RemoteUser},
        item::EnvelopePart,
    },
    port::{
        Failure, NetworkLink,
        network::LoginKeys,
        storage::{Change, SessionKey, StoredSession},
    },
    signal::{
        self, Address, Ciphertext, DecryptError, EncryptError, EstablishError, IdentityStep,
        OfferedKeys, RemoteIdentityKey,
    },
};

/// Takes Signal steps. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    ports: Ports,
}

/// Whom a plaintext is encrypted for.
#[derive(Debug)]
pub(crate) struct Recipient<'a> {
    pub(crate) portal: &'a PortalKey,
    pub(crate) user: &'a RemoteUser,
    pub(crate) keys: &'a LoginKeys,
    /// To fetch devices and bundles with; without it only existing sessions can be used.
    pub(crate) link: Option<&'a dyn NetworkLink>,
}

impl std::fmt::Debug for dyn NetworkLink + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NetworkLink(…)")
    }
}

/// A plaintext encrypted for every device of a person.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    pub(crate) parts: Vec<EnvelopePart>,
    pub(crate) changes: Vec<Change>,
    /// The keys that it was encrypted for and that are not the known ones: whether the person wants
    /// that is to be asked before it is committed.
    pub(crate) changed: ChangedKeys,
}

#[derive(Debug)]
pub(crate) enum SealFailure {
    NoKeys,
    InvalidKeys,
    Outside(Failure),
}

/// A decrypted message of the network.
pub(crate) struct Opened {
    pub(crate) plaintext: Vec<u8>,
    pub(crate) changes: Vec<Change>,
    /// The key of the sender, if it is not the known one: whether the person wants to read it is to be
    /// asked before it is committed.
    pub(crate) changed: ChangedKeys,
}

#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// It was decrypted before.
    Duplicate,
    /// The sender may send it again in a form that we can read.
    AskAgain(DecryptError),
    Outside(Failure),
}

impl From<Failure> for SealFailure {
    fn from(failure: Failure) -> Self {
        Self::Outside(failure)
    }
}

impl From<Failure> for OpenFailure {
    fn from(failure: Failure) -> Self {
        Self::Outside(failure)
    }
}

impl Sessions {
    pub(crate) fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Encrypts for every device that the network profile wants covered.
    pub(crate) async fn seal(
        &self,
        to: &Recipient<'_>,
        plaintext: &[u8],
    ) -> Result<Sealed, SealFailure> {
        let link = to.link.ok_or_else(|| Failure::later("the login is not connected"))?;
        let mut sealed = Sealed::default();
        for device in link.devices(to.user).await? {
            match self.seal_for(to, device, plaintext, false).await {
                Ok(part) => sealed.add(part),
                // A device without keys is left out, as the network's own clients do; a person
                // without any is told to the sender.
                Err(SealFailure::NoKeys) => {}
                Err(failure) => return Err(failure),
            }
        }
        if sealed.parts.is_empty() { Err(SealFailure::NoKeys) } else { Ok(sealed) }
    }

    /// Encrypts for one device in a new session, because the old one cannot be read there.
    pub(crate) async fn seal_anew(
        &self,
        to: &Recipient<'_>,
        device: u16,
        plaintext: &[u8],
    ) -> Result<Sealed, SealFailure> {
        let mut sealed = Sealed::default();
        sealed.add(self.seal_for(to, device, plaintext, true).await?);
        Ok(sealed)
    }

    async fn seal_for(
        &self,
        to: &Recipient<'_>,
        device: u16,
        plaintext: &[u8],
        anew: bool,
    ) -> Result<SealedPart, SealFailure> {
        let session = SessionKey { portal: to.portal.clone(), device };
        let stored = self.ports.storage.session(&session).await?;
        let usable = !anew && stored.as_ref().is_some_and(|s| signal::has_sender_chain(&s.record));
        let address = address(to.user, device);
        let (ready, is_changed) = match stored {
            Some(stored) if usable => (stored, false),
            stored => self.establish(to, &address, stored.as_ref(), device).await?,
        };
        let step =
            signal::encrypt(&to.keys.identity, &address, &ready.record, &ready.identity, plaintext)
                .map_err(encrypt_failure)?;
        let changed = is_changed.then_some((device, ready.identity));
        let change =
            Change::SessionSaved { session, record: step.record, identity: ready.identity };
        let part = EnvelopePart { device, ciphertext: step.output };
        Ok(SealedPart { part, change, changed })
    }

    async fn establish(
        &self,
        to: &Recipient<'_>,
        address: &Address,
        stored: Option<&StoredSession>,
        device: u16,
    ) -> Result<(StoredSession, bool), SealFailure> {
        let link = to.link.ok_or_else(|| Failure::later("the login is not connected"))?;
        let of = RemoteAddress { user: to.user.clone(), device };
        let bundle = link.bundle(&of).await?.ok_or(SealFailure::NoKeys)?;
        let (record, known) = (stored.map(|s| &s.record), stored.map(|s| &s.identity));
        let mut rng = self.ports.rng();
        let step = signal::establish(&to.keys.identity, address, record, known, &bundle, &mut rng)
            .map_err(establish_failure)?;
        let changed = matches!(step.identity, IdentityStep::Changed { .. });
        Ok((StoredSession { record: step.record, identity: step.identity.key() }, changed))
    }

    /// The keys that the network gives out for a person, where they are not the known ones.
    pub(crate) async fn changed_keys(
        &self,
        portal: &PortalKey,
        user: &RemoteUser,
        link: &dyn NetworkLink,
    ) -> Result<ChangedKeys, Failure> {
        let mut changed = ChangedKeys::new();
        for device in link.devices(user).await? {
            let session = SessionKey { portal: portal.clone(), device };
            let Some(stored) = self.ports.storage.session(&session).await? else { continue };
            let of = RemoteAddress { user: user.clone(), device };
            let Some(bundle) = link.bundle(&of).await? else { continue };
            let key = RemoteIdentityKey::from_bytes(bundle.identity);
            if key != stored.identity {
                changed.insert(device, key);
            }
        }
        Ok(changed)
    }

    /// Decrypts on a copy of the record: a failure leaves nothing behind.
    pub(crate) async fn open(
        &self,
        portal: &PortalKey,
        keys: &LoginKeys,
        from: &RemoteAddress,
        ciphertext: &Ciphertext,
    ) -> Result<Opened, OpenFailure> {
        let session = SessionKey { portal: portal.clone(), device: from.device };
        let stored = self.ports.storage.session(&session).await?;
        let needed = signal::needed_prekeys(ciphertext).map_err(open_failure)?;
        let wanted = needed.as_ref().and_then(|needed| needed.one_time);
        let one_time = match wanted {
            Some(id) => self.ports.storage.prekey(&portal.login, id).await?,
            None => None,
        };
        let offered =
            OfferedKeys { signed: Some(&keys.signed_prekey), one_time: one_time.as_ref() };
        let record = stored.as_ref().map(|s| &s.record);
        let known: Option<&RemoteIdentityKey> = stored.as_ref().map(|s| &s.identity);
        let address = address(&from.user, from.device);
        let mut rng = self.ports.rng();
        let step = signal::decrypt(
            &keys.identity,
            &address,
            record,
            known,
            &offered,
            ciphertext,
            &mut rng,
        )
        .map_err(open_failure)?;
        let identity = step.identity.key();
        let mut changes = vec![Change::SessionSaved { session, record: step.record, identity }];
        if let Some(id) = step.spent_prekey {
            changes.push(Change::PreKeySpent { login: portal.login.clone(), id });
        }
        let changed = match step.identity {
            IdentityStep::Changed { new } => [(from.device, new)].into(),
            IdentityStep::Same(_) | IdentityStep::New(_) => ChangedKeys::new(),
        };
        Ok(Opened { plaintext: step.output, changes, changed })
    }
}

struct SealedPart {
    part: EnvelopePart,
    change: Change,
    changed: Option<(u16, RemoteIdentityKey)>,
}

impl Sealed {
    fn add(&mut self, sealed: SealedPart) {
        self.parts.push(sealed.part);
        self.changes.push(sealed.change);
        self.changed.extend(sealed.changed);
    }
}

fn address(user: &RemoteUser, device: u16) -> Address {
    Address { name: user.0.clone(), device: u32::from(device) }
}

fn establish_failure(error: EstablishError) -> SealFailure {
    match error {
        EstablishError::BadSignature | EstablishError::Malformed => SealFailure::InvalidKeys,
        EstablishError::DamagedRecord | EstablishError::Internal => {
            SealFailure::Outside(Failure::never(error.to_string()))
        }
    }
}

fn encrypt_failure(error: EncryptError) -> SealFailure {
    SealFailure::Outside(Failure::never(error.to_string()))
}

fn open_failure(error: DecryptError) -> OpenFailure {
    match error.retry() {
        _ if error == DecryptError::Duplicate => OpenFailure::Duplicate,
        signal::Retry::AskPeer => OpenFailure::AskAgain(error),
        signal::Retry::Never | signal::Retry::FetchBundle => {
            OpenFailure::Outside(Failure::never(error.to_string()))
        }
    }
}
