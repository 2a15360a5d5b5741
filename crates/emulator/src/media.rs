//! The network's media service (network facts 1.7, 3.8): it keeps the ciphertext that WhatsApp people upload, hands it out,
//! and relays what partners host. It must not know keys or messages, nor how a request looks.

mod body;
mod faults;
mod partner;
mod store;

use std::io;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use self::faults::{MediaFault, MediaFaultOrder};
pub(crate) use self::{
    body::{Flaws, stream},
    faults::MediaFaults,
    partner::{PartnerMedia, storage_reference},
    store::{MediaStore, Missing, StoreError, StoredFile},
};
use crate::{
    entropy,
    limits::{MEDIA_FILE_BYTES_MAX, MEDIA_FILES_MAX, MEDIA_TOTAL_BYTES_MAX},
};

/// The host that clients complete a direct path with; the emulator plays it.
pub(crate) const MEDIA_HOST: &str = "mmg.whatsapp.net";

/// The folder in a direct path for what is uploaded as this kind; `None` if there is no such kind.
pub(crate) fn upload_folder(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "image" => "t62.7118-24",
        "video" => "t62.7161-24",
        "audio" => "t62.7117-24",
        "document" => "t62.7119-24",
        "sticker" => "t62.15575-24",
        _ => return None,
    })
}

/// Everything of the service.
#[derive(Debug)]
pub(crate) struct MediaService {
    pub(crate) store: MediaStore,
    pub(crate) faults: MediaFaults,
    pub(crate) partner: PartnerMedia,
    /// What `media_conn` hands out and every upload must bring along.
    pub(crate) auth: String,
}

impl MediaService {
    /// An empty one that fetches partners' files from `partner_base_url`.
    pub(crate) fn start(partner_base_url: &str) -> io::Result<Self> {
        let limits = store::Limits {
            file_bytes: MEDIA_FILE_BYTES_MAX,
            total_bytes: MEDIA_TOTAL_BYTES_MAX,
            files: MEDIA_FILES_MAX,
        };
        Ok(Self {
            store: MediaStore::in_new_folder(limits)?,
            faults: MediaFaults::default(),
            partner: PartnerMedia::of(partner_base_url).map_err(io::Error::other)?,
            auth: URL_SAFE_NO_PAD.encode(entropy::bytes::<24>()),
        })
    }
}
