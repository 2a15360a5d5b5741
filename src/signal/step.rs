//! The three steps: establish, encrypt, decrypt.

use std::fmt;

use rand::CryptoRng;
use wacore_libsignal::protocol::{
    PreKeySignalMessage, SessionRecord as LibraryRecord, SignalProtocolError, UsePQRatchet,
    message_decrypt_prekey, message_decrypt_signal, message_encrypt, process_prekey_bundle,
};

use super::{
    address::Address,
    ciphertext::{Ciphertext, Envelope, MAX_PLAINTEXT_BYTES},
    error::{DecryptError, EncryptError, EstablishError},
    identity::{OurIdentity, RemoteIdentityKey},
    prekey::{PreKey, RemoteBundle, SignedPreKey},
    record::SessionRecord,
    stores::{Identities, OneSession, OneTime, Signed, nameless, run},
    trust::{self, IdentityStep},
};

/// What one step leaves behind. Commit all of it together, or nothing.
#[must_use = "a step that is not committed did not happen, and its output must not leave the process"]
pub struct Advance<T> {
    /// The session record from now on.
    pub record: SessionRecord,
    /// What the step was for.
    pub output: T,
    /// The one-time prekey that the step used up: delete it.
    pub spent_prekey: Option<u32>,
    /// What became of the identity that the peer is known by.
    pub identity: IdentityStep,
}

impl<T> fmt::Debug for Advance<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The output may be a plaintext.
        let Self { record, output: _, spent_prekey, identity } = self;
        f.debug_struct("Advance")
            .field("record", record)
            .field("spent_prekey", spent_prekey)
            .field("identity", identity)
            .finish_non_exhaustive()
    }
}

/// Our prekeys that a message asks for (see [`needed_prekeys`](super::needed_prekeys)), as far as they
/// still exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfferedKeys<'a> {
    /// The signed prekey.
    pub signed: Option<&'a SignedPreKey>,
    /// The one-time prekey.
    pub one_time: Option<&'a PreKey>,
}

/// Opens a session to a peer from its bundle.
///
/// Over a `record` that holds a session, that session is archived (late messages of it can still be read) and
/// the new one is used from now on: this is how a session is reset. A bundle under another identity than
/// `known` is accepted and reported.
pub fn establish<R: CryptoRng + ?Sized>(
    us: &OurIdentity,
    to: &Address,
    record: Option<&SessionRecord>,
    known: Option<&RemoteIdentityKey>,
    bundle: &RemoteBundle,
    mut rng: &mut R,
) -> Result<Advance<()>, EstablishError> {
    let bundle_key = RemoteIdentityKey::from_bytes(bundle.identity);
    let bundle = bundle.to_library(to.device)?;
    let record = match record {
        Some(record) => Some(record.to_library().map_err(|_| EstablishError::DamagedRecord)?),
        None => None,
    };
    let mut sessions = OneSession(record);
    let mut identities = identities(us, None).ok_or(EstablishError::Internal)?;
    run(process_prekey_bundle(
        &nameless(to),
        &mut sessions,
        &mut identities,
        &bundle,
        &mut rng,
        UsePQRatchet::No,
    ))
    .map_err(|error| EstablishError::from_library(&error))?;
    Ok(Advance {
        record: stored(sessions).ok_or(EstablishError::Internal)?,
        output: (),
        spent_prekey: None,
        identity: trust::opened(known, bundle_key),
    })
}

/// Encrypts for a peer under the record's current session, which must belong to the identity `known`.
///
/// The ciphertext must not leave the process before the record is committed.
pub fn encrypt(
    us: &OurIdentity,
    to: &Address,
    record: &SessionRecord,
    known: &RemoteIdentityKey,
    plaintext: &[u8],
) -> Result<Advance<Ciphertext>, EncryptError> {
    if plaintext.len() > MAX_PLAINTEXT_BYTES {
        return Err(EncryptError::TooLarge { got: plaintext.len() });
    }
    let mut sessions =
        OneSession(Some(record.to_library().map_err(|_| EncryptError::DamagedRecord)?));
    let mut identities = identities(us, Some(*known)).ok_or(EncryptError::Internal)?;
    let message = run(message_encrypt(plaintext, &nameless(to), &mut sessions, &mut identities))
        .map_err(|error| EncryptError::from_library(&error))?;
    Ok(Advance {
        record: stored(sessions).ok_or(EncryptError::Internal)?,
        output: Ciphertext::of_library(message).ok_or(EncryptError::Internal)?,
        spent_prekey: None,
        identity: IdentityStep::Same(*known),
    })
}

