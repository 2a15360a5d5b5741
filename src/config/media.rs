//! `[media]` and `[media.s3]`.

use std::{fmt, path::PathBuf, time::Duration};

use toml::Value;
use zeroize::Zeroizing;

use super::{
    mistake::Mistake,
    section::section,
    setting::{HttpUrl, Setting, text},
};

/// The longest that a file may be hosted.
const KEEP_DAYS_MAX: u32 = 365;

section! {
    /// Files that people send. The network fetches them from the bridge, which hosts them as
    /// ciphertext that only the receiver's app can read.
    Media at "media" {
        /// Where hosted files lie: a folder (relative to where the bridge runs, so by default
        /// beside the database; made if it is missing), or a bucket like "s3://bucket" or
        /// "s3://bucket/prefix". It must belong to this bridge alone: what it does not know there
        /// it deletes after three days.
        store: MediaPlace = Default(r#""media""#),

        /// Days for which a file is hosted. The network keeps a message that long for a phone that
        /// is off; what the phone has not fetched by then is lost to it.
        keep_days: Days = Default("30"),

        /// Bytes of the largest file that is carried, in either direction. The network's own limit
        /// is 2 GiB; the homeserver has one of its own, and the smallest counts.
        max_bytes: u64 = Default("2_147_483_648"),

        /// Bytes that one person may have hosted at the same time.
        quota_bytes: u64 = Default("10_737_418_240"),
    }
}

section! {
    /// The service that has the bucket, if `media.store` is one. Uploads that are cut off leave
    /// parts behind there: let a lifecycle rule of the bucket abort incomplete uploads after a day.
    MediaS3 at "media.s3" {
        /// The address of the service; without it, Amazon's in `region`.
        endpoint: Option<HttpUrl> = Optional(r#""https://s3.example.org""#),

        /// The region of the bucket. Most other services than Amazon's take any.
        region: String = Default(r#""us-east-1""#),

        /// The id of the access key. It must be allowed to list the bucket and to read, write and
        /// delete objects in it.
        access_key_id: Option<String> = Optional(r#""the-id-of-the-key""#),

        /// Secret. The access key itself.
        secret_access_key: Option<AccessKey> = OptionalSecret(r#""the-secret-of-the-key""#),
    }
}

/// Where hosted files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaPlace {
    Folder(PathBuf),
    Bucket {
        name: String,
        /// May be empty.
        prefix: String,
    },
}

impl Setting for MediaPlace {
    fn parse(value: &Value) -> Result<Self, String> {
        let must = "must be the path of a folder, or a bucket like \"s3://bucket\" or \"s3://bucket/prefix\"";
        let place = text(value)?;
        let Some((scheme, rest)) = place.split_once("://") else {
            let folder = Some(place).filter(|place| !place.is_empty());
            return folder.map(|folder| Self::Folder(folder.into())).ok_or_else(|| must.to_owned());
        };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        (scheme == "s3" && is_bucket(name) && is_prefix(prefix))
            .then(|| Self::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
            .ok_or_else(|| must.to_owned())
    }
}

fn is_bucket(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(is_inner)
}

/// Plain words between single slashes, so that an object's name means the same everywhere.
fn is_prefix(prefix: &str) -> bool {
    let is_word = |word: &str| {
        !["", ".", ".."].contains(&word)
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    prefix.is_empty() || prefix.split('/').all(is_word)
}

/// A number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u32);

impl Days {
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0) * 24 * 3_600)
    }
}

impl Setting for Days {
    fn parse(value: &Value) -> Result<Self, String> {
        let days = value.as_integer().and_then(|it| u32::try_from(it).ok());
        days.filter(|days| (1..=KEEP_DAYS_MAX).contains(days))
            .map(Self)
            .ok_or_else(|| format!("must be a whole number of days from 1 to {KEEP_DAYS_MAX}"))
    }
}

/// The secret of an access key. Its `Debug` does not show it, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(Zeroizing<String>);

impl AccessKey {
    /// The secret itself.
    pub fn expose(&self) -> &Zeroizing<String> {
        &self.0
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(…)")
    }
}

impl Setting for AccessKey {
    fn parse(value: &Value) -> Result<Self, String> {
        String::parse(value).map(|secret| Self(Zeroizing::new(secret)))
    }
}

/// What neither section can know alone.
pub(super) fn conflicts(media: &Media, s3: &MediaS3) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut add = |path: &str, sentence: &str| mistakes.push(Mistake::new(path, sentence));
    if media.quota_bytes < media.max_bytes {
        add(
            "media.quota_bytes",
            "must not be less than `max_bytes`: no file of that size could ever be hosted",
        );
    }
    let is_bucket = matches!(media.store, MediaPlace::Bucket { .. });
    for (path, is_set) in [
        ("media.s3.endpoint", s3.endpoint.is_some()),
        ("media.s3.access_key_id", s3.access_key_id.is_some()),
        ("media.s3.secret_access_key", s3.secret_access_key.is_some()),
    ] {
        if is_set && !is_bucket {
            add(
                path,
                "has no use while `media.store` is a folder: make that \"s3://bucket\", or remove this",
            );
        } else if !is_set && is_bucket && path != "media.s3.endpoint" {
            add(path, "is missing: `media.store` is a bucket, set the key that may write to it");
        }
    }
    mistakes
}
