//! Fetches what partners host, as the real network does for its people (network facts 1.7). It must not know who wants it.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use reqwest::{
    Client, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE,
    },
    redirect::Policy,
};

use crate::limits::{
    PARTNER_HTTP_TIME_MAX, PARTNER_MEDIA_SILENCE_MAX, STORAGE_REFERENCE_CHARS_MAX,
};

/// The headers of a partner's answer that are passed on.
const RELAYED: [reqwest::header::HeaderName; 4] =
    [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_RANGE, ACCEPT_RANGES];

/// See the module.
#[derive(Debug)]
pub(crate) struct PartnerMedia {
    base_url: String,
    http: Client,
}

/// A partner's answer, its body still on the way.
#[derive(Debug)]
pub(crate) struct Hosted {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    response: reqwest::Response,
}

impl Hosted {
    pub(crate) fn bytes(self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        self.response
            .bytes_stream()
            .map(|piece| piece.map_err(|error| io::Error::other(error.without_url())))
    }
}

/// The storage reference in the path behind `/interop/whatsapp/download/{integrator}/`. Something may follow its slash:
/// ordinary clients append a query there without its question mark (network facts 3.8).
pub(crate) fn storage_reference(rest: &str) -> Option<&str> {
    let (reference, _) = rest.split_once('/')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '=');
    let dots_only = reference.chars().all(|c| c == '.');
    let fits = reference.len() <= STORAGE_REFERENCE_CHARS_MAX;
    (fits && !dots_only && reference.chars().all(is_plain)).then_some(reference)
}

impl PartnerMedia {
    /// For the partner whose server is there.
    pub(super) fn of(base_url: &str) -> reqwest::Result<Self> {
        let http = Client::builder()
            .connect_timeout(PARTNER_HTTP_TIME_MAX)
            .read_timeout(PARTNER_MEDIA_SILENCE_MAX)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { base_url: base_url.trim_end_matches('/').to_owned(), http })
    }

    /// Asks the partner's server for a file or a part of it.
    pub(crate) async fn fetch(
        &self,
        storage_reference: &str,
        range: Option<&HeaderValue>,
    ) -> reqwest::Result<Hosted> {
        let mut request = self.http.get(format!("{}/{storage_reference}", self.base_url));
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let response = request.send().await?;
        let all = response.headers();
        let passed =
            RELAYED.into_iter().filter_map(|name| Some((name.clone(), all.get(name)?.clone())));
        Ok(Hosted { status: response.status(), headers: passed.collect(), response })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_reference_is_one_plain_segment_with_a_slash_behind() {
        assert_eq!(storage_reference("abc-_9/"), Some("abc-_9"));
        assert_eq!(storage_reference("abc/&hash=x&mms-type=image"), Some("abc"));
        for wrong in ["abc", "", "/", "../", "a b/", "a%2fb/", "@host/", "a?b/"] {
            assert_eq!(storage_reference(wrong), None, "{wrong}");
        }
        let longest = "a".repeat(STORAGE_REFERENCE_CHARS_MAX);
        assert_eq!(storage_reference(&format!("{longest}/")), Some(longest.as_str()));
        assert_eq!(storage_reference(&format!("a{longest}/")), None);
    }
}