/// Decrypts a message of a peer.
///
/// A message that opens a session needs our prekeys, unless the session exists already. A message of any
/// session of the record is read, out of order and once: again, it is a
/// [`Duplicate`](DecryptError::Duplicate). Only a message that opens a session without a one-time prekey can be read twice, and
/// only if the record has lost that session in between; so whoever stores messages must also know them by
/// their network id.
pub fn decrypt<R: CryptoRng + ?Sized>(
    us: &OurIdentity,
    from: &Address,
    record: Option<&SessionRecord>,
    known: Option<&RemoteIdentityKey>,
    keys: &OfferedKeys<'_>,
    ciphertext: &Ciphertext,
    rng: &mut R,
) -> Result<Advance<Vec<u8>>, DecryptError> {
    let envelope = Envelope::parse(ciphertext)?;
    let before = match record {
        Some(record) => Some(record.to_library().map_err(|_| DecryptError::DamagedRecord)?),
        None => None,
    };
    let mut identities = identities(us, None).ok_or(DecryptError::Internal)?;
    let mut sessions = OneSession(before.clone());
    let (plaintext, spent_prekey, opens) = match &envelope {
        Envelope::PreKey(message) => {
            let opens = !before.as_ref().is_some_and(|record| holds_session_of(record, message));
            if opens {
                check_offered(keys, message)?;
            }
            let (plaintext, spent) =
                read_prekey(&mut sessions, &mut identities, from, keys, message, rng)?;
            (plaintext, spent, opens)
        }
        Envelope::Message(message) => {
            let mut rng = rng;
            let result = run(message_decrypt_signal(
                message,
                &nameless(from),
                &mut sessions,
                &mut identities,
                &mut rng,
            ))
            .map_err(|error| DecryptError::from_library(&error))?;
            (result.plaintext, None, false)
        }
    };
    let mut after = sessions.0.ok_or(DecryptError::Internal)?;
    let session = identity_of_current(&after).ok_or(DecryptError::Internal)?;
    if let Envelope::PreKey(message) = &envelope
        && RemoteIdentityKey::of_library(message.identity_key()) != session
    {
        // The wrapping is not authenticated when the session exists already; only a forger alters it.
        return Err(DecryptError::Authentication);
    }
    let identity =
        if opens { trust::opened(known, session) } else { trust::continued(known, session) };
    if identity.key() != session {
        keep_current(&mut after, before.as_ref(), identity.key());
    }
    Ok(Advance {
        record: SessionRecord::of_library(after).map_err(|_| DecryptError::Internal)?,
        output: plaintext,
        spent_prekey,
        identity,
    })
}

/// Decrypts a message that opens a session, and gives the plaintext and the spent one-time prekey.
fn read_prekey<R: CryptoRng + ?Sized>(
    sessions: &mut OneSession,
    identities: &mut Identities,
    from: &Address,
    keys: &OfferedKeys<'_>,
    message: &PreKeySignalMessage,
    mut rng: &mut R,
) -> Result<(Vec<u8>, Option<u32>), DecryptError> {
    let signed = keys.signed.map(SignedPreKey::to_library).transpose();
    let one_time = keys.one_time.map(PreKey::to_library).transpose();
    let signed = Signed(signed.map_err(|_| DecryptError::Internal)?);
    let mut one_time = OneTime(one_time.map_err(|_| DecryptError::Internal)?);
    let result = run(message_decrypt_prekey(
        message,
        &nameless(from),
        sessions,
        identities,
        &mut one_time,
        &signed,
        &mut rng,
        UsePQRatchet::No,
    ))
    .map_err(|error: SignalProtocolError| DecryptError::from_library(&error))?;
    Ok((result.plaintext, result.consumed_prekey_id.map(u32::from)))
}

/// Names the key that is missing for opening the session.
fn check_offered(
    keys: &OfferedKeys<'_>,
    message: &PreKeySignalMessage,
) -> Result<(), DecryptError> {
    let id = u32::from(message.signed_pre_key_id());
    if keys.signed.map(SignedPreKey::id) != Some(id) {
        return Err(DecryptError::MissingSignedPreKey { id });
    }
    match message.pre_key_id().map(u32::from) {
        Some(id) if keys.one_time.map(PreKey::id) != Some(id) => {
            Err(DecryptError::MissingPreKey { id })
        }
        _ => Ok(()),
    }
}

/// Whether the session that `message` opens is already there, current or archived.
fn holds_session_of(record: &LibraryRecord, message: &PreKeySignalMessage) -> bool {
    // Asked of a copy, because the library answers by making the session current.
    record
        .clone()
        .promote_matching_session(
            u32::from(message.message_version()),
            &message.base_key().serialize(),
        )
        .unwrap_or(false)
}

/// Undoes that a late message of an older identity's session made that session the current one.
///
/// The state from before the step is put back rather than the archived one, because archiving strips
/// what a session that the peer has not confirmed yet must still send.
fn keep_current(
    after: &mut LibraryRecord,
    before: Option<&LibraryRecord>,
    known: RemoteIdentityKey,
) {
    let Some(before) = before else { return };
    let Some(state) = before.session_state() else { return };
    if identity_of_current(before) == Some(known) {
        after.take_previous_session(0);
        after.promote_state(state.clone());
    }
}

fn identity_of_current(record: &LibraryRecord) -> Option<RemoteIdentityKey> {
    let key = record.session_state()?.remote_identity_key().ok()??;
    Some(RemoteIdentityKey::of_library(&key))
}

fn identities(us: &OurIdentity, only: Option<RemoteIdentityKey>) -> Option<Identities> {
    let pair = us.library_pair().ok()?;
    Some(Identities { pair, registration_id: us.registration_id(), only })
}

fn stored(sessions: OneSession) -> Option<SessionRecord> {
    SessionRecord::of_library(sessions.0?).ok()
}
