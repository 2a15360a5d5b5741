//! A bucket of an S3-compatible service as the store.
//!
//! Uploads that never ended are not shown by the port's calls: the bucket's own lifecycle rule
//! (`AbortIncompleteMultipartUpload`) removes them.

use std::{fmt, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use url::Url;
use zeroize::Zeroizing;

use crate::port::Failure;

/// The least that such services take as a part that is not the last.
pub(super) const PART_BYTES: usize = 5 * 1024 * 1024;
/// How long the service may say nothing. A part is on its way meanwhile, so it bounds its rate too.
const SILENCE_MAX: Duration = Duration::from_mins(1);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Repetitions of one request; above them whoever asked decides.
const RETRIES_MAX: usize = 3;

/// A bucket, or the part of it under a prefix, that belongs to one bridge alone.
#[derive(Clone)]
pub struct Bucket {
    pub name: String,
    /// May be empty.
    pub prefix: String,
    /// Another service than Amazon's.
    pub endpoint: Option<Url>,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: Zeroizing<String>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, prefix, endpoint, region, access_key_id: _, secret_access_key: _ } = self;
        f.debug_struct("Bucket")
            .field("name", name)
            .field("prefix", prefix)
            .field("endpoint", &endpoint.as_ref().map(Url::as_str))
            .field("region", region)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    pub(super) fn open(&self) -> Result<AmazonS3, Failure> {
        let is_plain = self.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
        let client = ClientOptions::new()
            .with_allow_http(is_plain)
            // A large file takes as long as whoever reads it; only silence ends it.
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT_MAX)
            .with_read_timeout(SILENCE_MAX);
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: SILENCE_MAX,
        };
        let mut builder = AmazonS3Builder::new()
            .with_client_options(client)
            .with_retry(retry)
            .with_bucket_name(&self.name)
            .with_region(&self.region)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(self.secret_access_key.as_str())
            // The single call is what every service has, and we delete one at a time.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        builder
            .build()
            .map_err(|error| Failure::never("the media bucket cannot be used").because(error))
    }

    pub(super) fn prefix_path(&self) -> Result<Path, Failure> {
        Path::parse(&self.prefix).map_err(|error| {
            Failure::never("the prefix of the media bucket is no path").because(error)
        })
    }
}
