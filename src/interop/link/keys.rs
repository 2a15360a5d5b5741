//! Public keys: ours to the network, others' from it (network facts 3.6).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use causeway_wire::stanza::{
    IqError, Query, keys,
    prekeys::{KeyReply, KeyRequest, Upload, parse_count},
};
use tokio::time::Instant;

use super::{Link, jid_of, refused, unreadable};
use crate::{
    domain::ids::RemoteAddress,
    port::{Failure, network::OurBundle},
    signal::{PreKey, RemoteBundle, SignedPreKey},
};

const KEYS: &str = "a person's keys";

/// A bundle that was fetched to see whether there is one, kept for who wants to use it: every fetch
/// spends a one-time prekey of the person.
#[derive(Default)]
pub(super) struct Spare(Mutex<Option<(RemoteAddress, Instant, RemoteBundle)>>);

/// How long a spare bundle stays good.
const SPARE_FOR: Duration = Duration::from_mins(1);

impl Spare {
    pub(super) fn keep(&self, address: RemoteAddress, bundle: RemoteBundle) {
        *self.slot() = Some((address, Instant::now(), bundle));
    }

    /// Gives each bundle out once.
    fn take(&self, address: &RemoteAddress) -> Option<RemoteBundle> {
        let (_, since, bundle) = self.slot().take_if(|(kept_for, ..)| kept_for == address)?;
        (since.elapsed() < SPARE_FOR).then_some(bundle)
    }

    fn slot(&self) -> MutexGuard<'_, Option<(RemoteAddress, Instant, RemoteBundle)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    pub(super) async fn fetch_bundle(
        &self,
        address: &RemoteAddress,
    ) -> Result<Option<RemoteBundle>, Failure> {
        if let Some(bundle) = self.spare.take(address) {
            return Ok(Some(bundle));
        }
        match self.request_bundle(address).await? {
            Ok(bundle) => Ok(Some(bundle)),
            Err(error) if error.code == 404 => Ok(None),
            Err(error) => Err(refused(KEYS, &error)),
        }
    }

    /// Asks for the keys of one device; the refusal may be of the whole question or of this device.
    pub(super) async fn request_bundle(
        &self,
        address: &RemoteAddress,
    ) -> Result<Result<RemoteBundle, IqError>, Failure> {
        let jid = jid_of(&address.user, address.device)?;
        let query = Query::FetchKeys(vec![KeyRequest::new(jid.clone())]);
        let content = match self.connection.ask(query).await? {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        };
        let replies = KeyReply::parse(&content).map_err(unreadable(KEYS))?;
        let ours = replies.into_iter().find(|reply| reply.jid == jid);
        let nobody = || IqError { code: 404, text: "item-not-found".to_owned() };
        Ok(ours.map_or_else(|| Err(nobody()), |reply| reply.keys).map(of_theirs))
    }

    pub(super) async fn publish_prekeys(
        &self,
        keys: &OurBundle,
        prekeys: &[PreKey],
    ) -> Result<(), Failure> {
        let upload = Upload {
            registration_id: keys.identity.registration_id(),
            identity: keys.identity.public_key(),
            prekeys: prekeys.iter().map(one_time).collect(),
            signed_prekey: signed(&keys.signed_prekey),
        };
        self.ask(Query::UploadPreKeys(upload), "publishing prekeys").await.map(drop)
    }

    pub(super) async fn count_prekeys(&self) -> Result<u32, Failure> {
        const WHAT: &str = "the count of prekeys";
        let content = self.ask(Query::CountPreKeys, WHAT).await?;
        parse_count(&content).map_err(unreadable(WHAT))
    }
}

/// Our keys as a retry receipt carries them.
pub(super) fn of_ours(bundle: &OurBundle) -> keys::Bundle {
    keys::Bundle {
        registration_id: bundle.identity.registration_id(),
        identity: bundle.identity.public_key(),
        signed_prekey: signed(&bundle.signed_prekey),
        prekey: bundle.prekey.as_ref().map(one_time),
        device_identity: None,
    }
}

fn of_theirs(bundle: keys::Bundle) -> RemoteBundle {
    RemoteBundle {
        registration_id: bundle.registration_id,
        identity: bundle.identity,
        signed_prekey_id: bundle.signed_prekey.id,
        signed_prekey: bundle.signed_prekey.public,
        signature: bundle.signed_prekey.signature,
        prekey: bundle.prekey.map(|prekey| (prekey.id, prekey.public)),
    }
}

fn one_time(prekey: &PreKey) -> keys::PreKey {
    keys::PreKey { id: prekey.id(), public: prekey.public() }
}

fn signed(prekey: &SignedPreKey) -> keys::SignedPreKey {
    keys::SignedPreKey { id: prekey.id(), public: prekey.public(), signature: prekey.signature() }
}
