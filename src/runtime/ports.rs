//! The ports that the runtime works through, and the keys to names.

use std::{fmt, sync::Arc};

use rand::{TryCryptoRng, TryRng};

use super::rules::Rules;
use crate::{
    domain::{hosting::MediaRules, ids::GhostNamer, phone::Region},
    port::{Clock, Entropy, Failure, Homeserver, InteropNetwork, MediaStore, RoomCipher, Storage},
};

/// Cheap to clone; every part of the runtime has one.
#[derive(Clone)]
pub struct Ports {
    pub storage: Arc<dyn Storage>,
    pub homeserver: Arc<dyn Homeserver>,
    pub cipher: Arc<dyn RoomCipher>,
    pub network: Arc<dyn InteropNetwork>,
    pub media: Arc<dyn MediaStore>,
    pub media_rules: MediaRules,
    pub rules: Rules,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub namer: GhostNamer,
    /// Where phone numbers without a country code are dialed, if the operator said so.
    pub region: Option<Region>,
    /// Whether rooms are told of each message how far it came (`domain::status`).
    pub message_status: bool,
}

impl Ports {
    /// Nothing is begun while its end could not be written down.
    pub(crate) fn can_write(&self) -> Result<(), Failure> {
        match self.storage.trouble() {
            None => Ok(()),
            Some(why) => Err(Failure::later(why).told()),
        }
    }

    /// The entropy port in the form that the cryptography libraries take.
    pub(crate) fn rng(&self) -> EntropyRng {
        EntropyRng(Arc::clone(&self.entropy))
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports(…)")
    }
}

/// A cryptographic random number generator over [`Entropy`].
pub(crate) struct EntropyRng(Arc<dyn Entropy>);

impl TryRng for EntropyRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for EntropyRng {}
